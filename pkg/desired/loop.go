package desired

import (
	"context"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/reconciler-dev/reconciler/pkg/runtime/child"
)

// pollEvery is the time between two whole looks where events cannot be had: no
// inotify instance left (128 for a user, by default), or a network file system.
const pollEvery = time.Second

// maxRounds bounds how often in a row new folders make the loop look again at
// once: somebody may make them faster than they are watched.
const maxRounds = 8

// loop is a Source that runs.
type loop struct {
	*Source
	watch *watch
	scan  Scan
	dirt  *dirt // what to look at next

	rearm     bool // what must be watched has changed
	rounds    int
	confirmed map[child.ID]bool
	told      map[string]bool // what was logged and still holds

	settling   []chan struct{} // callers of Settle, each to be closed
	refreshing []chan struct{} // callers of Refresh

	ended time.Time     // of the last look
	took  time.Duration // the last look
}

// look reads what is dirty or due, and publishes what follows from it.
func (l *loop) look() {
	began := time.Now()
	r := l.reader(began)
	last := l.Current()
	l.scan = r.read(l.scan, l.dirt)
	l.rearm = l.rearm || r.moved
	if r.changed || !last.Complete || l.confirmed != nil || due(last.again, r.now) || len(l.refreshing) > 0 {
		p := l.policy(r.now)
		p.Confirmed = l.confirmed
		next := Merge(last, l.scan, p)
		l.publish(last, next)
		if ids := next.takenOver(p.Requests); len(ids) > 0 && l.options.TakenOver != nil {
			l.options.TakenOver(ids)
		}
	}
	for _, caller := range l.refreshing {
		close(caller)
	}
	l.refreshing = nil
	l.ended = time.Now()
	l.took = l.ended.Sub(began)
}

func (l *loop) publish(last, next *Set) {
	l.current.Store(next)
	maps.DeleteFunc(l.confirmed, func(id child.ID, _ bool) bool {
		_, there := next.Get(id)
		return !there || next.missing[id].IsZero()
	})
	if len(l.confirmed) == 0 {
		l.confirmed = nil
	}
	if sameSet(last, next) {
		return
	}
	l.tell(next)
	fill(l.changes)
}

// arm watches what is there now, and returns what must be looked at again because
// it may have changed before it was watched; nil if nothing.
func (l *loop) arm() *dirt {
	if !l.rearm && !l.watch.incomplete() {
		l.rounds = 0
		return nil
	}
	fresh := l.watch.arm(l.scan)
	l.rearm = false
	if l.rounds++; fresh == nil || l.rounds > maxRounds {
		l.rearm, l.rounds = fresh != nil, 0
		return nil
	}
	return fresh
}

// release tells the callers of Settle, unless time will still change something.
func (l *loop) release() {
	if !l.Current().again.IsZero() || l.scan.top.unsettled(time.Now(), l.options.Timing) {
		return
	}
	for _, caller := range l.settling {
		close(caller)
	}
	l.settling = nil
}

// wait waits until there is something to look at; false when ctx has ended.
func (l *loop) wait(ctx context.Context, rescan <-chan time.Time) bool {
	l.release()
	timer := time.NewTimer(l.patience())
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-l.watch.pump.wake:
		// One change is looked at once; of many that come together, each look takes
		// as many as it can: no more than half of the time is spent on looking.
		if !rest(ctx, l.took-time.Since(l.ended)) {
			return false
		}
		l.dirt = l.watch.take()
	case <-rescan:
		l.watch.reopen()
		l.watch.forget(l.options.Rescan)
		l.dirt, l.rearm = everything(), true
	case <-l.rescan:
		l.dirt, l.rearm = everything(), true
	case <-l.confirm:
		l.confirmAll()
	case caller := <-l.Source.settle:
		l.settling = append(l.settling, caller)
		l.dirt, l.rearm = everything(), true
	case caller := <-l.refreshes:
		l.dirt, l.refreshing = nil, append(l.refreshing, caller)
	case t := <-l.tries:
		l.dirt = nil
		t.result <- tryRequest(l.Current(), l.scan, l.policy(time.Now()), t.request)
	case <-timer.C:
		l.dirt = l.whatIsDue()
	}
	return true
}

// rest lets d pass; false if ctx ended before.
func rest(ctx context.Context, d time.Duration) bool {
	if d <= 0 {
		return true
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}

// patience is how long nothing but an event can change anything.
func (l *loop) patience() time.Duration {
	now := time.Now()
	next := earlier(now.Add(l.options.Rescan), l.Current().again)
	if l.scan.top != nil {
		next = earlier(next, l.scan.top.again)
	}
	if l.rearm {
		next = earlier(next, now.Add(l.options.Timing.Vanished))
	}
	if l.watch.polls() {
		next = earlier(next, now.Add(pollEvery))
	}
	return max(0, next.Sub(now))
}

// whatIsDue is what the passing of time makes dirty. Files that wait know it
// themselves; before a manifest counts as gone, its folder is looked at once more.
func (l *loop) whatIsDue() *dirt {
	if l.watch.polls() {
		return everything()
	}
	d := &dirt{}
	for id := range l.Current().missing {
		d.at(string(id.Folder())).whole = true
	}
	return d
}

// confirmAll takes what is held at this moment as confirmed.
func (l *loop) confirmAll() {
	l.dirt = nil
	if l.scan.top == nil {
		return
	}
	for _, s := range l.Current().Stalls {
		if s.Reason == StallUnreadable {
			continue
		}
		for _, id := range s.Held {
			if l.confirmed == nil {
				l.confirmed = map[child.ID]bool{}
			}
			l.confirmed[id] = true
		}
	}
}

// tell logs what is new about problems and stalls, each once, and when it is over.
func (l *loop) tell(set *Set) {
	log, now := l.options.Log, map[string]bool{}
	for _, p := range set.Problems {
		key := p.String()
		if now[key] = true; !l.told[key] {
			log.Info("manifest problem", "file", p.File, "line", p.Line, "column", p.Column, "child", string(p.Child), "problem", key)
		}
	}
	for _, w := range set.Warnings {
		key := w.String()
		if now[key] = true; !l.told[key] {
			log.Info("manifest warning", "file", w.File, "warning", key)
		}
	}
	if late := set.Late; late.Reason != "" {
		if now[late.Message] = true; !l.told[late.Message] {
			log.Info("changes of the manifests are seen late", "reason", late.Reason, "message", late.Message)
		}
	}
	for _, s := range set.Stalls {
		key := s.Reason + ": " + s.Message
		if now[key] = true; !l.told[key] {
			log.Info("desired state is not followed to the letter", "reason", s.Reason, "message", s.Message)
		}
	}
	for _, key := range slices.Sorted(maps.Keys(l.told)) {
		if !now[key] {
			log.Info("manifest problem is gone", "problem", key)
		}
	}
	l.told = now
}

// sameSet reports whether two sets look the same from outside.
func sameSet(a, b *Set) bool {
	return a.Complete == b.Complete && a.Revision == b.Revision && a.Late == b.Late && len(a.missing) == len(b.missing) &&
		slices.EqualFunc(a.Entries, b.Entries, sameEntry) &&
		slices.Equal(a.Problems, b.Problems) && slices.Equal(a.Warnings, b.Warnings) &&
		slices.EqualFunc(a.Stalls, b.Stalls, func(x, y Stall) bool {
			return x.Reason == y.Reason && x.Message == y.Message && slices.Equal(x.Held, y.Held)
		})
}

func sameEntry(a, b Entry) bool {
	return a.ID == b.ID && a.Spec == b.Spec && a.Origin == b.Origin && a.Held == b.Held && slices.Equal(a.Problems, b.Problems)
}

func compareEntries(a, b Entry) int { return strings.Compare(string(a.ID), string(b.ID)) }
