package logs

import (
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

const canSplice = true

// spliceTo moves up to n bytes from the pipe fd into f at offset off, without
// their passing through this process. It moves fewer if there are fewer.
func spliceTo(f *os.File, off int64, fd, n int) (moved int64, err error) {
	err = ignoringEINTR(func() (err error) {
		at := off
		moved, err = unix.Splice(fd, nil, int(f.Fd()), &at, n, unix.SPLICE_F_MOVE|unix.SPLICE_F_NONBLOCK)
		return err
	})
	if errors.Is(err, unix.EAGAIN) {
		return 0, nil
	}
	if err != nil {
		return 0, os.NewSyscallError("splice", err)
	}
	return moved, nil
}

// waiting is how many bytes are in the pipe.
func waiting(fd int) int {
	n, err := unix.IoctlGetInt(fd, unix.TIOCINQ) // FIONREAD by its other name
	if err != nil {
		return 1 // the call that moves will say what is wrong
	}
	return n
}

// teed is a source that looks into a pipe without taking from it: tee(2) copies
// into a pipe of our own, and that is read. It lives for one CopyFrom, so an
// idle child costs no descriptor.
type teed struct {
	open bool
	ends [2]int
	buf  []byte
}

func newSource() source { return &teed{} }

func (t *teed) peek(fd, limit int) ([]byte, error) {
	limit = min(limit, peekSize, waiting(fd))
	if limit == 0 {
		return nil, nil
	}
	if !t.open {
		if err := unix.Pipe2(t.ends[:], unix.O_CLOEXEC|unix.O_NONBLOCK); err != nil {
			return nil, os.NewSyscallError("pipe2", err)
		}
		t.open = true
	}
	var n int64
	err := ignoringEINTR(func() (err error) {
		n, err = unix.Tee(fd, t.ends[1], limit, unix.SPLICE_F_NONBLOCK)
		return err
	})
	if errors.Is(err, unix.EAGAIN) || err == nil && n == 0 {
		return nil, nil
	}
	if err != nil {
		return nil, os.NewSyscallError("tee", err)
	}
	if len(t.buf) < int(n) {
		t.buf = make([]byte, n)
	}
	return t.read(t.ends[0], int(n))
}

func (t *teed) take(fd, n int) error {
	_, err := t.read(fd, n)
	return err
}

// read reads exactly n bytes, which are there.
func (t *teed) read(fd, n int) ([]byte, error) {
	b := t.buf[:n]
	for len(b) > 0 {
		got, err := readPipe(fd, b)
		if err != nil {
			return nil, err
		}
		if got == 0 {
			return nil, fmt.Errorf("read pipe: %d bytes that were there are gone: it has another reader", len(b))
		}
		b = b[got:]
	}
	return t.buf[:n], nil
}

func (t *teed) release() {
	if t.open {
		_ = unix.Close(t.ends[0])
		_ = unix.Close(t.ends[1])
	}
	*t = teed{}
}
