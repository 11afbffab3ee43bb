package daemon

import (
	"golang.org/x/sys/unix"

	"github.com/reconciler-dev/reconciler/pkg/runtime/child"
)

const (
	// codeUnknown is for an end that nobody saw, and for a child that did not start.
	codeUnknown = 1

	// codeSignal is what shells and container runtimes add to a signal's number.
	codeSignal = 128
)

// exitCodeOf is how a program ends in place of its one child.
func exitCodeOf(e *child.Exit) int {
	if e == nil {
		return codeUnknown
	}
	number, realTime := child.RealTimeSignal(e.Signal)
	switch {
	case e.Code != nil:
		return *e.Code
	case realTime:
		return codeSignal + number
	case unix.SignalNum(e.Signal) > 0:
		return codeSignal + int(unix.SignalNum(e.Signal))
	}
	return codeUnknown
}
