package shim

import (
	"errors"
	"strconv"

	"golang.org/x/sys/unix"
)

// groups are cgroups, which are not here: every attempt has WeakKill.
type groups struct {
	base string
	why  error
}

var errNoGroups = errors.New("this system has no cgroups")

func openGroups(string, string) *groups { return &groups{why: errNoGroups} }

func (g *groups) make(string) (int, error)       { return -1, errNoGroups }
func (g *groups) remove(string) error            { return nil }
func (g *groups) removeBase()                    {}
func (g *groups) list() []string                 { return nil }
func (g *groups) openEvents(string) (int, error) { return -1, errNoGroups }
func (g *groups) populated(string) bool          { return false }
func (g *groups) members(string) []int           { return nil }
func (g *groups) holds(string, process) bool     { return false }
func (g *groups) kill(string) error              { return errNoGroups }
func (g *groups) outOfMemory(string) bool        { return false }

func readPopulated(int) bool { return false }

// findMarked knows only the process groups that the main processes founded, as
// long as those keep their numbers from strangers.
func findMarked(attempts []*attempt) map[*attempt][]int {
	found := map[*attempt][]int{}
	for _, a := range attempts {
		if (a.mine || a.stage == running) && kill(-a.PID, 0) == nil {
			found[a] = []int{a.PID}
		}
	}
	return found
}

// killMarked kills the process group.
func killMarked(a *attempt, pids []int) {
	if len(pids) > 0 {
		_ = kill(-a.PID, unix.SIGKILL)
	}
}

// markOf is not known of other processes here.
func markOf(int) string { return "" }

func variableOf(int, string) string { return "" }

// describe names a process for people.
func describe(pid int) string { return "process group " + strconv.Itoa(pid) }
