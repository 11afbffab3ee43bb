package runtimetest

import (
	"fmt"

	"github.com/reconciler-dev/reconciler/pkg/runtime/machine"
)

// shown puts a value of the machine on one line of the trace. It is a Stringer,
// so that nothing is formatted while nobody traces.
type shown struct{ v any }

func show(v any) shown { return shown{v} }

// String is the line.
func (s shown) String() string {
	switch v := s.v.(type) {
	case machine.Command:
		return fmt.Sprintf("command %s: %s %s", v.ID, v.Verb, v.Child)
	case machine.Started:
		return fmt.Sprintf("started %s, pid %d", v.Key, v.PID)
	case machine.StartFailed:
		return fmt.Sprintf("start failed %s, busy %v: %s", v.Key, v.Busy, v.Reason)
	case machine.Exited:
		return "exited " + exitLine(v)
	case machine.Adopted:
		return adoptedLine(v)
	case machine.Detached:
		return "detached: " + v.Reason
	case machine.Ticked:
		return "ticked"
	case machine.Start:
		return "start " + v.Key.String()
	case machine.Signal:
		return fmt.Sprintf("signal %s to %s, tree %v", v.Signal, v.Key, v.Tree)
	case machine.Probe:
		return fmt.Sprintf("probe %d: %s of %s", v.Number, v.Role, v.Key)
	case machine.Probed:
		return fmt.Sprintf("probed %d: %s of %s, ok %v", v.Number, v.Role, v.Key, v.OK)
	case machine.Acknowledge:
		return "acknowledge " + v.Key.String()
	case machine.Record:
		return recordLine(v)
	}
	return fmt.Sprintf("%+v", s.v)
}

func exitLine(e machine.Exited) string {
	code := "none"
	if e.Code != nil {
		code = fmt.Sprint(*e.Code)
	}
	return fmt.Sprintf("%s, code %s, signal %q, lost %v", e.Key, code, e.Signal, e.Lost)
}

func adoptedLine(a machine.Adopted) string {
	line := "adopted"
	for _, p := range a.Processes {
		line += fmt.Sprintf(" [%s pid %d]", p.Key, p.PID)
	}
	for _, key := range a.Starting {
		line += fmt.Sprintf(" [%s starting]", key)
	}
	for _, e := range a.Exits {
		line += " [exit " + exitLine(e) + "]"
	}
	return line
}

func recordLine(r machine.Record) string {
	if r.Gone {
		return fmt.Sprintf("%s#%d is gone", r.ID, r.Incarnation)
	}
	line := fmt.Sprintf("%s#%d.%d %s %s", r.ID, r.Incarnation, r.Generation, r.Operation, r.Phase)
	if r.Stopping != nil {
		line += fmt.Sprintf(", stopping (%s, %s)", r.Stopping.Why, r.Stopping.Stage)
	}
	if n := len(r.Exits); n > 0 {
		line += fmt.Sprintf(", last exit generation %d %s", r.Exits[n-1].Generation, r.Exits[n-1].Kind)
	}
	return line
}
