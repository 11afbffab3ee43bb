package child

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
)

// MaxDepth is how many segments an ID may have: 32 levels of folders.
const MaxDepth = 32

// MaxNameLength is the length of one segment of an ID, in bytes.
const MaxNameLength = 63

// RootSupervisor is the ID of the supervisor of the manifests directory itself.
const RootSupervisor ID = "root"

var nameRE = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_-]*$`)

// ID names a child within one runtime: the folders it stands in and its name,
// joined by slashes, such as "payments/worker".
type ID string

// ParseID checks that s is a well-formed ID: 1 to MaxDepth names joined by "/".
func ParseID(s string) (ID, error) {
	segments := strings.Split(s, "/")
	if len(segments) > MaxDepth {
		return "", fmt.Errorf("child id %.80q has %d levels; at most %d are allowed", s, len(segments), MaxDepth)
	}
	for _, name := range segments {
		if err := CheckName(name); err != nil {
			return "", fmt.Errorf("child id %.80q: %w", s, err)
		}
	}
	return ID(s), nil
}

// CheckName says why name cannot be the name of a child or a folder; nil if it can.
func CheckName(name string) error {
	switch {
	case name == "":
		return fmt.Errorf("the name is empty")
	case len(name) > MaxNameLength:
		return fmt.Errorf("the name %.80q has %d characters; at most %d are allowed", name, len(name), MaxNameLength)
	case !nameRE.MatchString(name):
		return fmt.Errorf("the name %q must begin with a letter or _ and hold only letters, digits, _ and -", name)
	}
	return nil
}

// Join is the ID of name in folder; folder "" is the root.
func Join(folder ID, name string) ID {
	if folder == "" {
		return ID(name)
	}
	return folder + "/" + ID(name)
}

// Name is the last segment of the ID.
func (id ID) Name() string {
	return string(id[strings.LastIndexByte(string(id), '/')+1:])
}

// Folder is the ID without its last segment; "" for a child of the root.
func (id ID) Folder() ID {
	return id[:max(0, strings.LastIndexByte(string(id), '/'))]
}

// Path is the ID as an absolute path, such as "/payments/worker".
func (id ID) Path() string { return "/" + string(id) }

// Generation is the fencing epoch of a child: 0 for its first attempt, one more
// for each later one. A report of an older generation changes nothing.
type Generation uint64

// Attempt counts the starts of a child, from 1. 0 means: never started.
type Attempt uint64

// Key names one attempt for ever. Incarnation tells two children apart that had
// the same ID one after the other (removed, then added again): the runtime gives
// every added child a number that it never gave before.
//
// A key with a Role names a process beside the main one of that attempt: a hook
// or an exec probe. Run tells those of one role apart, from 1.
type Key struct {
	ID          ID         `json:"id"`
	Incarnation uint64     `json:"incarnation"`
	Generation  Generation `json:"generation"`
	Role        Role       `json:"role,omitempty"`
	Run         uint64     `json:"run,omitempty"`
}

// Role is what a process of an attempt is for.
type Role string

// The roles. At most one process of each role of a child lives at any time.
const (
	Main           Role = "" // the child itself
	PreStart       Role = "pre_start"
	PostStart      Role = "post_start"
	PreStop        Role = "pre_stop"
	PostStop       Role = "post_stop"
	LivenessProbe  Role = "liveness"
	ReadinessProbe Role = "readiness"
)

// IsHook reports whether r is one of the hooks of a manifest.
func (r Role) IsHook() bool {
	return r == PreStart || r == PostStart || r == PreStop || r == PostStop
}

// IsProbe reports whether r is a probe that is a command.
func (r Role) IsProbe() bool { return r == LivenessProbe || r == ReadinessProbe }

// Attempt is the key of the main process of k's attempt.
func (k Key) Attempt() Key {
	k.Role, k.Run = Main, 0
	return k
}

// IsZero reports whether k names no attempt.
func (k Key) IsZero() bool { return k == Key{} }

// OlderThan reports whether k was issued before o. Only keys of one ID and one
// role compare; those of two roles are put into some order.
func (k Key) OlderThan(o Key) bool {
	switch {
	case k.Incarnation != o.Incarnation:
		return k.Incarnation < o.Incarnation
	case k.Generation != o.Generation:
		return k.Generation < o.Generation
	case k.Role != o.Role:
		return k.Role < o.Role
	}
	return k.Run < o.Run
}

// String is the key for logs and file names of people: "payments/worker#7.3" is
// generation 3 of incarnation 7, "payments/worker#7.3:pre_stop.1" its first hook
// of that role.
func (k Key) String() string {
	b := make([]byte, 0, len(k.ID)+48) // every exit asks: by hand it is one allocation
	b = append(append(b, k.ID...), '#')
	b = append(strconv.AppendUint(b, k.Incarnation, 10), '.')
	b = strconv.AppendUint(b, uint64(k.Generation), 10)
	if k.Role != Main {
		b = append(append(append(b, ':'), k.Role...), '.')
		b = strconv.AppendUint(b, k.Run, 10)
	}
	return string(b)
}

// ParseKey reads what String writes.
func ParseKey(s string) (Key, bool) {
	i := strings.LastIndexByte(s, '#')
	if i < 0 {
		return Key{}, false
	}
	k := Key{ID: ID(s[:i])}
	numbers, beside, hasRole := strings.Cut(s[i+1:], ":")
	var generation uint64
	if _, err := fmt.Sscanf(numbers, "%d.%d", &k.Incarnation, &generation); err != nil {
		return Key{}, false
	}
	k.Generation = Generation(generation)
	if hasRole {
		role, run, _ := strings.Cut(beside, ".")
		k.Role = Role(role)
		if _, err := fmt.Sscanf(run, "%d", &k.Run); err != nil {
			return Key{}, false
		}
	}
	return k, k.String() == s
}
