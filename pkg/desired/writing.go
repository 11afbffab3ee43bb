package desired

import (
	"fmt"
	"slices"
	"time"
)

// beingWritten remembers that somebody has x open for writing. What it declared
// before stays in force however long, since half a file is none.
func (r *reader) beingWritten(x *file) {
	if x.open.IsZero() {
		x.open, r.changed = r.now, true
	}
	x.closed = r.now // not before now
}

// askAgain is how long to wait with the next question whether x is complete. Nothing
// tells when a writer closes, so it is asked every 50 ms at first and later when a
// tenth more of the time has passed, up to a second: a file that somebody keeps open
// costs a read each second.
func (r *reader) askAgain(x *file) time.Duration {
	if x.open.IsZero() {
		return r.timing.Written
	}
	return min(max(r.now.Sub(x.open)/10, r.timing.Written), time.Second)
}

// complete notes how the content of x, which is new, came to stand there, and when.
func (r *reader) complete(x *file, whole bool) {
	x.inPlace = !whole
	if at := changeTime(x.ident, r.now); at.After(x.closed) { // else it was seen open later
		x.closed = at
	}
}

// writers are the files of f and below that somebody has had open for writing for
// longer than t.Staying, and when to look again for the others.
func (f *folder) writers(now time.Time, t Timing) (staying []*file, again time.Time) {
	if f.again.IsZero() {
		return nil, never // nothing in it waits
	}
	for _, x := range f.files {
		switch {
		case x.open.IsZero():
		case x.stays(now, t):
			staying = append(staying, x)
		default:
			again = earlier(again, x.open.Add(t.Staying))
		}
	}
	for _, sub := range f.folders {
		more, at := sub.writers(now, t)
		staying, again = append(staying, more...), earlier(again, at)
	}
	return staying, again
}

// stays reports whether somebody has had x open for writing for too long.
func (x *file) stays(now time.Time, t Timing) bool {
	return !x.open.IsZero() && !now.Before(x.open.Add(t.Staying))
}

// unsettled reports whether time will change something in f or below that is worth
// waiting for: not the end of a writer who stays.
func (f *folder) unsettled(now time.Time, t Timing) bool {
	if f == nil || f.again.IsZero() {
		return false
	}
	return slices.ContainsFunc(f.files, func(x *file) bool { return !x.again.IsZero() && !x.stays(now, t) }) ||
		slices.ContainsFunc(f.folders, func(sub *folder) bool { return sub.unsettled(now, t) })
}

// tellDropped says which children are gone from a file that was written in place a
// moment ago: scripts write a file in pieces, and open it anew for each.
func (m *merger) tellDropped() {
	if len(m.dropped) == 0 {
		return
	}
	m.next.Stalls = append(m.next.Stalls, Stall{Reason: StallDropped, Held: m.dropped, Message: fmt.Sprintf(
		"%s: gone from a file that was written in place; removed %v after it was closed, unless they are back (at once: reconciler reconcile --confirm-removals)",
		names(m.dropped, 10), m.policy.Timing.Dropped)})
}

// tellWriters says which files are not read because somebody does not close them.
func (m *merger) tellWriters() {
	staying, again := m.top.writers(m.policy.Now, m.policy.Timing)
	m.next.again = earlier(m.next.again, again)
	if len(staying) == 0 {
		return
	}
	paths := make([]string, len(staying))
	for i, x := range staying {
		paths[i] = x.path
	}
	m.next.Stalls = append(m.next.Stalls, Stall{Reason: StallBeingWritten, Message: fmt.Sprintf(
		"%s: somebody has it open for writing for more than %v, so it is not read and what it declared before stays (fuser -v FILE says who)",
		names(paths, 10), m.policy.Timing.Staying)})
}
