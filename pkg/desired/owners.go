package desired

import (
	"fmt"
	"io/fs"
)

// ownerProblem says why what m describes must not be obeyed, with the command
// that mends it; ok if it may be. The rule is that of sshd's StrictModes: owned
// by root or by ourselves, and writable for nobody else, whatever the group. A
// file that others may write would let them run commands as us.
//
// A sticky folder is let pass where only what stands in it already matters:
// others can add to it, but replace nothing.
func ownerProblem(what string, m meta, self uint32, stickyIsFine bool) (reason, hint string, ok bool) {
	switch {
	case m.uid != 0 && m.uid != self:
		return fmt.Sprintf("%s belongs to user %d, who could have us run anything", what, m.uid),
			"chown root " + what, false
	case m.mode&0o022 == 0, stickyIsFine && m.mode&fs.ModeSticky != 0:
		return "", "", true
	case m.mode&0o002 != 0:
		return fmt.Sprintf("%s may be written by everybody (mode %04o), who could have us run anything", what, m.mode.Perm()),
			"chmod go-w " + what, false
	default:
		return fmt.Sprintf("%s may be written by its group (mode %04o), who could have us run anything", what, m.mode.Perm()),
			"chmod g-w " + what, false
	}
}
