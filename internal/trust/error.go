package trust

import (
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
)

// Error says what on the way to a path is not to be trusted.
type Error struct {
	Path   string // what was asked for
	Hop    string // what is not to be trusted: Path itself, or what leads to it
	Owner  uint32 // of the hop
	Other  bool   // it is the owner who is not trusted, not the mode
	Reason string // "belongs to deploy", "may be written by everybody (mode 0777)"
	Remedy string // what to do: mostly a command for a shell, run as root or as the owner
}

// Error is one line: what, why and the way out.
func (e *Error) Error() string {
	var b strings.Builder
	b.WriteString(e.Path)
	b.WriteString(" is not safe: ")
	if e.Hop != e.Path {
		b.WriteString(e.Hop)
		b.WriteByte(' ')
	} else {
		b.WriteString("it ")
	}
	b.WriteString(e.Reason)
	if e.Remedy != "" {
		b.WriteString(" (")
		b.WriteString(e.Remedy)
		b.WriteByte(')')
	}
	return b.String()
}

// userName is the name of a user of this machine, or its number.
func userName(uid uint32) string {
	id := strconv.FormatUint(uint64(uid), 10)
	if u, err := user.LookupId(id); err == nil {
		return u.Username
	}
	return "user " + id
}

// homeOf is the home of a user of this machine; empty where none is known, or one that
// is everybody's.
func homeOf(uid uint32) string {
	u, err := user.LookupId(strconv.FormatUint(uint64(uid), 10))
	if err != nil || !filepath.IsAbs(u.HomeDir) || filepath.Clean(u.HomeDir) == "/" {
		return ""
	}
	return filepath.Clean(u.HomeDir)
}

// below reports whether path is home or stands in it.
func below(path, home string) bool {
	return home != "" && (path == home || strings.HasPrefix(path, home+"/"))
}

// groupName is likewise.
func groupName(gid uint32) string {
	id := strconv.FormatUint(uint64(gid), 10)
	if g, err := user.LookupGroupId(id); err == nil {
		return g.Name
	}
	return id
}

// shellWord is a path as one word of a shell.
func shellWord(path string) string {
	safe := func(r rune) bool {
		return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("/._-+:@%,=", r)
	}
	if strings.IndexFunc(path, func(r rune) bool { return !safe(r) }) < 0 {
		return path
	}
	return "'" + strings.ReplaceAll(path, "'", `'\''`) + "'"
}
