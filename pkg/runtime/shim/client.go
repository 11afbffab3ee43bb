package shim

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/reconciler-dev/reconciler/pkg/runtime/child"
)

const (
	// helloPatience is how long a shim may take to list what it owns. Longer, and
	// it serves another brain, or hangs.
	helloPatience = 10 * time.Second

	// partingPatience is how long what is still queued may take to be written when
	// Run ends.
	partingPatience = time.Second

	retryFirst = 10 * time.Millisecond
	retryMost  = time.Second
)

// ClientConfig is what a Client is made of.
type ClientConfig struct {
	StateDir string
	Command  []string                    // starts a shim for StateDir: executable and arguments
	Log      func(msg string, kv ...any) // may be nil
}

// Client is the brain's end of the connection to the shim of a state directory.
type Client struct {
	cfg    ClientConfig
	events chan Event
	kick   chan struct{} // one slot: queue is not empty
	shim   starter       // owned by Run
	beat   time.Duration // pulseEvery, but in tests
	hung   int           // the pid of a shim that did not answer; owned by Run

	mu     sync.Mutex // guards what follows
	linked bool       // there is a connection
	queue  []message
	quit   bool // the shim said that it ends
}

// NewClient makes a client; Run connects it.
func NewClient(cfg ClientConfig) (*Client, error) {
	dir, err := filepath.Abs(cfg.StateDir)
	if err != nil {
		return nil, fmt.Errorf("shim: %w", err)
	}
	if len(cfg.Command) == 0 {
		return nil, errors.New("shim: no command to start one")
	}
	cfg.StateDir, cfg.Command = dir, slices.Clone(cfg.Command)
	if cfg.Log == nil {
		cfg.Log = func(string, ...any) {}
	}
	return &Client{
		cfg: cfg, events: make(chan Event), kick: make(chan struct{}, 1), beat: pulseEvery,
		shim: starter{command: cfg.Command, dir: shimDir(dir)},
	}, nil
}

// Events are what the shim tells, in its order. The channel has no buffer and is
// never closed: a reader that is slow slows the shim's words, not the shim.
func (c *Client) Events() <-chan Event { return c.events }

// Start asks for an attempt. It is answered by Started, StartFailed or, if it is
// over already, Exited; and not at all if the connection breaks.
//
// Start, Signal, Ack and Quit never wait. While there is no connection they do
// nothing. Who took Down asks for nothing before it took the next Listed: what is
// wanted then follows from the list.
func (c *Client) Start(l Launch) { c.enqueue(message{Start: &l}) }

// Signal asks for a signal to the main process of an attempt. With tree, it goes
// to the whole process group and begins a stop: the caller will send SIGKILL with
// tree if the attempt is not over by its deadline. SIGKILL with tree ends every
// process of the attempt, also those that left its group.
func (c *Client) Signal(key child.Key, sig string, tree bool) {
	c.enqueue(message{Signal: &signalRequest{Key: key, Signal: sig, Tree: tree}})
}

// Ack says that the exit of key is recorded: the shim may forget it.
func (c *Client) Ack(key child.Key) { c.enqueue(message{Ack: &key}) }

// Quit asks the shim to end. It does so only when nothing lives; then Run returns.
func (c *Client) Quit() { c.enqueue(message{Quit: true}) }

func (c *Client) enqueue(m message) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.linked {
		return
	}
	c.queue = append(c.queue, m)
	c.wake()
}

func (c *Client) wake() {
	select {
	case c.kick <- struct{}{}:
	default:
	}
}

func (c *Client) link(up bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.linked, c.queue = up, nil
}

// Run connects, starts a shim when none lives, and reconnects for ever. It returns
// nil when ctx ends, after it has written what was asked until then, and when the
// shim ended because of Quit. Children do not notice either.
func (c *Client) Run(ctx context.Context) error {
	told := "" // the last cause that was told
	for retry := retryFirst; ; retry = min(2*retry, retryMost) {
		begun := time.Now()
		listed, err := c.session(ctx)
		c.shim.reap()
		if ctx.Err() != nil || c.hasQuit() {
			return nil
		}
		err = c.stillHung(err)
		if listed {
			told = ""
		}
		if listed || time.Since(begun) > retryMost {
			retry = retryFirst
		}
		if err.Error() != told {
			told = err.Error()
			c.cfg.Log("no connection to the shim", "reason", told)
			if !c.tell(ctx, Down{Err: err}) {
				return nil
			}
		}
		select {
		case <-time.After(retry):
		case <-ctx.Done():
			return nil
		}
	}
}

// stillHung gives the same words to a shim that hangs however it is noticed: it lets
// nine wait at its socket, and then nobody.
func (c *Client) stillHung(err error) error {
	var hung *HungError
	switch {
	case errors.As(err, &hung):
		c.hung = hung.PID
	case c.hung > 0 && errors.Is(err, unix.EAGAIN):
		return &HungError{PID: c.hung, Why: whatHolds(c.hung)}
	}
	return err
}

func (c *Client) hasQuit() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.quit
}

// tell hands an event over; false: ctx ended first.
func (c *Client) tell(ctx context.Context, ev Event) bool {
	select {
	case c.events <- ev:
		return true
	case <-ctx.Done():
		return false
	}
}

// session is one connection from its beginning to its end. listed says whether
// the shim greeted.
func (c *Client) session(ctx context.Context) (listed bool, err error) {
	conn, err := c.shim.connect(ctx)
	if err != nil {
		return false, err
	}
	defer conn.Close()
	greeting, in, err := shakeHands(ctx, conn)
	if err != nil {
		return false, err
	}
	c.link(true) // before the list is told: its taker may answer at once
	defer c.link(false)
	if !c.tell(ctx, Listed{Shim: greeting.Shim, Running: greeting.Running, Exits: greeting.Exits}) {
		return true, ctx.Err()
	}

	var writer sync.WaitGroup
	over := make(chan struct{})
	watch := &pulse{shim: greeting.Shim}
	writer.Go(func() { c.write(ctx, conn, watch, over) })
	err = c.read(ctx, in, watch)
	close(over)
	writer.Wait()
	return true, watch.reason(err)
}

// shakeHands says hello and reads the list. A context that ends interrupts it.
func shakeHands(ctx context.Context, conn net.Conn) (*listing, *bufio.Reader, error) {
	unhook := context.AfterFunc(ctx, func() { conn.SetDeadline(time.Unix(1, 0)) })
	defer unhook()
	if err := conn.SetDeadline(time.Now().Add(helloPatience)); err != nil {
		return nil, nil, err
	}
	frame, err := appendFrame(nil, message{Hello: newHello(ours)})
	if err == nil {
		_, err = conn.Write(frame)
	}
	if err != nil {
		return nil, nil, err
	}
	in := bufio.NewReader(conn)
	m, err := readFrame(in)
	switch {
	case errors.Is(err, os.ErrDeadlineExceeded):
		return nil, nil, hungAt(conn)
	case err != nil:
		return nil, nil, fmt.Errorf("read from the shim: %w", err)
	case m.Refused != "":
		return nil, nil, errors.New(m.Refused)
	case m.Listed == nil:
		return nil, nil, errors.New("the shim did not begin with its list")
	}
	if m.Listed.Shim.Protocol == 0 {
		m.Listed.Shim.Protocol = minProtocol // it is of the first release, and accepted that
	}
	return m.Listed, in, conn.SetDeadline(time.Time{})
}

func readFrame(in *bufio.Reader) (message, error) {
	head, err := in.Peek(frameHead)
	if err != nil {
		return message{}, err
	}
	size := binary.BigEndian.Uint32(head)
	if size > maxFrame {
		return message{}, fmt.Errorf("frame of %d bytes; at most %d are allowed", size, maxFrame)
	}
	frame := make([]byte, frameHead+int(size))
	if _, err := io.ReadFull(in, frame); err != nil {
		return message{}, err
	}
	m, _, _, err := cutFrame(frame)
	return m, err
}

// read tells what the shim says until the connection ends. It ends with ctx
// because write closes the connection then.
func (c *Client) read(ctx context.Context, in *bufio.Reader, watch *pulse) error {
	for {
		m, err := readFrame(in)
		if err != nil {
			return fmt.Errorf("read from the shim: %w", err)
		}
		watch.heard(true)
		if m.Bye {
			c.mu.Lock()
			c.quit = true
			c.mu.Unlock()
			return errors.New("the shim ended as asked")
		}
		if m.Refused != "" {
			c.cfg.Log(m.Refused)
		} else if ev := eventOf(m); ev != nil && !c.tell(ctx, ev) {
			return ctx.Err()
		}
		watch.heard(false)
	}
}

func eventOf(m message) Event {
	switch {
	case m.Started != nil:
		return Started{*m.Started}
	case m.StartFailed != nil:
		return *m.StartFailed
	case m.Exited != nil:
		return Exited{*m.Exited}
	case m.Notified != nil:
		return Notified{*m.Notified}
	case m.Output != nil:
		return *m.Output
	}
	return nil // a word of a newer shim
}

func (c *Client) flush(conn net.Conn) error {
	c.mu.Lock()
	queue := c.queue
	c.queue = nil
	c.mu.Unlock()
	var buf []byte
	for _, m := range queue {
		next, err := appendFrame(buf, m)
		if err != nil {
			c.cfg.Log("not sent to the shim", "reason", err.Error())
			continue
		}
		buf = next
	}
	_, err := conn.Write(buf)
	return err
}

// fileConn makes a connection of a socket that dial opened.
func fileConn(fd int) (net.Conn, error) {
	file := os.NewFile(uintptr(fd), socketName)
	defer file.Close() // FileConn has its own
	return net.FileConn(file)
}
