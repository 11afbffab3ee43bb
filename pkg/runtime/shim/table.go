package shim

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"

	"github.com/reconciler-dev/reconciler/internal/private"
	"github.com/reconciler-dev/reconciler/pkg/runtime/child"
	"github.com/reconciler-dev/reconciler/pkg/runtime/logs"
)

// lineKind says what a line of the table tells.
type lineKind string

const (
	lineHead     lineKind = "head"     // whose table it is
	lineFence    lineKind = "fence"    // the newest key of a place, of which nothing else is left
	lineIntent   lineKind = "intent"   // a start will be tried
	lineStarted  lineKind = "started"  // it runs
	lineFailed   lineKind = "failed"   // it did not start
	lineNotified lineKind = "notified" // it said something that lasts
	lineStopping lineKind = "stopping" // its tree has its grace; an older shim passes over it and kills what the main process left
	lineExited   lineKind = "exited"   // its main process ended
	lineAcked    lineKind = "acked"    // the brain knows how
)

// line is one line of the table. It holds no argument and no environment: they
// may be secrets.
type line struct {
	Kind lineKind  `json:"k"`
	Key  child.Key `json:"key,omitzero"`

	// Of a head.
	Version int    `json:"version,omitempty"` // tableVersion of who wrote it; 0: there was only one
	Boot    string `json:"boot,omitempty"`
	Group   string `json:"group,omitempty"` // the directory of all cgroups
	Tag     string `json:"tag,omitempty"`   // in all marks, where it is not longTagOf the state directory

	// Of an intent and, except Log, of what follows it.
	Attempt  child.Attempt `json:"attempt,omitempty"`
	SpecHash string        `json:"spec_hash,omitempty"`
	Log      *logs.Policy  `json:"log,omitempty"`
	Token    string        `json:"token,omitempty"` // "": it was given none, by an earlier version

	// Of a start.
	PID       int       `json:"pid,omitempty"`
	Identity  identity  `json:"identity,omitzero"`
	StartedAt time.Time `json:"started_at,omitzero"`
	Weak      bool      `json:"weak,omitempty"`

	Talks  bool     `json:"talks,omitempty"`  // of an intent: it has a notify socket
	Notify *address `json:"notify,omitempty"` // of an intent: where; nil: the abstract one of an earlier version
	Said   *Notice  `json:"said,omitempty"`   // of what it said
	Report *Report  `json:"report,omitempty"` // of an exit
}

// tableVersion changes when an older shim would misunderstand the table: then it
// leaves it, and the children, alone. A new kind of line and a new field that an
// older shim may ignore, and drops when it rewrites the table, do not change it.
const tableVersion = 1

// tooNew is why a table must not be touched; nil if it may be. One that is void is
// only replaced, so its version does not matter: see replay.
func tooNew(lines []line, boot string) error {
	if len(lines) == 0 || lines[0].Kind != lineHead || lines[0].Boot != boot || lines[0].Version <= tableVersion {
		return nil
	}
	return fmt.Errorf("a newer version wrote it (format %d, this one reads up to %d): the children run on as they are; start that version again, or a later one",
		lines[0].Version, tableVersion)
}

// compactAt is how much longer than its live content, beside four times that,
// the table may grow.
const compactAt = 256 << 10

// table is the durable memory of a shim: an append-only file of JSON lines. It
// need only survive the process, so nothing is synced.
type table struct {
	path  string
	file  *os.File
	size  int64 // of the whole lines; the next one goes there
	clean int64 // the size after the last rewrite
	buf   []byte
}

// openTable reads the table in path, which may be missing. What cannot be read as
// a line is skipped: it is the torn end, or damage that the cgroups make up for.
// One that is too new is an error, and as it was.
func openTable(path, boot string) (*table, []line, error) {
	file, err := private.Open(path, os.O_RDWR|os.O_CREATE)
	if err != nil {
		return nil, nil, fmt.Errorf("table: %w", err)
	}
	data, err := io.ReadAll(file)
	if err != nil {
		file.Close()
		return nil, nil, fmt.Errorf("table: %w", err)
	}
	t := &table{path: path, file: file}
	var lines []line
	for text := range bytes.Lines(data) {
		if text[len(text)-1] != '\n' {
			break
		}
		t.size += int64(len(text))
		var l line
		if json.Unmarshal(text, &l) == nil {
			lines = append(lines, l)
		}
	}
	t.clean = t.size
	err = tooNew(lines, boot)
	if err == nil {
		err = file.Truncate(t.size)
	}
	if err != nil {
		file.Close()
		return nil, nil, fmt.Errorf("table %s: %w", path, err)
	}
	return t, lines, nil
}

// append adds one line. After an error nothing of it is in the table.
func (t *table) append(l line) error {
	var err error
	if t.buf, err = appendLine(t.buf[:0], l); err != nil {
		return err
	}
	n, err := t.file.WriteAt(t.buf, t.size)
	if err != nil {
		// Half a line must not stand before the next one, which is written over it.
		_ = t.file.Truncate(t.size)
		return fmt.Errorf("table: %w", err)
	}
	t.size += int64(n)
	return nil
}

func appendLine(buf []byte, l line) ([]byte, error) {
	text, err := json.Marshal(l)
	if err != nil {
		return buf, fmt.Errorf("table: %w", err)
	}
	return append(append(buf, text...), '\n'), nil
}

// bloated reports whether a rewrite would save much.
func (t *table) bloated() bool { return t.size > 4*t.clean+compactAt }

// rewrite replaces the table by lines, whole or not at all.
func (t *table) rewrite(lines []line) error {
	var buf []byte
	for _, l := range lines {
		var err error
		if buf, err = appendLine(buf, l); err != nil {
			return err
		}
	}
	next := t.path + ".next"
	file, err := private.Open(next, os.O_RDWR|os.O_CREATE|os.O_TRUNC)
	if err == nil {
		_, err = file.Write(buf)
	}
	if err == nil {
		err = os.Rename(next, t.path)
	}
	if err != nil {
		if file != nil {
			file.Close()
			_ = os.Remove(next)
		}
		return fmt.Errorf("table: %w", err)
	}
	t.file.Close()
	t.file, t.size, t.clean = file, int64(len(buf)), int64(len(buf))
	return nil
}

func (t *table) close() { t.file.Close() }

// lock takes the lock of the shim directory for the life of this process. A dying
// shim may hold it a moment longer, through a child that it was just starting:
// then it is waited for, unless a living shim answers.
func lock(dir string, answers func() bool) (*os.File, error) {
	at := filepath.Join(dir, "lock")
	if _, err := os.Lstat(at); errors.Is(err, fs.ErrNotExist) {
		if err := nobodyBeside(at); err != nil {
			return nil, err
		}
	}
	file, err := private.Open(at, os.O_RDWR|os.O_CREATE)
	if err != nil {
		return nil, fmt.Errorf("lock: %w", err)
	}
	for deadline := time.Now().Add(lockPatience); ; time.Sleep(5 * time.Millisecond) {
		if err = unix.Flock(int(file.Fd()), unix.LOCK_EX|unix.LOCK_NB); err == nil {
			break
		}
		if answers() || time.Now().After(deadline) {
			holder, _ := io.ReadAll(file)
			file.Close()
			return nil, fmt.Errorf("another shim, pid %s, owns the processes of %s", bytes.TrimSpace(holder), filepath.Dir(dir))
		}
	}
	err = errors.Join(file.Truncate(0), writePID(file))
	if err != nil {
		file.Close()
		return nil, fmt.Errorf("lock: %w", err)
	}
	return file, nil
}

// lockPatience is longer than a start takes, with a slow disk below it.
const lockPatience = 5 * time.Second

func writePID(file *os.File) error {
	_, err := file.WriteAt(fmt.Appendf(nil, "%d\n", os.Getpid()), 0)
	return err
}

// removeAll removes the files in dir that keep does not name.
func removeAll(dir string, keep map[string]bool) error {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	for _, e := range entries {
		if !keep[e.Name()] {
			err = errors.Join(err, os.Remove(filepath.Join(dir, e.Name())))
		}
	}
	return err
}
