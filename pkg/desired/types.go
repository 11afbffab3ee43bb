package desired

import (
	"fmt"
	"strings"
	"time"

	"github.com/reconciler-dev/reconciler/pkg/runtime/child"
)

// Problem is one thing that is wrong with the desired state: where, what, and
// what to do about it. Line and Column count from 1; 0 means the whole file, an
// empty File the whole directory.
type Problem struct {
	File     string   `json:"file"` // relative to the manifests directory, with forward slashes
	Line     int      `json:"line"`
	Column   int      `json:"column"`
	Document int      `json:"document,omitempty"` // from 1
	Field    string   `json:"field"`              // path of the field: "environment[1].value"
	Child    child.ID `json:"child_id,omitempty"` // whose manifest it is, where that is known
	Reason   string   `json:"reason"`             // what is wrong, for people
	Hint     string   `json:"hint"`               // what to do, for people; may be empty
}

// String is the problem on one line: "payments/worker.yaml:7:3: restart_policy:
// "always" is not a policy (did you mean permanent?)".
func (p Problem) String() string {
	var b strings.Builder
	if p.File != "" {
		b.WriteString(p.File)
		if p.Line > 0 {
			fmt.Fprintf(&b, ":%d:%d", p.Line, max(p.Column, 1))
		}
		b.WriteString(": ")
	}
	if p.Field != "" {
		b.WriteString(p.Field + ": ")
	}
	b.WriteString(p.Reason)
	if p.Hint != "" {
		b.WriteString(" (" + p.Hint + ")")
	}
	return b.String()
}

// Manifest is one decoded, valid document, before it is placed into the tree:
// its names are still relative to its folder and its defaults still its own.
type Manifest struct {
	Name     string
	File     string   // relative to the manifests directory
	Document int      // from 1
	Line     int      // where the document begins
	request  child.ID // whose request it is; "": it stands in a file
	fields   manifestFields
	pos      positions // line and column of every field, by path
}

// Entry is one child of the desired state.
type Entry struct {
	ID     child.ID
	Spec   *child.Spec
	Origin child.Origin

	// Problems are those of the file that should declare this child. They are
	// not empty when Spec is the last valid one and the file is broken now.
	Problems []Problem

	// Held is the reason of the stall because of which this child stays although no
	// manifest declares it any more; "": one does, or it stays for another reason.
	Held string
}

// Stall says why the desired state is not followed to the letter now.
type Stall struct {
	Reason  string     `json:"reason"` // one of those below
	Message string     `json:"message"`
	Held    []child.ID `json:"held,omitempty"` // children whose removal is held
}

// The reasons of a stall.
const (
	StallEmptySource     = "EmptySource"
	StallTooManyRemovals = "TooManyRemovals"
	StallUnreadable      = "SourceUnreadable" // a folder: its children are kept
	StallBeingWritten    = "BeingWritten"     // a file that somebody does not close
	StallDropped         = "DroppedInPlace"   // gone from a file that was written in place a moment ago
)

// Set is the whole desired state at one moment. It is immutable once published.
type Set struct {
	Entries  []Entry // sorted by ID
	Problems []Problem
	Warnings []Problem // no mistakes, but perhaps not what was meant: files that are not read
	Stalls   []Stall
	Late     Late   // changes are not seen at once
	Revision string // of the source, where it has one
	Complete bool   // a whole look at the directory was taken since the start

	// What the next Merge wants to know of this one.
	items     map[child.ID]*item     // Entries, and what they were made from
	folders   map[child.ID]*Manifest // the documents in force of supervisors
	missing   map[child.ID]time.Time // children that are gone but may come back, and since when
	held      map[child.ID]bool      // children whose removal was held; they stay until they are back or confirmed
	refilling bool                   // the source was empty, and is not known to be whole again
	again     time.Time              // when time alone may change this; zero: never
}

// Unseen are the children of which this set cannot say what they should be: nobody
// has looked, what should declare them cannot be read, or their manifest is gone and
// it is not decided that this counts. nil: there are none.
func (s *Set) Unseen() map[child.ID]bool {
	unseen := map[child.ID]bool{}
	for id := range s.missing {
		unseen[id] = true
	}
	for _, stall := range s.Stalls {
		for _, id := range stall.Held {
			unseen[id] = true
		}
	}
	if !s.Complete {
		for i := range s.Entries {
			unseen[s.Entries[i].ID] = true
		}
	}
	if len(unseen) == 0 {
		return nil
	}
	return unseen
}

// Awaited reports whether the manifest of a child is gone, and it is not decided yet
// that this counts.
func (s *Set) Awaited(id child.ID) bool { return !s.missing[id].IsZero() }

// AwaitsAny reports whether there is a child that is Awaited.
func (s *Set) AwaitsAny() bool { return len(s.missing) > 0 }

// Get is the entry of id.
func (s *Set) Get(id child.ID) (Entry, bool) {
	lo, hi := 0, len(s.Entries)
	for lo < hi {
		mid := int(uint(lo+hi) >> 1)
		if s.Entries[mid].ID < id {
			lo = mid + 1
		} else {
			hi = mid
		}
	}
	if lo < len(s.Entries) && s.Entries[lo].ID == id {
		return s.Entries[lo], true
	}
	return Entry{}, false
}
