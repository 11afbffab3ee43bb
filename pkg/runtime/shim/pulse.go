package shim

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"syscall"
	"time"

	"github.com/reconciler-dev/reconciler/internal/peercred"
)

const (
	// pulseEvery is how often the brain asks whether the shim still turns.
	pulseEvery = time.Second

	// pulseMisses is how many questions in a row may stay unanswered. A shim does
	// nothing that takes long; what may (a start, a log) waits elsewhere. They are
	// counted and not timed: a brain that was stopped itself has asked once.
	pulseMisses = 3
)

// HungError says that a shim is there and does not answer.
type HungError struct {
	PID int
	Why string // what the kernel says of it
}

// Error says what it is, and the way out.
func (e *HungError) Error() string {
	return fmt.Sprintf("the shim (pid %d) does not answer: %s; until it does nothing is started, stopped or noticed, and children run on", e.PID, e.Why)
}

// pulse watches over one connection.
type pulse struct {
	shim Info

	mu     sync.Mutex // guards what follows
	missed int
	asked  bool // and not answered
	busy   bool // the reader hands an event over: what the shim said since waits in the socket
	why    error
}

// heard notes any word of the shim. With busy, none can be heard until the next call.
func (p *pulse) heard(busy bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.missed, p.asked, p.busy = 0, false, busy
}

// beat is called every pulseEvery: with ask, the shim is to be asked.
func (p *pulse) beat() (ask bool, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	can := p.shim.Can(Heartbeat)
	switch {
	case p.busy:
		return false, nil
	case can && p.asked, !can && isHeld(p.shim.PID):
		p.missed++
	case !can:
		p.missed = 0
	}
	if p.missed < pulseMisses {
		p.asked = can
		return can, nil
	}
	p.why = &HungError{PID: p.shim.PID, Why: whatHolds(p.shim.PID)}
	return false, p.why
}

// hung notes that the shim took nothing for too long.
func (p *pulse) hung() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.why = &HungError{PID: p.shim.PID, Why: whatHolds(p.shim.PID)}
}

// reason is why the connection ended: err, unless it was ended for what the pulse has
// seen.
func (p *pulse) reason(err error) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.why != nil {
		return p.why
	}
	return err
}

// hungAt says who took a connection and does not answer.
func hungAt(conn net.Conn) error {
	pid := 0
	if c, ok := conn.(syscall.Conn); ok {
		if id, err := peercred.ProcessOf(c); err == nil {
			pid = id
		}
	}
	return &HungError{PID: pid, Why: whatHolds(pid)}
}

// isHeld reports whether somebody keeps a process from running.
func isHeld(pid int) bool {
	state := stateOf(pid)
	return state == 'T' || state == 't'
}

// whatHolds says why a process does not answer, as far as the kernel tells.
func whatHolds(pid int) string {
	switch state := stateOf(pid); state {
	case 'T':
		return fmt.Sprintf("it is stopped (state T); kill -CONT %d lets it go on", pid)
	case 't':
		return "a debugger holds it (state t)"
	case 'D':
		return "it waits for a disk or a network file system (state D)"
	case 'Z', 'X':
		return "it has ended"
	case 0:
		return "what it does cannot be seen"
	default:
		return fmt.Sprintf("it hangs, or is connected to another reconciler (state %c)", state)
	}
}

// write sends what is queued until the connection or ctx ends; then it sends the
// rest and closes the connection. It closes it too when the shim hangs.
func (c *Client) write(ctx context.Context, conn net.Conn, p *pulse, over <-chan struct{}) {
	defer conn.Close()
	tick := time.NewTicker(c.beat)
	defer tick.Stop()
	for {
		select {
		case <-c.kick:
		case <-tick.C:
			ask, err := p.beat()
			if err != nil {
				return
			}
			if ask {
				c.enqueue(message{Ping: true})
			}
		case <-over:
		case <-ctx.Done():
		}
		if ctx.Err() != nil {
			// The last word may be a Quit, and its effect is not waited for.
			_ = conn.SetDeadline(time.Now().Add(partingPatience))
			_ = c.flush(conn)
			return
		}
		select {
		case <-over:
			return
		default:
		}
		_ = conn.SetWriteDeadline(time.Now().Add((pulseMisses + 1) * c.beat))
		if err := c.flush(conn); err != nil {
			var timeout net.Error
			if errors.As(err, &timeout) && timeout.Timeout() {
				p.hung() // with a full socket: there is no room for a question
			}
			return // the reader says why
		}
	}
}
