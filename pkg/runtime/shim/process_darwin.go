package shim

import (
	"errors"
	"fmt"
	"syscall"

	"golang.org/x/sys/unix"
)

// process is one process. There is no pidfd here: its number is its own as long
// as this shim, its parent, has not reaped it.
type process struct {
	pid int
	fd  int // -1: nothing is held
}

// identity tells two processes apart that had one number after the other, by
// their start in microseconds.
type identity struct {
	Ticks uint64 `json:"ticks"`
}

// openProcess takes the process that has this number now. The caller checks its
// identity afterwards.
func openProcess(pid int) (process, error) {
	if pid <= 1 {
		return process{}, fmt.Errorf("pid %d is no child", pid)
	}
	if _, err := unix.Getpgid(pid); err != nil {
		return process{}, err
	}
	return process{pid: pid}, nil
}

// spawn starts a process. There are no cgroups here.
func spawn(l Launch, files []uintptr, _ int) (process, error) {
	attr := &syscall.ProcAttr{Dir: l.Dir, Env: l.Env, Files: files, Sys: &syscall.SysProcAttr{Setsid: true}}
	if c := l.Credential; c != nil {
		attr.Sys.Credential = &syscall.Credential{Uid: c.UID, Gid: c.GID, Groups: c.Groups}
	}
	cleanThread(l.Credential != nil)
	pid, err := syscall.ForkExec(l.Path, l.Args, attr)
	return process{pid: pid}, err
}

func (p process) close() {}

func (p process) identity() (identity, error) {
	info, err := unix.SysctlKinfoProc("kern.proc.pid", p.pid)
	if err != nil {
		return identity{}, err
	}
	start := info.Proc.P_starttime
	return identity{Ticks: uint64(start.Sec)*1e6 + uint64(start.Usec)}, nil
}

func (p process) signal(sig unix.Signal) error { return kill(p.pid, sig) }

// peek says how the process ended. Here that reaps it.
func (p process) peek() (ending, status) {
	var ws unix.WaitStatus
	pid, err := unix.Wait4(p.pid, &ws, unix.WNOHANG, nil)
	switch {
	case err == nil && pid == p.pid:
		return ended, waitStatus(ws)
	case errors.Is(err, unix.ECHILD): // an earlier shim started it
		if _, err := unix.Getpgid(p.pid); err != nil {
			return ended, status{}
		}
	}
	return alive, status{}
}

func (p process) reap() {}

// zombie finds no orphans: they go to launchd here.
func zombie() int { return 0 }

func reapPID(int) {}

func adoptOrphans() error { return nil }

// boot names this run of the kernel: process numbers mean nothing in another.
func boot() (string, error) {
	tv, err := unix.SysctlTimeval("kern.boottime")
	if err != nil {
		return "", err
	}
	return fmt.Sprint(tv.Sec, ".", tv.Usec), nil
}

// stateOf is the letter that ps(1) has for what a process does; 0 if that cannot be
// seen.
func stateOf(pid int) byte {
	const sstop, szomb = 4, 5 // sys/proc.h
	info, err := unix.SysctlKinfoProc("kern.proc.pid", pid)
	switch {
	case err != nil:
		return 0
	case info.Proc.P_stat == sstop:
		return 'T'
	case info.Proc.P_stat == szomb:
		return 'Z'
	}
	return 'S'
}
