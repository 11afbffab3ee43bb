package usage

import (
	"time"

	"github.com/reconciler-dev/reconciler/pkg/runtime/child"
)

// Tree is what one child uses. CPU is what its processes have used since they
// started, with those that ended and were waited for by one that lives. Memory is
// the sum of what is resident; pages that two processes share count twice.
type Tree struct {
	CPU       time.Duration
	Memory    uint64
	Processes int
}

// Sample is one look. Children without a process are not in it.
type Sample struct {
	At    time.Time
	Trees map[child.ID]Tree
}

// Percent is how much of one core a child has used between two looks; ok is false
// when it was not in both or has fewer processes' time to show than before, as
// after a restart.
func (s Sample) Percent(before Sample, id child.ID) (percent float64, ok bool) {
	now, there := s.Trees[id]
	was, wasThere := before.Trees[id]
	passed := s.At.Sub(before.At)
	if !there || !wasThere || passed <= 0 || now.CPU < was.CPU {
		return 0, false
	}
	return 100 * float64(now.CPU-was.CPU) / float64(passed), true
}

// process is one process as /proc shows it.
type process struct {
	pid, parent, session int
	group                string // its cgroup2
	cpu                  time.Duration
	memory               uint64
}

// trees gives each process to the child that it belongs to. mains are the
// processes that children were started as.
func trees(all []process, mains map[child.ID]int) map[child.ID]Tree {
	byPID := make(map[int]process, len(all))
	for _, p := range all {
		byPID[p.pid] = p
	}
	owners := map[int]child.ID{} // of the main processes, which lead their sessions
	groups := map[string]child.ID{}
	for id, pid := range mains {
		main, lives := byPID[pid]
		if !lives || main.session != pid {
			continue // the number is another one's now
		}
		owners[pid] = id
		if ownsGroup(id, main.group) {
			groups[main.group] = id
		}
	}
	sums := make(map[child.ID]Tree, len(owners))
	for _, p := range all {
		id, ok := owner(p, byPID, owners, groups)
		if !ok {
			continue
		}
		t := sums[id]
		t.CPU += p.cpu
		t.Memory += p.memory
		t.Processes++
		sums[id] = t
	}
	return sums
}
