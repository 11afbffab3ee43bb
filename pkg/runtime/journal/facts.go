package journal

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/reconciler-dev/reconciler/internal/private"
	"github.com/reconciler-dev/reconciler/pkg/runtime/child"
	"github.com/reconciler-dev/reconciler/pkg/runtime/machine"
)

const (
	factsExt     = ".jsonl"
	factsMaxSize = 10 << 20
	factsKept    = 5
)

// Entry is one fact as it stands in the journal.
type Entry struct {
	Sequence    uint64           `json:"sequence"` // from 1, without gaps
	Time        time.Time        `json:"time"`
	Type        machine.FactKind `json:"type"`
	ChildID     child.ID         `json:"child_id,omitempty"`
	Generation  child.Generation `json:"generation"`
	Attempt     child.Attempt    `json:"attempt"`
	PID         int              `json:"pid,omitempty"`
	Reason      string           `json:"reason,omitempty"`
	Words       child.Words      `json:"words,omitempty"` // of a child, or of what a probe asked, about it
	RequestedBy string           `json:"requested_by,omitempty"`
	Request     string           `json:"request_reason,omitempty"` // why it was requested, if Reason says something else
	Delay       child.Millis     `json:"delay_ms,omitempty"`
	Exit        *child.Exit      `json:"exit,omitempty"`

	// CorrelationID is the same for all entries that follow from one command, or
	// from one exit: its rest, its restart and the next attempt.
	CorrelationID string `json:"correlation_id,omitempty"`

	// What some types have.
	Command *Command               `json:"command,omitempty"` // command_accepted, command_refused
	From    string                 `json:"from,omitempty"`    // of a change
	To      string                 `json:"to,omitempty"`
	Target  child.Generation       `json:"target_generation,omitempty"` // of the attempt that a restart leads to
	Limit   *child.RestartLimitUse `json:"restart_limit,omitempty"`
}

// Command is the audit of one command: with requested_by, request_reason and the
// time of its entry, all that is to be known of it.
type Command struct {
	ID     machine.CommandID `json:"command_id"`
	Verb   machine.Verb      `json:"verb"`
	Target string            `json:"target"` // the path of the child; "/" for the whole tree
	Signal string            `json:"signal,omitempty"`
	Result machine.Decision  `json:"result"`
	Code   machine.ErrorCode `json:"code,omitempty"` // why it was refused
}

func commandOf(f machine.Fact) *Command {
	if f.Command == nil {
		return nil
	}
	return &Command{
		ID: f.Command.ID, Verb: f.Command.Verb, Target: f.Child.Path(), Signal: f.Command.Signal,
		Result: f.Command.Decision, Code: f.Command.Code,
	}
}

func entryOf(f machine.Fact, sequence uint64, wall time.Time) Entry {
	e := Entry{
		Sequence: sequence, Time: wall.UTC(), Type: f.Kind, ChildID: f.Child,
		Generation: f.Generation, Attempt: f.Attempt, PID: f.PID,
		Reason: f.Reason, Words: f.Words, RequestedBy: f.Cause.RequestedBy, Request: f.Cause.Reason,
		Delay: child.Millis(f.Delay), Exit: f.Exit, CorrelationID: f.Correlation,
		Command: commandOf(f), From: f.From, To: f.To, Target: f.Target, Limit: f.Limit,
	}
	if e.Reason == "" {
		e.Reason = e.Request
	}
	if e.Request == e.Reason {
		e.Request = ""
	}
	return e
}

// Facts appends to the journal. There must be only one for a directory at any
// time, and only one goroutine may use it.
//
// What Append has acknowledged survives the death of this process; what an
// operator asked for, and what was told together with it, the loss of power too.
type Facts struct {
	dir     string
	maxSize int64    // of a file
	maxKept int64    // of the commands of those that are gone
	file    *os.File // the newest one
	size    int64    // of what is acknowledged
	next    uint64   // sequence number
	torn    bool     // there may be a rest behind size that could not be cut off
	backlog backlog

	durableName bool // the file's name survives a loss of power
	suspect     bool // fdatasync failed: what it says of this file later is worth nothing
}

// OpenFacts continues the journal in dir, which it makes if it is missing. A
// last line that was cut short by a kill is dropped; numbering goes on.
func OpenFacts(dir string) (*Facts, error) {
	f := &Facts{dir: dir, maxSize: factsMaxSize, maxKept: factsMaxSize, next: 1}
	if err := f.open(); err != nil {
		if f.file != nil {
			_ = f.file.Close() // nothing was written to it
		}
		return nil, fmt.Errorf("open journal %s: %w", dir, err)
	}
	return f, nil
}

func (f *Facts) open() error {
	if err := private.Below(f.dir); err != nil {
		return err
	}
	files, err := factFiles(f.dir)
	if err != nil {
		return err
	}
	if len(files) == 0 { // it is another journal
		if err := os.Remove(filepath.Join(f.dir, factsName(keptFile))); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		return f.create()
	}
	first := files[len(files)-1]
	f.file, err = private.Open(filepath.Join(f.dir, factsName(first)), os.O_RDWR)
	if err != nil {
		return err
	}
	return f.goOn(first)
}

// goOn drops what was cut short at the end of the newest file, and goes on there.
func (f *Facts) goOn(first uint64) error {
	next, size, err := endOf(f.file, first)
	if err != nil {
		return err
	}
	f.next, f.size = next, size
	return f.file.Truncate(size)
}

// endOf finds the number that comes next in a file whose first one is given, and
// where its last whole line ends. It reads the last 64 KiB, and more only if no
// line in there can be read.
func endOf(f *os.File, first uint64) (next uint64, size int64, err error) {
	info, err := f.Stat()
	if err != nil {
		return 0, 0, err
	}
	for n := min(info.Size(), 64<<10); ; n = min(info.Size(), 8*n) {
		data := make([]byte, n)
		got, err := f.ReadAt(data, info.Size()-n)
		if err != nil && !errors.Is(err, io.EOF) {
			return 0, 0, err
		}
		whole := data[:bytes.LastIndexByte(data[:got], '\n')+1]
		last, behind := lastSequence(whole)
		if last < first && n < info.Size() {
			continue
		}
		return max(last+1, first) + behind, info.Size() - int64(len(data)-len(whole)), nil
	}
}

// lastSequence is the number of the last line of data that can be read, 0 if
// there is none, and how many lines come behind it: each was a fact too.
func lastSequence(data []byte) (last, behind uint64) {
	for len(data) > 0 {
		start := bytes.LastIndexByte(data[:len(data)-1], '\n') + 1
		var e struct {
			Sequence uint64 `json:"sequence"`
		}
		if json.Unmarshal(data[start:], &e) == nil && e.Sequence > 0 {
			return e.Sequence, behind
		}
		behind++
		data = data[:start]
	}
	return 0, behind
}

// create begins a new file, named by the number that comes next, and deletes
// those that are too many. Killed in between, the next OpenFacts goes on there.
func (f *Facts) create() error {
	file, err := private.Open(filepath.Join(f.dir, factsName(f.firstUnwritten())), os.O_WRONLY|os.O_CREATE|os.O_TRUNC)
	if err != nil {
		return err
	}
	if f.file != nil {
		_ = f.file.Close() // nothing is buffered
	}
	f.file, f.size, f.torn = file, 0, false
	f.durableName, f.suspect = false, false
	files, err := factFiles(f.dir)
	if err != nil {
		return err
	}
	for i, first := range files[:max(0, len(files)-factsKept)] {
		// One whose commands cannot be kept, or that cannot be deleted, must not stop
		// the journal; the next rotation tries again.
		if f.keepCommands(first) == nil || len(files)-i > 2*factsKept {
			_ = os.Remove(filepath.Join(f.dir, factsName(first)))
		}
	}
	return nil
}

func factsName(first uint64) string {
	if first == keptFile {
		return "commands" + factsExt
	}
	return fmt.Sprintf("%020d%s", first, factsExt)
}

// factFiles are the first numbers of the journal's files, oldest first. A
// missing directory has none.
func factFiles(dir string) ([]uint64, error) {
	entries, err := os.ReadDir(dir) // sorted by name, and so by number
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var files []uint64
	for _, e := range entries {
		digits, ok := strings.CutSuffix(e.Name(), factsExt)
		if !ok || len(digits) != 20 || !e.Type().IsRegular() {
			continue
		}
		if first, err := strconv.ParseUint(digits, 10, 64); err == nil {
			files = append(files, first)
		}
	}
	return files, nil
}
