package shim

import (
	"bytes"
	"os"
	"slices"
	"strconv"

	"golang.org/x/sys/unix"
)

// findMarked finds the processes of attempts that have no cgroup. It reads all of
// /proc once, so ask for many attempts together. Zombies are not counted.
func findMarked(attempts []*attempt) map[*attempt][]int {
	byPID, byMark := map[int]*attempt{}, map[string]*attempt{}
	for _, a := range attempts {
		byPID[a.PID], byMark[a.mark] = a, a
	}
	found := map[*attempt][]int{}
	for _, pid := range allPIDs() {
		stat, err := readStat(pid)
		if err != nil || stat.state == 'Z' || stat.state == 'X' {
			continue
		}
		for _, a := range []*attempt{byPID[stat.session], byPID[stat.group], byMark[markOf(pid)]} {
			if a != nil && a.owns(pid, stat) {
				found[a] = append(found[a], pid)
				break
			}
		}
	}
	return found
}

// owns reports whether a process belongs to an attempt: it carries its mark, or is
// in the session or the process group that the main process founded. The numbers
// of those count only while the main process, alive or a zombie, keeps its own
// from being given to a stranger.
func (a *attempt) owns(pid int, s procStat) bool {
	if a.mine || a.stage == running && a.proc.fd >= 0 {
		if s.session == a.PID || s.group == a.PID {
			return true
		}
	}
	return a.marked(pid)
}

// killMarked kills processes that findMarked found, if they still are what it saw,
// and holds them until they are gone: a process that is ending has lost its
// environment, and so its mark, before it lets its files and ports go.
func killMarked(a *attempt, pids []int) {
	for _, pid := range pids {
		if slices.ContainsFunc(a.dying, func(p process) bool { return p.pid == pid }) {
			continue
		}
		proc, err := openProcess(pid)
		if err != nil {
			continue
		}
		if stat, err := readStat(pid); err != nil || !a.owns(pid, stat) {
			proc.close()
			continue
		}
		_ = proc.signal(unix.SIGKILL)
		a.dying = append(a.dying, proc)
	}
}

func allPIDs() []int {
	dir, err := os.Open("/proc")
	if err != nil {
		return nil
	}
	defer dir.Close()
	names, err := dir.Readdirnames(-1)
	if err != nil {
		return nil
	}
	self := os.Getpid()
	var pids []int
	for _, name := range names {
		if pid, err := strconv.Atoi(name); err == nil && pid > 1 && pid != self {
			pids = append(pids, pid)
		}
	}
	return pids
}

// markOf is the mark in the environment of a process; "" if there is none, or if
// it may not be read.
func markOf(pid int) string { return variableOf(pid, KeyVariable) }

func variableOf(pid int, name string) string {
	data, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/environ")
	if err != nil {
		return ""
	}
	for kv := range bytes.SplitSeq(data, []byte{0}) {
		if value, ok := bytes.CutPrefix(kv, []byte(name+"=")); ok {
			return string(value)
		}
	}
	return ""
}

// describe names a process for people.
func describe(pid int) string {
	s := "pid " + strconv.Itoa(pid)
	if stat, err := readStat(pid); err == nil {
		s += " (" + stat.name + ")"
	}
	return s
}
