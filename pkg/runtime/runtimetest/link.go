package runtimetest

import (
	"github.com/reconciler-dev/reconciler/pkg/runtime/child"
	"github.com/reconciler-dev/reconciler/pkg/runtime/machine"
)

// link is one connection between a brain and a shim: first in, first out each
// way, each frame as late as the scheduler likes.
type link struct {
	number int
	up     []machine.Effect // requests; what was sent survives its sender
	down   []machine.Event
	left   bool // the brain closed it, or died
	dead   bool // the shim closed it, or died
}

// keyOfEffect is what a request is about.
func keyOfEffect(e machine.Effect) child.Key {
	switch e := e.(type) {
	case machine.Start:
		return e.Key
	case machine.Signal:
		return e.Key
	case machine.Acknowledge:
		return e.Key
	}
	return child.Key{}
}

// cut breaks a connection in the middle: the brain still reads a part of what
// was on its way, the shim all that was sent to it.
func (s *sim) cut(l *link) {
	keep := s.rng.IntN(len(l.down) + 1)
	l.down = l.down[:keep]
	l.left = true
	s.logf("link %d is cut; %d events still arrive", l.number, keep)
	s.brain.receiveAll(l)
}
