package shim

import "golang.org/x/sys/unix"

// watch says what a watched file is.
type watch int32

const (
	watchWake     watch = iota // the poller's own pipe
	watchListener              // a brain wants to connect
	watchConn                  // the brain speaks, or can be written to
	watchExit                  // the main process of attempt n
	watchOutput                // the output of attempt n
	watchTree                  // the cgroup of attempt n
	watchNotify                // the notify socket of attempt n
)

// ready is one thing that happened. n numbers an attempt and is never used twice,
// so what was already in a batch when its attempt went finds nobody.
type ready struct {
	what   watch
	n      uint32
	hangup bool
}

// wake makes wait return; any goroutine may call it.
func (p *poller) wake() {
	// A full pipe wakes as well.
	_, _ = unix.Write(p.pipe[1], []byte{0})
}

func drainPipe(fd int) {
	var buf [64]byte
	for {
		if n, err := unix.Read(fd, buf[:]); n < len(buf) || err != nil {
			return
		}
	}
}
