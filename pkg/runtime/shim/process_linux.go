package shim

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// process is one process, held by a pidfd: whatever becomes of its number, the
// pidfd never means another one.
type process struct {
	pid int
	fd  int
}

// identity tells two processes apart that had one number after the other. Ticks
// is the start time since boot, in 1/100 s: with forced reuse 176 of 200
// processes shared it, so the pidfs inode (Linux 6.9, unique) decides where it is
// known.
type identity struct {
	Ticks uint64 `json:"ticks"`
	Inode uint64 `json:"inode,omitempty"`
}

// openProcess holds the process that has this number now. The caller checks its
// identity afterwards, never before.
func openProcess(pid int) (process, error) {
	if pid <= 1 {
		return process{}, fmt.Errorf("pid %d is no child", pid)
	}
	fd, err := unix.PidfdOpen(pid, 0)
	if err != nil {
		return process{}, err
	}
	return process{pid: pid, fd: fd}, nil
}

// spawn starts a process and holds it. group is the directory of the cgroup that
// it is born in; negative: none.
func spawn(l Launch, files []uintptr, group int) (process, error) {
	fd := -1
	attr := &syscall.ProcAttr{Dir: l.Dir, Env: l.Env, Files: files, Sys: &syscall.SysProcAttr{
		Setsid: true, PidFD: &fd, UseCgroupFD: group >= 0, CgroupFD: max(group, 0),
	}}
	if c := l.Credential; c != nil {
		attr.Sys.Credential = &syscall.Credential{Uid: c.UID, Gid: c.GID, Groups: c.Groups}
	}
	runtime.LockOSThread()
	cleanThread(l.Credential != nil)
	pid, err := syscall.ForkExec(l.Path, l.Args, attr)
	runtime.UnlockOSThread()
	if err != nil {
		return process{}, err
	}
	if fd < 0 { // before Linux 5.2; it is our child, so the number is still its own
		if fd, err = unix.PidfdOpen(pid, 0); err != nil {
			_ = kill(pid, unix.SIGKILL)
			return process{}, fmt.Errorf("pidfd: %w; Linux 5.3 or newer is needed", err)
		}
	}
	return process{pid: pid, fd: fd}, nil
}

func (p process) close() { unix.Close(p.fd) }

// identity of a process that is held.
func (p process) identity() (identity, error) {
	stat, err := readStat(p.pid)
	if err != nil {
		return identity{}, err
	}
	var st unix.Stat_t
	if err := unix.Fstat(p.fd, &st); err != nil {
		return identity{}, fmt.Errorf("fstat pidfd: %w", err)
	}
	return identity{Ticks: stat.ticks, Inode: st.Ino}, nil
}

// signal never reaches another process.
func (p process) signal(sig unix.Signal) error {
	return unix.PidfdSendSignal(p.fd, sig, nil, 0)
}

// peek says what is known of the end, and leaves the process to reap.
func (p process) peek() (ending, status) {
	var info unix.Siginfo
	err := unix.Waitid(unix.P_PIDFD, p.fd, &info, unix.WEXITED|unix.WNOWAIT|unix.WNOHANG, nil)
	if err == nil {
		return statusOf(&info)
	}
	return p.peekStranger()
}

// peekStranger is peek for a process that an earlier shim started: its parent is
// init now. From Linux 6.15 on the kernel tells its status after init reaped it.
func (p process) peekStranger() (ending, status) {
	poll := []unix.PollFd{{Fd: int32(p.fd), Events: unix.POLLIN}}
	if n, err := unix.Poll(poll, 0); err != nil || n == 0 {
		return alive, status{}
	}
	info := unix.PidfdInfo{Mask: unix.PIDFD_INFO_EXIT}
	err := unix.IoctlPidfdInfo(p.fd, &info)
	if err == nil && info.Mask&unix.PIDFD_INFO_EXIT != 0 {
		return ended, waitStatus(unix.WaitStatus(info.Exit_code))
	}
	if poll[0].Revents&unix.POLLHUP != 0 || errors.Is(err, unix.ESRCH) {
		return ended, status{}
	}
	return unreaped, status{}
}

func (p process) reap() {
	// ECHILD: an earlier shim started it, and init reaps it.
	_ = unix.Waitid(unix.P_PIDFD, p.fd, nil, unix.WEXITED|unix.WNOHANG, nil)
}

// siginfo is what waitid fills in, where unix.Siginfo has only padding.
type siginfo struct {
	signo, errno, code int32
	_                  [unsafe.Sizeof(uintptr(0)) - 4]byte // the union is aligned as a pointer
	pid, uid, status   int32
}

func statusOf(info *unix.Siginfo) (ending, status) {
	const cldExited, cldDumped = 1, 3
	si := (*siginfo)(unsafe.Pointer(info))
	switch {
	case si.pid == 0:
		return alive, status{}
	case si.code == cldExited:
		return ended, status{known: true, code: int(si.status)}
	}
	return ended, status{known: true, signal: unix.Signal(si.status), core: si.code == cldDumped}
}

// zombie is a child of ours, or one that was handed to us, that nobody reaped;
// 0: there is none.
func zombie() int {
	var info unix.Siginfo
	if err := unix.Waitid(unix.P_ALL, 0, &info, unix.WEXITED|unix.WNOWAIT|unix.WNOHANG, nil); err != nil {
		return 0
	}
	return int((*siginfo)(unsafe.Pointer(&info)).pid)
}

func reapPID(pid int) {
	_ = unix.Waitid(unix.P_PID, pid, nil, unix.WEXITED|unix.WNOHANG, nil)
}

// adoptOrphans makes the shim the parent of its children's orphans, so that it
// finds and reaps them.
func adoptOrphans() error {
	return unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
}

// procStat is what is needed of /proc/<pid>/stat.
type procStat struct {
	name           string
	state          byte
	group, session int
	parent         int
	ticks          uint64
}

func readStat(pid int) (procStat, error) {
	data, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	if err != nil {
		return procStat{}, err
	}
	// The name stands in parentheses and may hold anything, also parentheses.
	open, end := bytes.IndexByte(data, '('), bytes.LastIndexByte(data, ')')
	if open < 0 || end < open {
		return procStat{}, fmt.Errorf("/proc/%d/stat: no name", pid)
	}
	fields := strings.Fields(string(data[end+1:]))
	if len(fields) < 20 {
		return procStat{}, fmt.Errorf("/proc/%d/stat: %d fields", pid, len(fields))
	}
	s := procStat{name: string(data[open+1 : end]), state: fields[0][0]}
	s.parent, _ = strconv.Atoi(fields[1])
	s.group, _ = strconv.Atoi(fields[2])
	s.session, _ = strconv.Atoi(fields[3])
	s.ticks, err = strconv.ParseUint(fields[19], 10, 64)
	return s, err
}

// boot names this run of the kernel and this PID namespace: process numbers mean
// nothing elsewhere.
func boot() (string, error) {
	id, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return "", err
	}
	ns, err := os.Readlink("/proc/self/ns/pid")
	if err != nil {
		return "", err
	}
	return strings.TrimSpace(string(id)) + " " + ns, nil
}

// stateOf is the letter that proc_pid_stat(5) has for what a process does; 0 if that
// cannot be seen.
func stateOf(pid int) byte {
	stat, err := readStat(pid)
	if err != nil {
		return 0
	}
	return stat.state
}
