package server

import (
	"context"
	"net"
	"sync"
	"time"

	"github.com/reconciler-dev/reconciler/pkg/runtime/child"
)

// conns is a listener that bounds how many connections there are. When all are
// taken, the one that has been silent for longest makes way for a new one, so that
// no number of clients that say nothing keeps out one that does. If all of them are
// being served, the new one is told so at its first request.
type conns struct {
	limit    int
	identify func(net.Conn) (peer, error)

	mu  sync.Mutex
	at  net.Listener // see moveTo
	all map[*conn]struct{}
	out sync.WaitGroup // connections that are not closed
}

// conn is one connection.
type conn struct {
	net.Conn
	owner   *conns
	peer    peer
	unknown error // why the kernel does not say who that is
	surplus bool  // there were too many when it came
	closed  sync.Once

	// asks is who makes the request that is being served, and why, once that is known.
	// One connection has one request at a time.
	asks child.Cause

	// Guarded by owner.mu.
	serving bool
	since   time.Time // when it fell silent
}

func newConns(l net.Listener, limit int) *conns {
	return &conns{at: l, limit: limit, identify: identify, all: map[*conn]struct{}{}}
}

// Accept returns the next connection that there is room for.
func (c *conns) Accept() (net.Conn, error) {
	for {
		at := c.listener()
		raw, err := at.Accept()
		if err != nil && at != c.listener() {
			continue // it is accepted elsewhere now
		}
		if err != nil {
			return nil, err
		}
		if n := c.admit(raw); n != nil {
			return n, nil
		}
		_ = raw.Close()
	}
}

func (c *conns) listener() net.Listener {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.at
}

// moveTo accepts from another listener from now on, and closes the one before. The
// connections stay.
func (c *conns) moveTo(l net.Listener) {
	c.mu.Lock()
	before := c.at
	c.at = l
	c.mu.Unlock()
	_ = before.Close()
}

// Close ends accepting.
func (c *conns) Close() error { return c.listener().Close() }

// Addr is the address of the listener.
func (c *conns) Addr() net.Addr { return c.listener().Addr() }

// admit makes room for a connection; nil if there is none. Of those that only hear
// that there are too many there may be as many again.
func (c *conns) admit(raw net.Conn) *conn {
	n := &conn{Conn: raw, owner: c, since: time.Now()}
	n.peer, n.unknown = c.identify(raw)
	c.mu.Lock()
	var silent *conn
	if len(c.all) >= c.limit {
		silent = c.silent()
		n.surplus = silent == nil
	}
	full := silent == nil && len(c.all) >= 2*c.limit
	if !full {
		delete(c.all, silent)
		c.all[n] = struct{}{}
		c.out.Add(1)
	}
	c.mu.Unlock()
	if silent != nil {
		_ = silent.Close()
	}
	if full {
		return nil
	}
	return n
}

// silent is the connection that has been silent for longest; nil if none is.
func (c *conns) silent() (oldest *conn) {
	for n := range c.all {
		if !n.serving && (oldest == nil || n.since.Before(oldest.since)) {
			oldest = n
		}
	}
	return oldest
}

// wait returns when every connection is closed.
func (c *conns) wait() { c.out.Wait() }

// serve says that a request is being served, or was.
func (n *conn) serve(now bool) {
	n.owner.mu.Lock()
	defer n.owner.mu.Unlock()
	n.serving, n.since = now, time.Now()
}

// Close closes the connection and gives its place away.
func (n *conn) Close() error {
	err := n.Conn.Close()
	n.closed.Do(func() {
		n.owner.mu.Lock()
		delete(n.owner.all, n)
		n.owner.mu.Unlock()
		n.owner.out.Done()
	})
	return err
}

// CloseWrite lets net/http end an answer to a client that still sends, so that the
// client can read it.
func (n *conn) CloseWrite() error {
	if u, ok := n.Conn.(*net.UnixConn); ok {
		return u.CloseWrite()
	}
	return nil
}

type connKey struct{}

func withConn(ctx context.Context, c net.Conn) context.Context {
	return context.WithValue(ctx, connKey{}, c)
}

// connOf is the connection of a request; nil for one that came another way.
func connOf(ctx context.Context) *conn {
	c, _ := ctx.Value(connKey{}).(*conn)
	return c
}
