package logs

import (
	"bytes"
	"errors"
	"fmt"
	"syscall"

	"golang.org/x/sys/unix"
)

const (
	// perCall bounds one CopyFrom, so that a flood of one child lets the others
	// have their turn: about 1 ms.
	perCall = 1 << 20

	// peekSize is how much is looked at in one go where bytes cannot go straight
	// from the pipe to the file.
	peekSize = 32 << 10
)

// source gives the bytes of a pipe to somebody who must see them.
type source interface {
	// peek returns the next bytes, at most limit; none if there are none now.
	// They are valid until the next call.
	peek(fd, limit int) ([]byte, error)
	// take removes the first n of the bytes that were peeked.
	take(fd, n int) error
	// release gives back what was held for one CopyFrom.
	release()
}

// CopyFrom moves what is in the pipe now to the log, at most about 1 MiB, and
// says how many bytes that were: 0 and no error if the pipe is empty or at its
// end. fd must be non-blocking. After an error (a full disk) what was not moved
// is still there: call again, later.
func (w *Writer) CopyFrom(fd int) (int64, error) {
	move := w.copySeen
	if w.splice && !w.policy.Timestamps {
		move = w.copySpliced
	}
	n, err := move(fd)
	w.pipe.release()
	if err != nil {
		return n, fmt.Errorf("write log %s: %w", w.dir, err)
	}
	return n, nil
}

// CopySeen is CopyFrom for output that somebody else sees too: see gets each
// piece once it is in the log, valid during the call.
func (w *Writer) CopySeen(fd int, see func([]byte)) (int64, error) {
	w.see = see
	n, err := w.copySeen(fd)
	w.see = nil
	w.pipe.release()
	if err != nil {
		return n, fmt.Errorf("write log %s: %w", w.dir, err)
	}
	return n, nil
}

// copySpliced moves bytes without looking at them, except at the end of a file.
func (w *Writer) copySpliced(fd int) (n int64, err error) {
	if w.file == nil && waiting(fd) == 0 {
		return 0, nil
	}
	if err := w.prepare(); err != nil {
		return 0, err
	}
	for n < perCall {
		want := w.policy.room(w.size)
		if want == 0 {
			if want, err = w.restOfLine(fd); err != nil || want == 0 {
				return n, err
			}
		}
		want = min(want, perCall-n)
		moved, err := spliceTo(w.file, w.size, fd, int(want))
		w.size += moved
		n += moved
		if errors.Is(err, unix.EINVAL) && moved == 0 {
			w.splice = false // this file system has no splice; see copySeen
			rest, err := w.copySeen(fd)
			return n + rest, err
		}
		if err != nil || moved < want {
			return n, err
		}
	}
	return n, nil
}

// restOfLine is how many bytes belong into the current file although it has
// reached its size: up to the end of the line. If there are none, and more
// output waits, the file is rotated, and the answer is about the new one. 0
// means that nothing waits.
func (w *Writer) restOfLine(fd int) (int64, error) {
	midLine, err := w.midLine()
	if err != nil {
		return 0, err
	}
	if w.policy.full(w.size, midLine) {
		if waiting(fd) == 0 {
			return 0, nil // it stays the current file until more comes
		}
		if err := w.rotate(); err != nil {
			return 0, err
		}
		return w.policy.room(0), w.open()
	}
	ahead, err := w.pipe.peek(fd, int(w.policy.MaxBytes+overrun-w.size))
	if i := bytes.IndexByte(ahead, '\n'); i >= 0 {
		ahead = ahead[:i+1]
	}
	return int64(len(ahead)), err
}

// copySeen moves bytes through a buffer: write, then take from the pipe.
func (w *Writer) copySeen(fd int) (n int64, err error) {
	var midLine bool
	var stamp []byte
	for n < perCall {
		src, err := w.pipe.peek(fd, peekSize)
		if err != nil || len(src) == 0 {
			return n, err
		}
		if n == 0 {
			if err := w.prepare(); err != nil {
				return 0, err
			}
			if midLine, err = w.midLine(); err != nil {
				return 0, err
			}
			if w.policy.Timestamps {
				stamp = stampAt(w.now())
			}
		}
		room := len(src) + (1+bytes.Count(src, newline))*len(stamp)
		out, used := w.policy.fill(make([]byte, 0, room), src, w.size, midLine, stamp)
		if used > 0 {
			if err := w.write(out); err != nil {
				return n, err
			}
			midLine = src[used-1] != '\n'
			n += int64(used)
			if w.see != nil {
				w.see(src[:used])
			}
			if err := w.pipe.take(fd, used); err != nil {
				return n, err
			}
		}
		if used < len(src) {
			if err := w.rotate(); err != nil {
				return n, err
			}
			if err := w.open(); err != nil {
				return n, err
			}
		}
	}
	return n, nil
}

var newline = []byte{'\n'}

// prepare opens the current file for output that is there now.
func (w *Writer) prepare() error {
	if w.fresh {
		if err := w.make(); err != nil {
			return err
		}
	}
	if err := w.check(); err != nil {
		return err
	}
	return w.open()
}

// readAhead is a source for systems that cannot look into a pipe: what was read
// waits in memory until it is written.
type readAhead struct {
	buf  []byte
	rest []byte
}

func (r *readAhead) peek(fd, limit int) ([]byte, error) {
	if len(r.rest) == 0 {
		if r.buf == nil {
			r.buf = make([]byte, peekSize)
		}
		n, err := readPipe(fd, r.buf[:min(limit, len(r.buf))])
		if err != nil {
			return nil, err
		}
		r.rest = r.buf[:n]
	}
	return r.rest, nil
}

func (r *readAhead) take(_, n int) error {
	r.rest = r.rest[n:]
	return nil
}

func (r *readAhead) release() {
	if len(r.rest) == 0 {
		r.buf = nil
	}
}

// readPipe reads what is there now; an empty pipe and the end are both 0.
func readPipe(fd int, b []byte) (n int, err error) {
	err = ignoringEINTR(func() (err error) {
		n, err = unix.Read(fd, b)
		return err
	})
	if errors.Is(err, syscall.EAGAIN) {
		return 0, nil
	}
	if err != nil {
		return 0, fmt.Errorf("read pipe: %w", err)
	}
	return max(0, n), nil
}

// ignoringEINTR repeats a system call that a signal interrupted; the Go runtime
// sends such signals to its own threads.
func ignoringEINTR(call func() error) error {
	for {
		if err := call(); err != syscall.EINTR {
			return err
		}
	}
}
