package shim

import (
	"bytes"
	"log"
	"os"
	"strconv"
	"strings"
	"sync"
	"unsafe"

	"golang.org/x/sys/unix"
)

// closeInherited closes the files that were open when this program began, but for 0,
// 1 and 2: what Go opens is close-on-exec, and only what is not comes through exec.
func closeInherited() {
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		log.Printf("files that were inherited stay open: %v", err)
		return
	}
	for _, e := range entries {
		fd, err := strconv.Atoi(e.Name())
		if err != nil || fd <= 2 {
			continue
		}
		if flags, err := unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0); err == nil && flags&unix.FD_CLOEXEC == 0 {
			unix.Close(fd)
		}
	}
}

// defaultSignals gives every signal that is ignored its default again: what was
// ignored stays so over fork and exec, as nohup(1) wants it. The Go runtime keeps
// SIG_IGN of SIGHUP, SIGINT, the four of job control and 32 to 34; the handlers that
// it puts in the place of the others end with exec.
func defaultSignals() {
	data, err := os.ReadFile("/proc/self/status")
	if err != nil {
		log.Printf("signals that were ignored stay so: %v", err)
		return
	}
	for line := range strings.Lines(string(data)) {
		set, ok := strings.CutPrefix(line, "SigIgn:")
		if !ok {
			continue
		}
		ignored, err := strconv.ParseUint(strings.TrimSpace(set), 16, 64)
		if err != nil {
			log.Printf("signals that were ignored stay so: %v", err)
			return
		}
		for sig := uintptr(1); sig <= 64; sig++ {
			if ignored&(1<<(sig-1)) != 0 {
				defaultSignal(sig)
			}
		}
	}
}

// defaultSignal is sigaction(2) with SIG_DFL, which is all zeros on each architecture.
func defaultSignal(sig uintptr) {
	var action [64]byte
	_, _, e := unix.RawSyscall6(unix.SYS_RT_SIGACTION, sig, uintptr(unsafe.Pointer(&action)), 0, 8, 0, 0)
	if e != 0 {
		log.Printf("signal %d stays ignored: %v", sig, e)
	}
}

// cleanThread gives the calling thread, which the caller has locked, what a child
// inherits from the thread that forks it. Nothing is put back: a shim is as well off
// with it. What the kernel does not permit (a lower nice, without privileges) stays.
func cleanThread(otherUser bool) {
	var none unix.Sigset_t
	_ = unix.PthreadSigmask(unix.SIG_SETMASK, &none, nil)
	if unix.SchedSetAttr(0, &unix.SchedAttr{Size: unix.SizeofSchedAttr, Policy: unix.SCHED_NORMAL}, 0) != nil {
		_ = unix.Setpriority(unix.PRIO_PROCESS, 0, 0) // a sandbox may know the old call only
	}
	const whoProcess, classNone = 1, 0
	_, _, _ = unix.RawSyscall(unix.SYS_IOPRIO_SET, whoProcess, 0, classNone)
	if otherUser {
		// The session keyring outlives setuid(2): with that of root's login a child
		// would possess root's keys (systemd's KeyringMode=private).
		_, _ = unix.KeyctlInt(unix.KEYCTL_JOIN_SESSION_KEYRING, 0, 0, 0, 0)
	}
}

// shelter is the oom_score_adj of the shim: whoever protects it from the OOM killer
// does not mean its children, which would inherit it. It belongs to the whole process
// and there is no moment between fork and exec to change it, so the shim gives it up
// while a start is under way.
type shelter struct {
	fd int // negative: it cannot be changed here

	mu     sync.Mutex
	starts int    // under way
	own    []byte // what to put back
}

var neutral = []byte("0")

func newShelter() *shelter {
	fd, err := unix.Open("/proc/self/oom_score_adj", unix.O_RDWR|unix.O_CLOEXEC, 0)
	if err != nil {
		fd = -1
	}
	return &shelter{fd: fd}
}

// leave is called before a fork, enter after it.
func (s *shelter) leave() {
	if s.fd < 0 {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.starts++; s.starts > 1 {
		return
	}
	var buf [16]byte
	n, err := unix.Pread(s.fd, buf[:], 0)
	s.own = bytes.Clone(bytes.TrimSpace(buf[:max(n, 0)]))
	if err != nil || bytes.Equal(s.own, neutral) {
		s.own = nil
		return
	}
	if _, err := unix.Write(s.fd, neutral); err != nil {
		s.own = nil // it was raised, and only root may lower it
	}
}

func (s *shelter) enter() {
	if s.fd < 0 {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.starts--; s.starts > 0 || s.own == nil {
		return
	}
	if _, err := unix.Write(s.fd, s.own); err != nil {
		log.Printf("the own oom_score_adj of %s is lost: %v", s.own, err)
	}
}

func (s *shelter) close() {
	if s.fd >= 0 {
		unix.Close(s.fd)
	}
}
