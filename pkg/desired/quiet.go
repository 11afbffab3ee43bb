package desired

import "time"

// Timing is how long the directory must be quiet before a change of it counts.
// The zero value is for a look without a past: everything counts at once.
type Timing struct {
	Written  time.Duration // a file written in place
	Vanished time.Duration // a manifest that is gone
	Dropped  time.Duration // a manifest that is gone from a file written in place, since it was closed
	Longest  time.Duration // the longest wait, however often a file changes
	Staying  time.Duration // a file that is open for writing for so long is told
}

// DefaultTiming is 50 ms for a file written in place, because editors and cp
// empty a file before they fill it; 250 ms for a manifest that is gone, because
// vim, git and others remove before they add, and 2 s if its file was written in
// place, because scripts write a file in pieces; 2 s at most for a file that keeps
// changing; and 5 s until somebody who does not close a file is told of.
func DefaultTiming() Timing {
	return Timing{
		Written: 50 * time.Millisecond, Vanished: 250 * time.Millisecond, Dropped: 2 * time.Second,
		Longest: 2 * time.Second, Staying: 5 * time.Second,
	}
}

// settled reports whether the present state of f counts now, whether it was put there
// as a whole, and if it does not count, when to look again. Everything is decided from what is seen, not from events, so that
// a lost event costs time and nothing else:
//
//   - A file that was renamed or linked into place counts at once. Either an
//     event said so, or its inode is new and its change time is later than its
//     modification time: writing sets both alike.
//   - Otherwise it counts when it was the same for t.Written: as we have seen,
//     or as its change time says, which no tool can set.
//   - It counts anyway when it kept on changing for t.Longest.
//
// A file that somebody has open for writing does not count however long: that is
// asked when it is read, see writing.go.
func settled(f, prev *file, placed bool, now time.Time, t Timing) (ok, whole bool, again time.Time) {
	if t.Written <= 0 || placed {
		return true, true, never
	}
	isNew := prev == nil || !prev.ident.sameObject(f.ident)
	if isNew && f.ident.size > 0 && f.ident.mtime < f.ident.ctime {
		return true, true, never
	}
	quiet := earlier(f.since, changeTime(f.ident, now)).Add(t.Written)
	if !now.Before(quiet) || !now.Before(f.waiting.Add(t.Longest)) {
		return true, false, never
	}
	return false, false, earlier(quiet, f.waiting.Add(t.Longest))
}

// changeTime is when the kernel saw the last change; now if that is in the
// future: a clock that was set back says nothing.
func changeTime(i identity, now time.Time) time.Time {
	if at := time.Unix(0, i.ctime); at.Before(now) {
		return at
	}
	return now
}

// young is until when the times of a file cannot tell its content from that of
// one more write: file times tick every 4 ms on many kernels, and slower on some
// file systems. Until then it must be looked at again. Zero: they can.
func young(i identity, now time.Time, t Timing) (until time.Time) {
	until = changeTime(i, now).Add(t.Written)
	if t.Written <= 0 || !now.Before(until) {
		return never
	}
	return until
}

// never is the zero time.
var never time.Time

// earlier is the earlier of two times; zero means never.
func earlier(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}

// due reports whether the time for another look has come.
func due(at, now time.Time) bool { return !at.IsZero() && !now.Before(at) }
