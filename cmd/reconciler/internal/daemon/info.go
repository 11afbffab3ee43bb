package daemon

import (
	"os"

	"github.com/reconciler-dev/reconciler/pkg/reconcile"
	"github.com/reconciler-dev/reconciler/pkg/runtime"
	"github.com/reconciler-dev/reconciler/pkg/runtime/child"
	"github.com/reconciler-dev/reconciler/pkg/status"
)

// info is what reconciler.json says of the program itself.
func (d *daemon) info() status.Info {
	h := d.handle.Health()
	info := status.Info{
		State: status.State(h.State), PID: os.Getpid(), Version: d.config.Version, StartedAt: d.begun.UTC(),
		Problems: d.loop.Problems(), Shim: d.shim(h.Connected),
		RecordsError: h.RecordsError, StateLost: d.state.Lost(),
	}
	if last := d.loop.Last(); last != nil {
		info.LastReconcile = passOf(last)
	}
	if asked := d.loop.LastAsked(); asked != nil {
		info.LastRequested = passOf(asked)
	}
	if h.Report != nil {
		info.State, info.ExitReport = status.State(h.Report.State), exitReport(*h.Report)
	}
	return info
}

func (d *daemon) shim(connected bool) status.Shim {
	by, down := d.procs.Shim()
	s := status.Shim{PID: by.PID, Connected: connected, Version: by.Version}
	if !connected {
		s.Reason = down
	}
	for _, c := range by.Lacks() {
		s.Lacks = append(s.Lacks, c.Without())
	}
	return s
}

func passOf(r *reconcile.Report) *status.Reconcile {
	pass := &status.Reconcile{
		At: r.At.UTC(), Duration: child.Seconds(r.Duration), Trigger: string(r.Trigger),
		Actions: map[string]int{}, Errors: []status.ReconcileError{},
	}
	for verb, n := range r.Accepted() {
		pass.Actions[string(verb)] = n
	}
	for _, a := range r.Refused() {
		retry := a.RetryAt.UTC()
		pass.Errors = append(pass.Errors, status.ReconcileError{
			ID: a.Action.ID, Action: string(a.Action.Verb), Message: a.Error, Tries: a.Tries, RetryAt: &retry,
		})
	}
	return pass
}

func exitReport(r runtime.ExitReport) *status.ExitReport {
	report := &status.ExitReport{
		State: status.State(r.State), Phase: r.Phase, Reason: r.Reason, Recoverable: r.Recoverable,
		Panic: r.Panic, CompletedAt: r.CompletedAt.UTC(), Children: []status.ChildEnd{},
		VerifiedClean: r.VerifiedClean, Orphans: append([]child.Orphan{}, r.Orphans...),
	}
	for _, o := range r.Children {
		end := status.ChildEnd{
			ID: o.ChildID, Generation: o.Generation, Attempt: o.Attempt, Status: string(o.Status),
			Phase: o.Phase, Reason: o.Reason,
		}
		if o.Exit != nil {
			exit := status.NewExit(o.Exit)
			end.Exit = &exit
		}
		report.Children = append(report.Children, end)
	}
	return report
}
