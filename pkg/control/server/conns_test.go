package server

import (
	"net"
	"path/filepath"
	"testing"
	"time"
)

// emptyConns has room for n connections, of which a test makes as many as it likes.
func emptyConns(t *testing.T, n int) (c *conns, connect func(silentFor time.Duration, serving bool) *conn) {
	c = newConns(nil, n)
	c.identify = func(net.Conn) (peer, error) { return peer{uid: 4711}, nil }
	return c, func(silentFor time.Duration, serving bool) *conn {
		ours, theirs := net.Pipe()
		t.Cleanup(func() { _, _ = ours.Close(), theirs.Close() })
		made := c.admit(ours)
		if made != nil {
			made.serving, made.since = serving, made.since.Add(-silentFor)
		}
		return made
	}
}

func TestWhoIsSilentForLongestMakesWay(t *testing.T) {
	c, connect := emptyConns(t, 3)
	young, old, busy := connect(time.Second, false), connect(time.Minute, false), connect(time.Hour, true)

	late := connect(0, false)

	if late == nil || late.surplus {
		t.Fatalf("the fourth is %+v, want a place for it", late)
	}
	for who, n := range map[string]*conn{"the younger one": young, "the one that is served": busy, "the new one": late} {
		if _, there := c.all[n]; !there {
			t.Errorf("%s had to go", who)
		}
	}
	if _, there := c.all[old]; there {
		t.Error("the one that was silent for longest is still there")
	}
}

func TestThoseThatAreTooManyAreBoundedToo(t *testing.T) {
	_, connect := emptyConns(t, 2)
	for range 2 {
		if n := connect(0, true); n == nil || n.surplus {
			t.Fatalf("there is room, and it is %+v", n)
		}
	}
	for range 2 {
		if n := connect(0, true); n == nil || !n.surplus {
			t.Fatalf("all are served, and the next is %+v; want that it is told", n)
		}
	}

	if n := connect(0, true); n != nil {
		t.Errorf("the fifth is %+v, want none: it is not even told", n)
	}
}

func TestTheSocketOfAnotherStays(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	first, err := bind(path, -1)
	must(t, err)
	must(t, first.listener.Close())
	second, err := bind(path, -1)
	must(t, err)
	defer second.close()

	must(t, first.close())

	if err := answers(path); err != nil {
		t.Errorf("the socket of the second went with the first: %v", err)
	}
}
