package shim

import (
	"bytes"
	"errors"
	"log"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/reconciler-dev/reconciler/pkg/runtime/child"
	"github.com/reconciler-dev/reconciler/pkg/runtime/logs"
)

// This file is what is special about the processes that run beside a main one:
// hooks and exec probes. They have a cgroup, a FIFO and a place of their own, so
// that they are started, killed, reaped and recovered like any attempt. Only
// their output differs: its end is kept for the report, that of a probe goes
// nowhere else, and there is only one writer for the log of a child, which belongs
// to the main process.

const (
	// maxTail is how much of the end of its output a process may have in its
	// report, and tailLines how many lines.
	maxTail   = 4 << 10
	tailLines = 10
)

// tail is the end of some output.
type tail []byte

func (t *tail) see(b []byte) {
	b = b[max(0, len(b)-maxTail):]
	*t = append((*t)[max(0, len(*t)+len(b)-maxTail):], b...)
}

// lines are the last whole or unfinished lines, as valid UTF-8.
func (t tail) lines() []string {
	text := bytes.TrimRight(t, "\n")
	if len(text) == 0 {
		return nil
	}
	all := strings.Split(strings.ToValidUTF8(string(text), "\uFFFD"), "\n")
	if len(t) == maxTail && len(all) > 1 {
		all = all[1:] // its beginning is cut off
	}
	return all[max(0, len(all)-tailLines):]
}

// errOpening says that a log is being opened by a start.
var errOpening = errors.New("the log is being opened")

// copySome moves some of the output of an attempt to where it belongs, and says
// how much that was.
func (s *server) copySome(a *attempt) (int64, error) {
	switch {
	case a.isMain():
		return a.log.CopyFrom(a.out)
	case a.Key.Role.IsProbe():
		n, err := unix.Read(a.out, s.chunk[:])
		if errors.Is(err, unix.EAGAIN) || errors.Is(err, unix.EINTR) {
			return 0, nil
		}
		a.tail.see(s.chunk[:max(n, 0)])
		return int64(max(n, 0)), err
	}
	w, err := s.logFor(a)
	if err != nil {
		return 0, err
	}
	return w.CopySeen(a.out, a.tail.see)
}

// logFor is the log that a hook prints to: that of the main process while there
// is one, else one that all hooks of the child share until its next start.
func (s *server) logFor(a *attempt) (*logs.Writer, error) {
	if u := s.units[place{a.Key.ID, child.Main}]; u != nil && u.cur != nil {
		switch {
		case u.cur.stage == starting:
			return nil, errOpening
		case u.cur.log != nil:
			return u.cur.log, nil
		}
	}
	if w := s.shared[a.Key.ID]; w != nil {
		return w, nil
	}
	w, err := openLog(s.cfg.StateDir, a.Key.ID, a.policy)
	if err != nil {
		return nil, err
	}
	if err := w.Begin(markOfAttempt(a.Key, a.Attempt)); err != nil {
		_ = w.Close()
		return nil, err
	}
	s.shared[a.Key.ID] = w
	return w, nil
}

// closeShared closes the log that hooks of a child share. Who still prints opens
// it again.
func (s *server) closeShared(id child.ID) {
	w := s.shared[id]
	if w == nil {
		return
	}
	delete(s.shared, id)
	if err := w.Close(); err != nil {
		log.Printf("%s: close its log: %v", id, err)
	}
}
