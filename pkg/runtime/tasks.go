package runtime

import (
	"context"

	"github.com/reconciler-dev/reconciler/pkg/runtime/child"
	"github.com/reconciler-dev/reconciler/pkg/runtime/machine"
	"github.com/reconciler-dev/reconciler/pkg/runtime/task"
)

// UseTasks runs the children that name a task of r inside this program, beside
// the processes. It is called before Run.
func (p *ShimProcesses) UseTasks(r *task.Registry) { p.tasks = r }

// isTask reports whether the registry answers a start: it runs a task, or a task
// is in the way that has not returned although it was stopped.
func (p *ShimProcesses) isTask(s machine.Start) bool {
	if p.tasks == nil || s.Key.Role != child.Main {
		return false
	}
	_, alive := p.tasks.Alive(s.Key.ID)
	return alive || p.tasks.Runs(s)
}

// withTasks adds the tasks to what the shim has listed.
func (p *ShimProcesses) withTasks(a machine.Adopted) machine.Adopted {
	if p.tasks == nil {
		return a
	}
	tasks := p.tasks.Adopt()
	a.Processes = append(a.Processes, tasks.Processes...)
	a.Exits = append(a.Exits, tasks.Exits...)
	return a
}

func (p *ShimProcesses) pendingTasks() <-chan struct{} {
	if p.tasks == nil {
		return nil
	}
	return p.tasks.Pending()
}

func (p *ShimProcesses) tellOfTasks(ctx context.Context) {
	for ev, ok := p.tasks.Take(); ok && ctx.Err() == nil; ev, ok = p.tasks.Take() {
		p.send(ctx, ev)
	}
}
