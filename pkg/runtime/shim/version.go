package shim

import (
	"fmt"
	"slices"
)

// A shim outlives many brains, and an upgrade replaces the brain only: the two
// are of one version on the day of an installation and seldom later. Three things
// keep them together. A field that may be missing, and a word that may be ignored,
// changes nothing. What a shim can do beyond that it says in its greeting, as
// capabilities, and a brain asks before it relies on one. Only a change that the
// other side would misunderstand makes a new version of the protocol, and each
// side speaks a range of those.
//
// The shims of the first release knew one version, refused every other, and ask for
// it in hello.Protocol; they have no capability.
const (
	minProtocol = 2
	maxProtocol = 2
)

// Protocols is a range of protocol versions.
type Protocols struct {
	Min int `json:"min"`
	Max int `json:"max"`
}

// ours are the versions that this program speaks, as brain and as shim.
var ours = Protocols{Min: minProtocol, Max: maxProtocol}

// common is the newest version of both ranges; false if there is none.
func (p Protocols) common(o Protocols) (int, bool) {
	newest := min(p.Max, o.Max)
	return newest, newest >= max(p.Min, o.Min)
}

func (p Protocols) String() string {
	if p.Min == p.Max {
		return fmt.Sprintf("protocol %d", p.Max)
	}
	return fmt.Sprintf("protocols %d to %d", p.Min, p.Max)
}

// hello says which versions a brain speaks. A shim of the first release compares
// Protocol and knows no range: there stands the oldest.
type hello struct {
	Protocol  int        `json:"protocol"`
	Protocols *Protocols `json:"protocols,omitempty"` // nil: Protocol only
}

func newHello(speaks Protocols) *hello { return &hello{Protocol: speaks.Min, Protocols: &speaks} }

func (h hello) speaks() Protocols {
	if h.Protocols != nil {
		return *h.Protocols
	}
	return Protocols{h.Protocol, h.Protocol}
}

// Capability names something that a shim can do and one before it could not.
type Capability string

// The capabilities. Who adds one adds it to capabilities too.
const (
	// VersionedTable: the table says its version, and one that is too new for a
	// shim is left alone by it.
	VersionedTable Capability = "versioned_table"

	// NotifyPath: each child that uses sd_notify has a socket with a path, to which
	// its user and root can send, and nobody else.
	NotifyPath Capability = "notify_path"

	// CleanStart: a start begins from the state that docs/manifest.md names, whatever
	// the shim has inherited.
	CleanStart Capability = "clean_start"

	// RegularFiles: nothing is opened in the place of a child's program but a file.
	RegularFiles Capability = "regular_files"

	// Heartbeat: it answers a Ping.
	Heartbeat Capability = "heartbeat"

	// RealTimeSignals: it knows SIGRTMIN+3 and its like.
	RealTimeSignals Capability = "real_time_signals"

	// OutputTold: it tells when the output of a child cannot be written, and drops it
	// then where the child's manifest wants that.
	OutputTold Capability = "output_told"
)

// capabilities are those of this program's shim, with what a shim without one
// does, for people.
var capabilities = []struct {
	name    Capability
	without string
}{
	{VersionedTable, "takes a table that a newer version wrote for one of its own"},
	{NotifyPath, "listens to its children at abstract sockets, to which every user of the machine can send"},
	{CleanStart, "gives children the signals, umask and limits that the reconciler had when it started the shim"},
	{RegularFiles, "opens the program of a child before each start, whatever a link in its place leads to"},
	{Heartbeat, "is not asked whether it still answers, and is noticed to hang only when the kernel says that it is stopped"},
	{RealTimeSignals, "cannot send SIGRTMIN+3 and its like: a stop that begins with one waits for its time-out, and then kills"},
	{OutputTold, "does not say when a full disk keeps the output of a child waiting, and drops none (logs.when_full)"},
}

func ownCapabilities() []Capability {
	var all []Capability
	for _, c := range capabilities {
		all = append(all, c.name)
	}
	return all
}

// Can reports whether the shim said that it has a capability.
func (i Info) Can(c Capability) bool { return slices.Contains(i.Capabilities, c) }

// Lacks are the capabilities that this program's shim would have and this one, of
// an older version, has not. What relies on one of them does not happen as long as
// this shim lives, and must be told to whoever asked for it.
func (i Info) Lacks() []Capability {
	return slices.DeleteFunc(ownCapabilities(), i.Can)
}

// Without says what a shim that lacks the capability does instead, as the
// predicate of a sentence.
func (c Capability) Without() string {
	for _, known := range capabilities {
		if known.name == c {
			return known.without
		}
	}
	return "does not know " + string(c)
}
