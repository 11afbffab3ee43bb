package desired

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/reconciler-dev/reconciler/pkg/runtime/child"
)

// MaxChildren is how many children one manifests directory may declare.
const MaxChildren = 10_000

// Policy says how careful Merge is. Its zero value follows the directory as it is
// at this moment, but for what the contract never does: a broken file, an empty
// look and a large removal still stop nothing.
type Policy struct {
	Now         time.Time
	Timing      Timing
	AllowEmpty  bool
	MaxRemovals MaxRemovals

	// Confirmed are children whose removal the operator has confirmed.
	Confirmed map[child.ID]bool

	// Requests are declared beside the directory.
	Requests []Request

	// Running tells the children that a large removal would hurt. It must answer
	// true for a child of which nothing is known yet. Nil: all run.
	Running func(child.ID) bool
}

// Merge is the desired state after a look at the directory: what seen declares,
// and from last what a mistake must not take away. It is the only place that
// decides what stays:
//
//   - the last valid manifest of a document that is broken, declared twice, part
//     of a cycle, or in a folder that cannot be read;
//   - a manifest that is gone, until its folder has been quiet for a while and
//     git is not at work: it may have been renamed;
//   - everything, if there is nothing left or the root is gone;
//   - what vanished in too large a number, until the operator confirms.
//
// last may be nil, or come from the runtime after a restart: then ID, Spec and
// Origin of each entry are enough, sorted by ID. Neither argument is changed; the result shares with
// last the specs that are still the same.
func Merge(last *Set, seen Scan, p Policy) *Set {
	if last == nil {
		last = &Set{}
	}
	m := newMerger(last, seen, p)
	if m.top == nil {
		return m.keepAll()
	}
	m.placed = place(m.top, m.inForce)
	stall := m.ask(m.keep())
	m.render()
	m.unchain()
	m.breakCycles()
	m.limit()
	m.addFolders()
	m.checkDependencies()
	m.checkSidecars()
	return m.finish(stall)
}

// merger is one merge under way.
type merger struct {
	last   *Set
	seen   Scan
	top    *folder
	policy Policy
	placed *placement

	requested map[child.ID]bool // ids of the requests

	before  map[child.ID]*item // last's
	entries map[child.ID]*item // the children so far; at the end the supervisors too
	kept    map[child.ID]*item // supervisors that stay although no document declares them
	chains  map[child.ID]chain // by folder, "" for the root
	hidden  []child.ID         // what stays because a folder cannot be read
	dropped []child.ID         // what stays because its file was written in place a moment ago
	next    Set
}

// item is an entry and where it comes from. It is immutable once it is in a Set,
// and shared by all Sets in which it is the same.
type item struct {
	Entry
	made *rendered // what Spec was made as; nil if it only stays, or has no document
}

func newMerger(last *Set, seen Scan, p Policy) *merger {
	m := &merger{
		requested: make(map[child.ID]bool, len(p.Requests)),
		last:      last, seen: seen, top: seen.top, policy: p,
		before:  last.items,
		entries: make(map[child.ID]*item, len(last.Entries)+1),
		kept:    map[child.ID]*item{},
		chains:  map[child.ID]chain{},
		next: Set{
			Complete: true,
			Late:     last.Late,
			folders:  map[child.ID]*Manifest{},
			missing:  map[child.ID]time.Time{},
			held:     map[child.ID]bool{},
		},
	}
	if m.before == nil { // it comes from elsewhere
		m.before = make(map[child.ID]*item, len(last.Entries))
		for _, e := range last.Entries {
			m.before[e.ID] = &item{Entry: e}
		}
	}
	if seen.missing && p.AllowEmpty {
		m.top = &folder{}
	}
	for _, r := range p.Requests {
		m.requested[r.ID] = true
	}
	if m.top != nil {
		m.top = withRequests(m.top, p.Requests)
	}
	return m
}

func (m *merger) inForce(id child.ID) *Entry {
	if e := m.before[id]; e != nil {
		return &e.Entry
	}
	return nil
}

// keepAll is the merge with a root that is not there or cannot be read.
func (m *merger) keepAll() *Set {
	next := *m.last
	next.Complete, next.missing, next.again = true, nil, never
	next.refilling = true
	m.withoutWithdrawn(&next)
	stall := Stall{Reason: StallEmptySource, Message: "there is no manifests directory; nothing is removed (create it, or run with --allow-empty)"}
	next.Problems = nil
	if m.seen.fault != nil {
		next.Problems = []Problem{*m.seen.fault}
		stall.Message = m.seen.fault.String() + "; nothing is removed"
		if m.policy.AllowEmpty {
			stall.Reason = StallUnreadable // it is not known to be empty
		}
	}
	for _, e := range next.Entries {
		if !e.Origin.ByRequest {
			stall.Held = append(stall.Held, e.ID)
		}
	}
	next.Stalls = []Stall{stall}
	return &next
}

// limit drops what is beyond the limit, new children first: by ID, from the end.
func (m *merger) limit() {
	over := len(m.entries) - MaxChildren
	if over <= 0 {
		return
	}
	var fresh []child.ID
	for id := range m.entries {
		if m.before[id] == nil {
			fresh = append(fresh, id)
		}
	}
	slices.Sort(fresh)
	for _, id := range fresh[max(0, len(fresh)-over):] {
		delete(m.entries, id)
		bad := Problem{Child: id, Reason: fmt.Sprintf("there are more than %d children", MaxChildren), Hint: "start a second reconciler with a directory of its own"}
		if d := m.placed.claims[id]; d != nil {
			bad = d.at("name", bad.Reason, bad.Hint)
		}
		m.next.Problems = append(m.next.Problems, bad)
	}
}

// checkDependencies reports those that are declared nowhere. Their dependants stay:
// they wait, or run on.
func (m *merger) checkDependencies() {
	exists := func(id child.ID) bool { _, ok := m.entries[id]; return ok }
	for id, e := range m.entries {
		if e.made == nil || len(e.Spec.Dependencies) == 0 {
			continue
		}
		d := e.made.document
		for _, dep := range d.Dependencies() {
			want := Resolve(dep.Name, id.Folder(), exists)
			if !exists(want) {
				m.next.Problems = append(m.next.Problems, d.problem(Problem{
					Line: dep.Line, Column: dep.Column, Field: dep.Field,
					Reason: fmt.Sprintf("%s is declared nowhere", want),
					Hint:   fmt.Sprintf("%s waits until it is", id),
				}))
			}
		}
	}
}

func (m *merger) finish(stall *Stall) *Set {
	next := &m.next
	next.items = m.entries
	next.Entries = m.sorted()
	next.Problems = append(next.Problems, m.placed.problems...)
	slices.SortFunc(next.Problems, compareProblems)
	next.Problems = slices.Compact(next.Problems)
	next.Warnings = m.top.warnings()
	if len(m.hidden) > 0 {
		slices.Sort(m.hidden)
		next.Stalls = append(next.Stalls, Stall{Reason: StallUnreadable, Held: m.hidden, Message: "a folder cannot be read; its children are kept: " + names(m.hidden, 10)})
	}
	if stall != nil {
		next.Stalls = append(next.Stalls, *stall)
	}
	m.tellDropped()
	m.tellWriters()
	if len(next.missing) == 0 {
		next.missing = nil
	}
	return next
}

// sorted are the entries by ID. Most of them were there before and are sorted
// already.
func (m *merger) sorted() []Entry {
	all := make([]Entry, 0, len(m.entries))
	var fresh []*item
	for _, e := range m.entries {
		if m.before[e.ID] == nil {
			fresh = append(fresh, e)
		}
	}
	slices.SortFunc(fresh, func(a, b *item) int { return compareEntries(a.Entry, b.Entry) })
	for _, old := range m.last.Entries {
		e := m.entries[old.ID]
		if e == nil {
			continue
		}
		for len(fresh) > 0 && fresh[0].ID < e.ID {
			all, fresh = append(all, fresh[0].Entry), fresh[1:]
		}
		all = append(all, e.Entry)
	}
	for _, e := range fresh {
		all = append(all, e.Entry)
	}
	return all
}

func compareProblems(a, b Problem) int {
	return cmp.Or(
		strings.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column),
		strings.Compare(a.Field, b.Field), strings.Compare(a.Reason, b.Reason), cmp.Compare(a.Child, b.Child),
	)
}
