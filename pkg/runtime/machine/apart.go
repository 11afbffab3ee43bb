package machine

import (
	"fmt"
	"strings"

	"github.com/reconciler-dev/reconciler/pkg/runtime/child"
)

// elsewhere stands where an old record may have words of others in a sentence of
// ours that has no place for them.
const elsewhere = "the journal says why"

// apart takes the words of others out of the sentences of a record of a version that
// mixed them, so that they are not shown to everybody who may read our sentences.
// Where it cannot be told whose words they are, they count as those of others.
func apart(r Record) Record {
	if r.Apart {
		return r
	}
	exits := make([]*child.Exit, 0, len(r.Exits))
	for _, e := range r.Exits {
		exits = append(exits, exitApart(*e))
	}
	r.Exits, r.Readiness, r.Liveness = exits, probeApart(r.Readiness), probeApart(r.Liveness)
	if r.Stopping != nil && r.Stopping.Unwell != "" {
		stopping := *r.Stopping
		stopping.Unwell, stopping.UnwellWords = "a probe or a deadline failed", child.Words(stopping.Unwell)
		stopping.Cause.Reason = stopping.Unwell
		r.Stopping = &stopping
	}
	if f := r.Failure; f != nil && f.Phase == "restart_limit" {
		failure := *f
		failure.Reason = firstPart(f.Reason)
		r.Failure = &failure
	}
	if p := r.PendingRestart; p != nil && p.Cause.RequestedBy == runtimeItself {
		pending := *p
		pending.Cause.Reason = elsewhere
		r.PendingRestart = &pending
	}
	if r.Hold != nil && r.Hold.RequestedBy == runtimeItself {
		hold := *r.Hold
		hold.Reason = firstPart(hold.Reason)
		r.Hold = &hold
	}
	if r.Group != nil {
		who, _, _ := strings.Cut(r.Group.Reason, " ") // "payments/db ended: …"
		r.Group = &GroupRecord{Of: r.Group.Of, Reason: who + " ended"}
	}
	return r
}

// firstPart is the limit that was used up, without how the last child ended.
func firstPart(reason string) string {
	limit, _, _ := strings.Cut(reason, "; ")
	return limit
}

func exitApart(e child.Exit) *child.Exit {
	ours := ""
	switch {
	case e.Kind == child.StartFailure:
		return &e // no process, no words
	case e.Kind == child.Cancelled:
		ours = "stopped"
	case e.Kind == child.TimedOut:
		ours = "a probe or a deadline ended it"
	case e.Kind == child.LostExit:
		ours = "ended while nobody could see"
	case e.Signal != "":
		ours = "killed by " + e.Signal
	case e.Code != nil:
		ours = fmt.Sprintf("exit code %d", *e.Code)
	default:
		ours = "it ended"
	}
	if e.Reason != ours {
		e.Reason, e.Words = ours, child.Words(e.Reason)
	}
	return &e
}

func probeApart(p *child.ProbeState) *child.ProbeState {
	if p == nil || p.Message == "" {
		return p
	}
	told := *p
	told.Message, told.Words = "it failed", child.Words(p.Message)
	return &told
}
