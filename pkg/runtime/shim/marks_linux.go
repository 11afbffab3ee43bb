package shim

import (
	"bytes"
	"os"
	"strconv"

	"golang.org/x/sys/unix"
)

// findMarked finds the processes of attempts that have no cgroup: those of the
// session or the process group that the main process founded, and those that
// carry the attempt's key in their environment. It reads all of /proc once, so
// ask for many attempts together. Zombies are not counted.
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
		a := byPID[stat.session]
		if a == nil {
			a = byPID[stat.group]
		}
		if a == nil {
			a = byMark[markOf(pid)]
		}
		if a != nil && a.foundedBefore(stat) {
			found[a] = append(found[a], pid)
		}
	}
	return found
}

// foundedBefore guards against a session whose number is that of a dead process
// of ours: what is ours did not begin before it.
func (a *attempt) foundedBefore(s procStat) bool { return s.ticks >= a.ident.Ticks }

// killMarked kills processes that findMarked found, if they still are what it saw.
func killMarked(a *attempt, pids []int) {
	for _, pid := range pids {
		proc, err := openProcess(pid)
		if err != nil {
			continue
		}
		stat, err := readStat(pid)
		if err == nil && (stat.session == a.PID || stat.group == a.PID || markOf(pid) == a.mark) {
			_ = proc.signal(unix.SIGKILL)
		}
		proc.close()
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
func markOf(pid int) string {
	data, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/environ")
	if err != nil {
		return ""
	}
	for kv := range bytes.SplitSeq(data, []byte{0}) {
		if mark, ok := bytes.CutPrefix(kv, []byte(KeyVariable+"=")); ok {
			return string(mark)
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
