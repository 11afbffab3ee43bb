package desired

import (
	"path"
	"slices"
	"strings"
	"time"

	"github.com/reconciler-dev/reconciler/pkg/runtime/child"
)

// because says why an entry stays that no document declares.
type because int

const (
	isGone      because = iota // it does not stay
	isDisputed                 // several claim it
	isHiddenNow                // a folder cannot be read
	isBroken                   // its document cannot be taken as it is
	isAwaited                  // it may come back at any moment
	isDropped                  // likewise, and its file was written in place
)

// keep keeps what no document declares now, where that may be a mistake. It
// returns the other children, sorted: they vanished. A child that is protected is
// among the spared: it is not removed with its manifest, so nobody need ask.
func (m *merger) keep() (gone, spared []child.ID) {
	for i := range m.last.Entries {
		e := &m.last.Entries[i]
		if _, declared := m.placed.claims[e.ID]; declared {
			continue
		}
		if e.Origin.ByRequest {
			m.keepRequest(e)
			continue
		}
		if e.Spec.Kind == child.Supervisor && e.Origin.File == "" {
			continue // a folder without a document: it comes and goes with its children
		}
		why, problems := m.reason(e)
		if m.last.held[e.ID] {
			m.next.held[e.ID] = !m.policy.Confirmed[e.ID]
			if why == isAwaited || why == isDropped {
				why = isGone // it is asked for already
			}
		}
		held := ""
		switch {
		case why == isGone && e.Spec.Kind == child.Supervisor:
			continue
		case why == isGone && e.Spec.Protect:
			spared = append(spared, e.ID)
			continue
		case why == isGone:
			gone = append(gone, e.ID)
			continue
		case why == isHiddenNow:
			m.hidden = append(m.hidden, e.ID)
		case why == isDropped && !e.Spec.Protect:
			m.dropped, held = append(m.dropped, e.ID), StallDropped
		}
		m.hold(e.ID, problems, held)
	}
	return gone, spared
}

// stay puts into force again what was.
func (m *merger) stay(id child.ID, problems []Problem) { m.hold(id, problems, "") }

// hold puts into force again what was, and says which stall is the reason.
func (m *merger) hold(id child.ID, problems []Problem, stall string) {
	e := m.before[id]
	if e.made != nil || e.Held != stall || !slices.Equal(e.Problems, problems) {
		e = &item{Entry: e.Entry}
		e.Problems, e.Held = problems, stall
	}
	if e.Spec.Kind == child.Supervisor {
		m.kept[id] = e
	} else {
		m.entries[id] = e
	}
}

// reason says why e, which no document declares, stays, and the problems that are
// the cause.
func (m *merger) reason(e *Entry) (because, []Problem) {
	home := homeOf(e)
	if bad := m.placed.disputed[e.ID]; bad != nil && m.placed.wants(e) {
		return isDisputed, bad
	}
	if bad := m.closedAround(home); bad != nil {
		return isHiddenNow, bad
	}
	if bad := m.placed.named[e.ID]; bad != nil {
		return isBroken, bad
	}
	f := m.top.nearest(home)
	x := f.file(path.Base(e.Origin.File))
	if f.path != home {
		x = nil
	}
	if x != nil && x.waiting.IsZero() && len(m.placed.broken[x.path]) > 0 {
		return isBroken, m.placed.broken[x.path]
	}
	if m.policy.Confirmed[e.ID] {
		return isGone, nil
	}
	return m.mayComeBack(e.ID, f, x), nil
}

// wants reports whether those who dispute an ID want to be what e is: a child or a
// supervisor.
func (p *placement) wants(e *Entry) bool {
	rivals := p.rivals[e.ID]
	return rivals == nil || (rivals[0].Kind() == child.Supervisor) == (e.Spec.Kind == child.Supervisor)
}

// homeOf is the folder in which an entry is declared.
func homeOf(e *Entry) string {
	switch {
	case e.Origin.File != "":
		return strings.TrimPrefix(path.Dir("/"+e.Origin.File), "/")
	case e.Spec.Kind != child.Supervisor:
		return string(e.ID.Folder())
	case e.ID == child.RootSupervisor:
		return ""
	}
	return string(e.ID)
}

// closedAround are the problems of the folder that is not read, at home or above.
func (m *merger) closedAround(home string) []Problem {
	for len(m.placed.closed) > 0 && home != "" {
		if bad := m.placed.closed[home]; bad != nil {
			return bad
		}
		home = home[:max(0, strings.LastIndexByte(home, '/'))]
	}
	return nil
}

// mayComeBack says whether a manifest that is gone from f must be waited for, and
// remembers to look again. x is the file that declared it, if it is still there.
func (m *merger) mayComeBack(id child.ID, f *folder, x *file) because {
	t, now := m.policy.Timing, m.policy.Now
	if t.Vanished <= 0 {
		return isGone
	}
	since, known := m.last.missing[id]
	if !known {
		since = now
	}
	quiet, why := m.backBy(since, f), isAwaited
	switch {
	case x == nil:
	case !x.waiting.IsZero(): // what it declares is not known yet
		quiet = x.again
	case x.inPlace && x.closed.Add(t.Dropped).After(quiet):
		quiet, why = x.closed.Add(t.Dropped), isDropped
	}
	if !now.Before(quiet) {
		return isGone
	}
	m.next.missing[id] = since
	m.next.again = earlier(m.next.again, quiet)
	return why
}

// backBy is until when a manifest that is gone from f since then may come back
// elsewhere.
func (m *merger) backBy(since time.Time, f *folder) time.Time {
	t, now := m.policy.Timing, m.policy.Now
	wait, most := t.Vanished, t.Longest
	if f.isWritten() { // it may stand in the half that is not read yet
		most = max(most, t.Staying)
	}
	if m.last.refilling { // slow copies pause longer than editors do
		wait, most = t.Longest, 5*t.Longest
	}
	quiet, longest := f.lastChange().Add(wait), since.Add(most)
	if m.seen.missing {
		quiet = since.Add(wait)
	}
	switch {
	case m.seen.busy:
		quiet = now.Add(t.Vanished) // git tells nobody when it is done
	case f.waits() && quiet.Before(f.again):
		quiet = f.again
	}
	if !m.seen.busy {
		quiet = earlier(quiet, longest)
	}
	return quiet
}

// lastChange is when a name or a file of the folder last changed, as far as that
// is known.
func (f *folder) lastChange() time.Time {
	last := f.since
	for _, x := range f.files {
		if at := changeTime(x.ident, x.since); at.After(last) {
			last = at
		}
	}
	return last
}

// isWritten reports whether somebody has a file in f open for writing.
func (f *folder) isWritten() bool {
	return slices.ContainsFunc(f.files, func(x *file) bool { return !x.open.IsZero() })
}

// waits reports whether a file in f does not count yet.
func (f *folder) waits() bool {
	return slices.ContainsFunc(f.files, func(x *file) bool { return !x.waiting.IsZero() })
}
