package machine

import (
	"slices"
	"time"

	"github.com/reconciler-dev/reconciler/pkg/runtime/child"
)

// runtimeItself is who asks for what no person and no manifest asked for.
const runtimeItself = "runtime"

// outbox collects what the steps since the last Ready left to do.
type outbox struct {
	unsaved []*state // those with the mark, gone ones included
	effects []Effect
	changed []child.ID
	facts   []Fact
	replies []Reply
}

// Ready takes what all steps since the last Ready left to do.
func (t *Tree) Ready() Ready {
	r := Ready{
		Records: t.records(),
		Effects: t.out.effects,
		Changed: t.out.changed,
		Facts:   t.out.facts,
		Replies: t.out.replies,
	}
	for _, id := range r.Changed {
		if s, ok := t.children[id]; ok {
			s.changed = false
		}
	}
	slices.Sort(r.Changed)
	r.Changed = slices.Compact(r.Changed)
	t.out = outbox{}
	return r
}

// records are the newest images of all children whose durable state changed.
func (t *Tree) records() []Record {
	if len(t.out.unsaved) == 0 {
		return nil
	}
	newest := make(map[child.ID]*state, len(t.out.unsaved)) // a child may be gone and come again
	for _, s := range t.out.unsaved {
		newest[s.id] = s
	}
	recs := make([]Record, 0, len(newest))
	for _, s := range t.out.unsaved {
		if s.unsaved && newest[s.id] == s {
			recs = append(recs, t.record(s))
		}
		s.unsaved, s.sync = false, false
	}
	return recs
}

// publish says that the snapshot of a child changed.
func (t *Tree) publish(s *state) {
	s.updatedAt = t.wall
	if !s.changed {
		s.changed = true
		t.out.changed = append(t.out.changed, s.id)
	}
}

// save says that the durable state of a child changed.
func (t *Tree) save(s *state) {
	if !s.unsaved {
		s.unsaved = true
		t.out.unsaved = append(t.out.unsaved, s)
	}
	t.touch(s)
}

// saveSync is save for an operator's intent, which must survive a loss of power.
func (t *Tree) saveSync(s *state) {
	t.save(s)
	s.sync = true
}

// emit asks for an effect. While nobody could carry it out it is dropped:
// Adopted asks again for whatever is still wanted then.
func (t *Tree) emit(e Effect) {
	if t.connected {
		t.out.effects = append(t.out.effects, e)
	}
}

func (t *Tree) signal(key child.Key, name string) {
	t.emit(Signal{Key: key, Signal: name, Tree: true})
}

func (t *Tree) fact(s *state, kind FactKind, reason string) *Fact {
	if t.out.facts == nil {
		t.out.facts = make([]Fact, 0, 4) // most steps that tell something tell two to four things
	}
	t.out.facts = append(t.out.facts, Fact{
		Kind: kind, Child: s.id, Generation: s.generation, Attempt: s.attempt, PID: s.live.pid, Reason: reason,
		Correlation: s.about(),
	})
	return &t.out.facts[len(t.out.facts)-1]
}

func (t *Tree) factBy(s *state, kind FactKind, cause child.Cause) {
	t.fact(s, kind, cause.Reason).Cause = cause
}

func (t *Tree) treeFact(kind FactKind, reason string) {
	t.out.facts = append(t.out.facts, Fact{Kind: kind, Reason: reason, Correlation: t.correlation})
}

func (t *Tree) reply(r Reply) { t.out.replies = append(t.out.replies, r) }

// wallOf is what the wall clock shows at an instant, seen from now.
func (t *Tree) wallOf(at Instant) time.Time {
	return t.wall.Add(time.Duration(at - t.now))
}

// momentOf is the reverse, for a time that was recorded: no earlier than now,
// and no later than limit from now, however the wall clock was set meanwhile.
func (t *Tree) momentOf(wall time.Time, limit time.Duration) moment {
	return t.in(min(max(wall.Sub(t.wall), 0), max(limit, 0)))
}
