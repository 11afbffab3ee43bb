package usage

import (
	"fmt"
	"time"

	"github.com/prometheus/procfs"

	"github.com/reconciler-dev/reconciler/pkg/runtime/child"
)

// userHZ is the unit of times in /proc/PID/stat: 100 on all platforms of Go.
const userHZ = 100

// Take looks at all processes once. mains are the processes of the children.
func Take(mains map[child.ID]int) (Sample, error) {
	s := Sample{At: time.Now()}
	if len(mains) == 0 {
		return s, nil
	}
	all, err := processes()
	if err != nil {
		return s, err
	}
	s.Trees = trees(all, mains)
	return s, nil
}

func processes() ([]process, error) {
	found, err := procfs.AllProcs()
	if err != nil {
		return nil, fmt.Errorf("look at the processes: %w", err)
	}
	all := make([]process, 0, len(found))
	for _, f := range found {
		stat, err := f.Stat()
		if err != nil {
			continue // it ended meanwhile
		}
		ticks := int64(stat.UTime) + int64(stat.STime) + int64(stat.CUTime) + int64(stat.CSTime)
		all = append(all, process{
			pid: f.PID, parent: stat.PPID, session: stat.Session, group: groupOf(f),
			cpu: time.Duration(ticks) * time.Second / userHZ, memory: uint64(stat.ResidentMemory()),
		})
	}
	return all, nil
}

// groupOf is the cgroup2 of a process; "" where it has none.
func groupOf(p procfs.Proc) string {
	groups, err := p.Cgroups()
	if err != nil {
		return ""
	}
	for _, g := range groups {
		if g.HierarchyID == 0 {
			return g.Path
		}
	}
	return ""
}
