package task

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/reconciler-dev/reconciler/pkg/runtime/child"
	"github.com/reconciler-dev/reconciler/pkg/runtime/machine"
)

// Func is a task. It returns when its work is done, when it cannot go on, or soon
// after ctx has ended; context.Cause(ctx) then wraps ErrStopped.
type Func func(ctx context.Context, t Context) error

// ErrStopped is what a task finds as the cause of the end of its context.
var ErrStopped = errors.New("the task was stopped")

// prefix marks a command that names a task.
const prefix = "task:"

// Command is the command of a child that runs the task of that name, whatever
// the child is called. Its arguments are the task's Context.Args.
func Command(name string, args ...string) []string {
	return append([]string{prefix + name}, args...)
}

// Context is what a task knows of the attempt that it is, and how it speaks to the
// runtime. Its methods may be called from any goroutine, also after the end of the
// task: then they do nothing.
type Context struct{ a *attempt }

// Child is the child that the task runs as.
func (t Context) Child() child.ID { return t.a.start.Key.ID }

// Attempt counts the starts of the child, from 1.
func (t Context) Attempt() child.Attempt { return t.a.start.Attempt }

// Spec is what the child should be. It must not be changed.
func (t Context) Spec() *child.Spec { return t.a.start.Spec }

// Args are the arguments of a command made with Command.
func (t Context) Args() []string { return t.a.args }

// Signals receives the names of signals that an operator sent and that do not stop
// the task, such as "SIGHUP". When eight wait to be received, more are dropped.
func (t Context) Signals() <-chan string { return t.a.signals }

// Ready says that the task can do its work: what depends on it may start. It
// counts where the child's readiness is notify: without one, a child is ready
// once it runs.
func (t Context) Ready() { t.a.say(new(true), false) }

// NotReady takes Ready back until the next Ready.
func (t Context) NotReady() { t.a.say(new(false), false) }

// Heartbeat says that the task is alive. Where the child's health check is
// heartbeat, it is replaced when it says so too seldom.
func (t Context) Heartbeat() { t.a.say(nil, true) }

// Registry holds tasks by name and runs them. Make it with NewRegistry. It serves
// one runtime.
type Registry struct {
	events chan machine.Event
	wake   chan struct{} // one slot: the queue is not empty

	mu    sync.Mutex // never held while anything waits
	funcs map[string]Func
	live  map[child.ID]*attempt             // whose goroutines have not returned
	exits map[child.Key]machine.Exited      // not acknowledged
	fails map[child.Key]machine.StartFailed // the newest of an ID, as the answer to a repeated start
	last  map[child.ID]child.Key            // the newest key that was tried
	queue []item

	stopped bool // starts are dropped

	goroutines sync.WaitGroup
}

// item is one thing that the runtime is to be told: an event, or that an attempt
// has said something about itself.
type item struct {
	event machine.Event
	said  *attempt
}

// NewRegistry is a registry without tasks.
func NewRegistry() *Registry {
	return &Registry{
		events: make(chan machine.Event), wake: make(chan struct{}, 1),
		funcs: map[string]Func{}, live: map[child.ID]*attempt{},
		exits: map[child.Key]machine.Exited{}, fails: map[child.Key]machine.StartFailed{}, last: map[child.ID]child.Key{},
	}
}

// Register gives a function a name, which must be a child's name. A task can be
// registered at any time before a child of its name starts.
func (r *Registry) Register(name string, f Func) error {
	if err := child.CheckName(name); err != nil {
		return fmt.Errorf("register task: %w", err)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case f == nil:
		return fmt.Errorf("register task %s: the function is nil", name)
	case r.funcs[name] != nil:
		return fmt.Errorf("register task %s: there is one of that name already", name)
	}
	r.funcs[name] = f
	return nil
}

// Runs reports whether a start is one for the registry: of a task, and not of a
// process.
func (r *Registry) Runs(s machine.Start) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	_, _, isTask := r.nameOf(s)
	return isTask && s.Key.Role == child.Main
}

// nameOf is the task that a start names, and its arguments.
func (r *Registry) nameOf(s machine.Start) (name string, args []string, isTask bool) {
	if len(s.Spec.Command) == 0 {
		name = s.Key.ID.Name()
		return name, nil, r.funcs[name] != nil
	}
	name, isTask = strings.CutPrefix(s.Spec.Command[0], prefix)
	return name, s.Spec.Command[1:], isTask
}

// find is the function that a start names, or why it cannot run.
func (r *Registry) find(s machine.Start) (Func, []string, error) {
	name, args, isTask := r.nameOf(s)
	switch f := r.funcs[name]; {
	case !isTask:
		return nil, nil, fmt.Errorf("%s is no task, and this program runs nothing but tasks; registered are: %s", s.Key.ID, r.names())
	case f == nil:
		return nil, nil, fmt.Errorf("command %s%s: no task of that name is registered; there are: %s", prefix, name, r.names())
	default:
		return f, args, notForTasks(s.Spec)
	}
}

func (r *Registry) names() string {
	if len(r.funcs) == 0 {
		return "none"
	}
	return strings.Join(slices.Sorted(maps.Keys(r.funcs)), ", ")
}

// notForTasks refuses what a function inside this program cannot be given.
func notForTasks(s *child.Spec) error {
	for _, f := range []struct {
		field string
		set   bool
	}{
		{"run_as", s.RunAs != nil}, {"resource_limits", s.ResourceLimits != nil},
		{"working_dir", s.WorkingDir != ""}, {"env_files", len(s.EnvFiles) > 0},
		{"environment: secret_ref", slices.ContainsFunc(s.Environment, func(v child.EnvVar) bool { return v.SecretRef != "" })},
	} {
		if f.set {
			return fmt.Errorf("%s: a task runs inside this program and cannot have its own", f.field)
		}
	}
	return nil
}
