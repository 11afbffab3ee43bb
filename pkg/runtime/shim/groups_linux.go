package shim

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// groups makes a cgroup for each attempt, below one directory. It never writes
// cgroup.subtree_control: which controllers there are is the administrator's
// choice, and none is needed to know and to kill a whole tree.
type groups struct {
	base string // "" while there is none; then why says why
	why  error

	// shown is base as /proc/<pid>/cgroup names it; "" if that is not known. A name
	// alone says nothing: whoever was given a cgroup can make one of that name in it.
	shown string
}

// openGroups finds or makes the directory name below parent; parent "" is the
// shim's own cgroup.
func openGroups(parent, name string) *groups {
	if parent == "" {
		own, err := ownGroup()
		if err != nil {
			return &groups{why: err}
		}
		parent = own
	}
	g := &groups{base: filepath.Join(parent, name)}
	if err := os.Mkdir(g.base, 0o755); err != nil && !errors.Is(err, fs.ErrExist) {
		return &groups{why: err}
	}
	// A directory of cgroup v1, or of no cgroup at all, has no such file.
	if _, err := os.Stat(filepath.Join(g.base, "cgroup.events")); err != nil {
		_ = os.Remove(g.base)
		return &groups{why: fmt.Errorf("%s is no cgroup2 directory", parent)}
	}
	if mounts, err := os.ReadFile("/proc/self/mountinfo"); err == nil {
		g.shown = shownGroup(g.base, string(mounts))
	}
	return g
}

// shownGroup is what findGroup finds, the other way round.
func shownGroup(dir, mountinfo string) string {
	shown, longest := "", ""
	for line := range strings.Lines(mountinfo) {
		fields := strings.Fields(line)
		_, kind, ok := strings.Cut(line, " - ")
		if !ok || len(fields) < 5 || !strings.HasPrefix(kind, "cgroup2 ") {
			continue
		}
		root, point := fields[3], unescapeMount(fields[4])
		if strings.HasPrefix(root, "/..") {
			continue // of a cgroup namespace around ours
		}
		if rel, ok := strings.CutPrefix(dir, strings.TrimSuffix(point, "/")+"/"); ok && len(point) >= len(longest) {
			longest, shown = point, filepath.Join(root, rel)
		}
	}
	return shown
}

// ownGroup is the directory of the cgroup2 that this process is in, also where
// v1 hierarchies stand beside it.
func ownGroup() (string, error) {
	data, err := os.ReadFile("/proc/self/cgroup")
	if err != nil {
		return "", err
	}
	own := ""
	for line := range strings.Lines(string(data)) {
		if path, ok := strings.CutPrefix(strings.TrimSpace(line), "0::"); ok {
			own = path
		}
	}
	mounts, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return "", err
	}
	return findGroup(own, string(mounts))
}

// findGroup is where the cgroup own is mounted, read from /proc/self/mountinfo:
// "41 31 0:38 /root /mount/point options [optional...] - cgroup2 source options".
func findGroup(own, mountinfo string) (string, error) {
	if own == "" || strings.HasPrefix(own, "/..") {
		return "", errors.New("this process is in no cgroup2 that can be seen from here")
	}
	for line := range strings.Lines(mountinfo) {
		fields := strings.Fields(line)
		_, kind, ok := strings.Cut(line, " - ")
		if !ok || len(fields) < 5 || !strings.HasPrefix(kind, "cgroup2 ") {
			continue
		}
		root, point := fields[3], unescapeMount(fields[4])
		rel, err := filepath.Rel(root, own)
		if err == nil && rel != ".." && !strings.HasPrefix(rel, "../") {
			return filepath.Join(point, rel), nil
		}
	}
	return "", errors.New("no cgroup2 is mounted")
}

// unescapeMount undoes the \040 that mountinfo writes for a space, and such.
func unescapeMount(s string) string {
	for _, esc := range [][2]string{{`\040`, " "}, {`\011`, "\t"}, {`\012`, "\n"}, {`\134`, `\`}} {
		s = strings.ReplaceAll(s, esc[0], esc[1])
	}
	return s
}

func (g *groups) path(name string) string { return filepath.Join(g.base, name) }

// make creates the cgroup name and opens it. It fails with errPopulated where
// something lives in it already.
func (g *groups) make(name string) (fd int, err error) {
	if g.base == "" {
		return -1, g.why
	}
	err = os.Mkdir(g.path(name), 0o755)
	if errors.Is(err, fs.ErrNotExist) { // somebody removed the base
		if err = os.Mkdir(g.base, 0o755); err == nil {
			err = os.Mkdir(g.path(name), 0o755)
		}
	}
	if errors.Is(err, fs.ErrExist) {
		if g.populated(name) {
			return -1, errPopulated
		}
		err = nil
	}
	if err != nil {
		return -1, err
	}
	return unix.Open(g.path(name), unix.O_DIRECTORY|unix.O_RDONLY|unix.O_CLOEXEC, 0)
}

// remove removes the cgroup name and those that the child made in it; it fails
// while something lives in one of them.
func (g *groups) remove(name string) error {
	if g.base == "" {
		return nil
	}
	return removeGroup(g.path(name))
}

func removeGroup(path string) error {
	err := unix.Rmdir(path)
	if err == nil || errors.Is(err, unix.ENOENT) {
		return nil
	}
	entries, _ := os.ReadDir(path)
	inner := false
	for _, e := range entries {
		if e.IsDir() {
			inner = true
			if err := removeGroup(filepath.Join(path, e.Name())); err != nil {
				return err
			}
		}
	}
	if inner {
		err = unix.Rmdir(path)
	}
	return err
}

// removeBase removes the base if nothing is left in it.
func (g *groups) removeBase() {
	if g.base != "" {
		_ = unix.Rmdir(g.base)
	}
}

// list names the cgroups that exist.
func (g *groups) list() []string {
	if g.base == "" {
		return nil
	}
	entries, err := os.ReadDir(g.base)
	if err != nil {
		return nil
	}
	var names []string
	for _, e := range entries {
		if e.IsDir() {
			names = append(names, e.Name())
		}
	}
	return names
}

// openEvents opens the file that tells whether anything lives in a cgroup.
func (g *groups) openEvents(name string) (int, error) {
	return unix.Open(g.path(name)+"/cgroup.events", unix.O_RDONLY|unix.O_CLOEXEC, 0)
}

// readPopulated reads a file of openEvents, which also arms its next change.
func readPopulated(fd int) bool {
	var buf [128]byte
	n, err := unix.Pread(fd, buf[:], 0)
	return err == nil && bytes.Contains(buf[:n], []byte("populated 1"))
}

func (g *groups) populated(name string) bool {
	fd, err := g.openEvents(name)
	if err != nil {
		return false // it is gone
	}
	defer unix.Close(fd)
	return readPopulated(fd)
}

// members are the processes of a cgroup and of those in it.
func (g *groups) members(name string) []int {
	var pids []int
	_ = filepath.WalkDir(g.path(name), func(path string, e fs.DirEntry, err error) error {
		if err != nil {
			return nil // it is gone
		}
		if e.IsDir() {
			pids = append(pids, membersOf(path)...)
		}
		return nil
	})
	return pids
}

func membersOf(path string) []int {
	data, err := os.ReadFile(path + "/cgroup.procs")
	if err != nil {
		return nil
	}
	var pids []int
	for scan := bufio.NewScanner(bytes.NewReader(data)); scan.Scan(); {
		// 0 stands for a process of another PID namespace.
		if pid, err := strconv.Atoi(scan.Text()); err == nil && pid > 1 {
			pids = append(pids, pid)
		}
	}
	return pids
}

// holds reports whether a process that is held is in the cgroup name, or in one
// in it.
func (g *groups) holds(name string, proc process) bool {
	data, err := os.ReadFile("/proc/" + strconv.Itoa(proc.pid) + "/cgroup")
	if err != nil {
		return false
	}
	for line := range strings.Lines(string(data)) {
		if path, ok := strings.CutPrefix(strings.TrimSpace(line), "0::"); ok {
			if g.shown == "" {
				return strings.Contains(path+"/", "/"+name+"/")
			}
			return strings.HasPrefix(path+"/", g.shown+"/"+name+"/")
		}
	}
	return false
}

// kill ends everything in the cgroup name, whatever it forks meanwhile: at once
// by cgroup.kill (Linux 5.14), else by hand while it is frozen.
func (g *groups) kill(name string) error {
	err := writeFile(g.path(name)+"/cgroup.kill", "1")
	if !errors.Is(err, unix.ENOENT) {
		return err
	}
	return g.killFrozen(name)
}

// killFrozen kills what is in a frozen cgroup: it can neither fork nor end, so
// no number changes its meaning meanwhile. SIGKILL works on what is frozen.
func (g *groups) killFrozen(name string) error {
	if err := writeFile(g.path(name)+"/cgroup.freeze", "1"); err != nil && !errors.Is(err, unix.ENOENT) {
		return err
	}
	var failed error
	for _, pid := range g.members(name) {
		proc, err := openProcess(pid)
		if err != nil {
			continue
		}
		if g.holds(name, proc) {
			failed = errors.Join(failed, proc.signal(unix.SIGKILL))
		}
		proc.close()
	}
	_ = writeFile(g.path(name)+"/cgroup.freeze", "0")
	return failed
}

// outOfMemory reports whether the kernel killed something in the cgroup for lack
// of memory. It is known only where the memory controller is on.
func (g *groups) outOfMemory(name string) bool {
	data, err := os.ReadFile(g.path(name) + "/memory.events")
	if err != nil {
		return false
	}
	for line := range strings.Lines(string(data)) {
		if n, ok := strings.CutPrefix(strings.TrimSpace(line), "oom_kill "); ok {
			return n != "0"
		}
	}
	return false
}

// writeFile writes to a file of the kernel's, which must be there.
func writeFile(path, value string) error {
	fd, err := unix.Open(path, unix.O_WRONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	_, err = unix.Write(fd, []byte(value))
	return err
}
