package shim

import (
	"encoding/binary"
	"fmt"
	"io/fs"
	"math/bits"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// maxGenerations bounds how far up the parents of a sender are followed.
const maxGenerations = 32

// speaksFor says why a message is not one of an attempt's; "" if it is. All of it is
// asked of the kernel: nothing that a sender can write, its environment above all,
// counts.
func (s *server) speaksFor(a *attempt, d datagram) string {
	at := a.ear.address
	switch {
	case at != nil && d.uid != at.UID && d.uid != 0:
		return fmt.Sprintf("a message of user %d, pid %d: the child is user %d", d.uid, d.pid, at.UID)
	case d.pid <= 1:
		return "a message from a process that cannot be seen from here"
	case s.isMain(a, d):
		return ""
	}
	proc := process{pid: d.pid, fd: d.pidfd}
	if proc.fd < 0 {
		held, err := openProcess(d.pid)
		if err != nil {
			return fmt.Sprintf("a message from pid %d, which is gone already: a sender must live until it is heard", d.pid)
		}
		defer held.close()
		proc = held
	}
	if a.WeakKill && s.descends(a, proc) || !a.WeakKill && s.groups.has(a.group, proc) {
		return ""
	}
	return fmt.Sprintf("a message from pid %d, which is no process of this attempt, or is gone already", d.pid)
}

// isMain reports whether the main process itself speaks. Where the kernel does not
// say who did, its number is enough as long as it keeps it.
func (s *server) isMain(a *attempt, d datagram) bool {
	if d.pid != a.PID || a.stage != running || a.proc.fd < 0 {
		return false
	}
	var st unix.Stat_t
	if d.pidfd >= 0 && unix.Fstat(d.pidfd, &st) == nil {
		return st.Ino == a.ident.Inode
	}
	end, _ := a.proc.peek()
	return a.mine || end == alive
}

// descends reports whether a process belongs to an attempt without a cgroup: it is in
// the session or the process group that the main process founded, or comes from it by
// its parents. Those that left all three are not heard.
func (s *server) descends(a *attempt, proc process) bool {
	if !a.mine && (a.stage != running || a.proc.fd < 0) {
		return false // the numbers may be a stranger's
	}
	if session, err := unix.Getsid(proc.pid); err == nil && session == a.PID {
		return true
	}
	if group, err := unix.Getpgid(proc.pid); err == nil && group == a.PID {
		return true
	}
	for pid, n := proc.pid, 0; n < maxGenerations; n++ {
		stat, err := readStat(pid)
		if err != nil || stat.parent <= 1 || stat.parent == os.Getpid() {
			return false
		}
		if pid = stat.parent; pid == a.PID {
			return true
		}
	}
	return false
}

// has reports whether a process is in the cgroup name, or in one in it. The kernel
// tells it of the pidfd, without /proc and its hidepid, from Linux 6.13 on, and from
// 6.15 on also of a process that is gone.
func (g *groups) has(name string, proc process) bool {
	info := unix.PidfdInfo{Mask: unix.PIDFD_INFO_CGROUPID | unix.PIDFD_INFO_EXIT}
	err := unix.IoctlPidfdInfo(proc.fd, &info)
	if err != nil || info.Mask&unix.PIDFD_INFO_CGROUPID == 0 || bits.UintSize == 32 {
		return g.holds(name, proc)
	}
	if idOf(g.path(name)) == info.Cgroupid {
		return true
	}
	if info.Mask&unix.PIDFD_INFO_EXIT == 0 {
		return g.holds(name, proc)
	}
	return g.within(name, info.Cgroupid)
}

// within reports whether a cgroup with this number is in the cgroup name. It looks at
// a thousand files at most: how many there are may be the child's choice.
func (g *groups) within(name string, id uint64) bool {
	found, looks := false, 0
	_ = filepath.WalkDir(g.path(name), func(path string, e fs.DirEntry, err error) error {
		if looks++; err != nil || looks > 1000 {
			return fs.SkipAll
		}
		if e.IsDir() && idOf(path) == id {
			found = true
			return fs.SkipAll
		}
		return nil
	})
	return found
}

// idOf is the number of a cgroup: on 64 bits, the inode of its directory.
func idOf(path string) uint64 {
	var st unix.Stat_t
	if unix.Stat(path, &st) != nil {
		return 0
	}
	return st.Ino
}

func pidfdIn(data []byte) int {
	if len(data) < 4 {
		return -1
	}
	return max(-1, int(int32(binary.NativeEndian.Uint32(data))))
}
