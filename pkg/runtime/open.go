package runtime

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	goruntime "runtime"
	"sync"

	"github.com/go-logr/logr"

	"github.com/reconciler-dev/reconciler/internal/private"
	"github.com/reconciler-dev/reconciler/internal/trust"
	"github.com/reconciler-dev/reconciler/pkg/runtime/child"
	"github.com/reconciler-dev/reconciler/pkg/runtime/journal"
	"github.com/reconciler-dev/reconciler/pkg/runtime/machine"
	"github.com/reconciler-dev/reconciler/pkg/runtime/probe"
	"github.com/reconciler-dev/reconciler/pkg/runtime/shim"
	"github.com/reconciler-dev/reconciler/pkg/runtime/task"
)

// Options say how a runtime is embedded in a program. StateDir is required.
type Options struct {
	// StateDir holds what must outlive the program: records, journal, logs. One
	// program uses it at a time.
	StateDir string

	// Tasks are the functions of this program that may run as children; nil: none.
	Tasks *task.Registry

	// Processes says that children may be processes. A process of its own owns
	// them, this program started once more: its main must call IsShim first.
	Processes bool

	// Host is where processes run and what they inherit. The zero value is the
	// working directory and the environment of this program.
	Host Host

	// Leave says that processes run on when Run ends, for the next Open of the
	// directory to adopt them. Tasks always end.
	Leave bool

	// ExitOnCritical ends Run, after a shutdown of all, when a critical child has
	// ended for good: the error is a *CriticalEndError.
	ExitOnCritical bool

	StartSlots int         // starts under way at the same time; 0: twice the cores
	Log        logr.Logger // the zero value is silent
}

// Embedded is a runtime with all that it needs, in a program of yours. Make it
// with Open, let it Run once.
type Embedded struct {
	options   Options
	runtime   *Runtime
	processes interface {
		Processes
		Run(context.Context) error
	}
	shim    *ShimProcesses // nil: tasks only
	closers []io.Closer
	closing sync.Once
}

// Open takes the state directory and brings back what an earlier run recorded
// there. Nothing runs before Run.
func Open(o Options) (_ *Embedded, err error) {
	if IsShim() {
		return nil, errors.New("open runtime: this process was started to be the shim of its runtime: main must call IsShim first, and ServeShim then")
	}
	if o.StateDir == "" || o.Tasks == nil && !o.Processes {
		return nil, errors.New("open runtime: it needs a StateDir, and Tasks or Processes")
	}
	if o.StateDir, err = filepath.Abs(o.StateDir); err != nil {
		return nil, fmt.Errorf("open runtime: %w", err)
	}
	if o.StartSlots == 0 {
		o.StartSlots = 2 * goruntime.NumCPU()
	}
	e := &Embedded{options: o}
	if err := e.open(); err != nil {
		e.Close()
		return nil, fmt.Errorf("open runtime in %s: %w", o.StateDir, err)
	}
	return e, nil
}

// noGroup gets to a state directory but its owner.
const noGroup = -1

func (e *Embedded) open() error {
	o := e.options
	if err := private.Dir(o.StateDir, trust.Own()); err != nil {
		return err
	}
	held, err := lockState(o.StateDir)
	if err != nil {
		return err
	}
	e.closers = append(e.closers, held)
	if err := private.Admit(o.StateDir, noGroup); err != nil {
		return err
	}
	records, restored, err := journal.OpenRecords(filepath.Join(o.StateDir, "records"))
	if err != nil {
		return err
	}
	e.closers = append(e.closers, records)
	if damage := records.Damage(); damage != nil {
		o.Log.Error(damage, "a part of the records could not be read; what was lost is adopted or started anew")
	}
	facts, err := journal.OpenFacts(filepath.Join(o.StateDir, "journal"))
	if err != nil {
		return err
	}
	e.closers = append(e.closers, facts)
	if err := e.openProcesses(); err != nil {
		return err
	}
	probing := probe.Config{LogDir: func(id child.ID) string { return filepath.Join(o.StateDir, "logs", string(id)) }}
	if e.shim != nil {
		probing.Exec = e.shim.Exec
	}
	var files func(*child.Spec) []child.FileHash
	if e.shim != nil {
		files = e.shim.Files
	}
	e.runtime, err = New(Config{
		Files:     files,
		Processes: e.processes, Records: records, Restored: restored, Journal: facts,
		Prober:     probe.New(probing),
		StartSlots: o.StartSlots, Seed: rand.Uint64(), ExitOnCritical: o.ExitOnCritical, Log: o.Log,
	})
	return err
}

func (e *Embedded) openProcesses() error {
	o := e.options
	if !o.Processes {
		e.processes = o.Tasks
		return nil
	}
	host, err := o.Host.completed()
	if err != nil {
		return err
	}
	self, err := os.Executable()
	if err != nil {
		return err
	}
	e.shim, err = NewShimProcesses(o.StateDir, []string{self, shimArgument, o.StateDir}, host, o.Log)
	if err != nil {
		return err
	}
	if o.Tasks != nil {
		e.shim.UseTasks(o.Tasks)
	}
	e.processes = e.shim
	return nil
}

// completed fills in what this program has.
func (h Host) completed() (_ Host, err error) {
	if h.WorkingDir == "" {
		h.WorkingDir, err = os.Getwd()
	}
	if h.Environ == nil {
		h.Environ = os.Environ()
	}
	if h.SecretsDir != "" {
		h.SecretsDir = absolute(h.WorkingDir, h.SecretsDir)
	}
	return h, err
}

// Handle is the way to command the runtime and to look at it.
func (e *Embedded) Handle() *Handle { return e.runtime.Handle() }

// Declare makes a child what s says, as a manifest would: one that is not there is
// added, one that is the same already is left alone, and one that differs is
// replaced. It may be called before Run has begun in another goroutine, which
// answers it.
func (e *Embedded) Declare(ctx context.Context, id child.ID, s *child.Spec, c child.Cause) (Outcome, error) {
	h := e.Handle()
	switch now, there := h.Child(id); {
	case !there:
		return h.Add(ctx, id, s, child.Origin{}, c)
	case now.Spec.Hash() == s.Hash() && now.Operation != child.Removed:
		return Outcome{Decision: machine.Idempotent, Before: now.Operation, After: now.Operation}, nil
	default:
		return h.Replace(ctx, id, s, child.Origin{}, c)
	}
}

// Run keeps the children running until ctx ends; then it stops them, dependants
// before what they depend on, each with its own grace, and closes what Open
// opened. It returns nil after a shutdown, whoever asked for it; *FailedError or
// *CriticalEndError after one that the children made necessary; and else what broke:
// then processes run on, and the next Open adopts them.
func (e *Embedded) Run(ctx context.Context) error {
	defer e.Close()
	base := context.WithoutCancel(ctx)
	outside, endProcesses := context.WithCancel(base)
	defer endProcesses()
	inside, endLoop := context.WithCancelCause(base)
	defer endLoop(nil)

	var parts sync.WaitGroup
	var broke error
	parts.Go(func() {
		if broke = e.processes.Run(outside); broke != nil {
			endLoop(broke)
		}
	})
	watched := make(chan struct{})
	parts.Go(func() {
		select {
		case <-ctx.Done():
			e.stop()
		case <-watched:
		}
	})
	err := e.runtime.Run(inside)
	close(watched)
	if e.shim != nil && !e.options.Leave {
		e.shim.Quit() // refused as long as it owns something
	}
	endProcesses()
	parts.Wait()
	if err == broke {
		err = nil
	}
	return errors.Join(err, broke)
}

// stop is the orderly end.
func (e *Embedded) stop() {
	cause := child.Cause{RequestedBy: "program", Reason: "the program that runs the children was told to end"}
	if e.options.Leave {
		if _, err := e.Handle().Leave(context.Background(), cause); err != nil {
			e.options.Log.V(1).Info("the runtime ended before it was told to", "reason", err.Error())
		}
		return
	}
	if _, err := e.Handle().ShutdownTree(context.Background(), cause); err != nil {
		e.options.Log.V(1).Info("the runtime ended before its shutdown", "reason", err.Error())
	}
}

// Close gives the state directory back. Only who does not Run needs it.
func (e *Embedded) Close() {
	e.closing.Do(func() {
		for i := len(e.closers) - 1; i >= 0; i-- {
			if err := e.closers[i].Close(); err != nil {
				e.options.Log.Error(err, "close the state directory")
			}
		}
	})
}

// shimArgument is the first argument of a program that is to be the shim of its
// embedded runtime.
const shimArgument = "reconciler-shim"

// IsShim reports whether this program was started to own the processes of its
// embedded runtime. Then its main calls ServeShim and returns.
func IsShim() bool { return len(os.Args) == 3 && os.Args[1] == shimArgument }

// ServeShim owns the processes until there are none left to own.
func ServeShim(ctx context.Context) error {
	if !IsShim() {
		return errors.New("serve shim: this program was not started as one")
	}
	return shim.Serve(ctx, shim.Config{StateDir: os.Args[2]})
}
