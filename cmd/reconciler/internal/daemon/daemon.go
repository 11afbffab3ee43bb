package daemon

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/go-logr/logr"

	"github.com/reconciler-dev/reconciler/cmd/reconciler/internal/cli"
	"github.com/reconciler-dev/reconciler/pkg/control"
	"github.com/reconciler-dev/reconciler/pkg/control/server"
	"github.com/reconciler-dev/reconciler/pkg/desired"
	"github.com/reconciler-dev/reconciler/pkg/desired/requests"
	"github.com/reconciler-dev/reconciler/pkg/metrics"
	"github.com/reconciler-dev/reconciler/pkg/reconcile"
	"github.com/reconciler-dev/reconciler/pkg/runtime"
	"github.com/reconciler-dev/reconciler/pkg/runtime/child"
	"github.com/reconciler-dev/reconciler/pkg/runtime/journal"
	"github.com/reconciler-dev/reconciler/pkg/runtime/machine"
	"github.com/reconciler-dev/reconciler/pkg/runtime/probe"
	"github.com/reconciler-dev/reconciler/pkg/runtime/shim"
	"github.com/reconciler-dev/reconciler/pkg/status"
)

// Shim is the hidden verb that owns the processes of one state directory.
func Shim(ctx context.Context, stateDir string) error {
	if err := keepMemory(); err != nil {
		return err
	}
	dir, err := filepath.Abs(stateDir)
	if err != nil {
		return err
	}
	return shim.Serve(ctx, shim.Config{StateDir: dir, Version: cli.BuildVersion()})
}

// Run is `reconciler run`. It returns when everything has stopped. It changes this
// process: see cleanProcess.
func Run(ctx context.Context, c cli.RunConfig) error {
	outliveOutput()
	cleanProcess()
	d := &daemon{config: c, begun: time.Now()}
	d.log = newLog(c)
	err := keepMemory()
	if err != nil {
		return err
	}
	if os.Getpid() == 1 {
		return runBelowInit(ctx, c, d.log)
	}
	if d.dirs, err = checkDirs(c.Dirs); err != nil {
		return err
	}
	if err := makeDirs(d.dirs, ownersOfWay(c.Source.Owners)); err != nil {
		return err
	}
	me := Holder{PID: os.Getpid(), StartedAt: d.begun.UTC(), Manifests: d.dirs.Manifests, Status: d.dirs.Status}
	held, err := lock(d.dirs.State, me)
	if err != nil {
		return err
	}
	d.state = stateLock{dir: d.dirs.State, me: me, way: ownersOfWay(c.Source.Owners), file: held}
	defer d.state.release()
	d.status = statusLock{dir: d.dirs.Status, me: me, way: ownersOfWay(c.Source.Owners)}
	if err := d.status.take(); err != nil {
		return err
	}
	defer d.status.release()
	return d.run(ctx)
}

// lookTime is how long what an earlier run declared waits for a look at the manifests
// before it starts. A look takes milliseconds; the rest is for a mount that is late,
// or hangs. docs/semantics.md promises it.
const lookTime = 10 * time.Second

// daemon is what the parts share.
type daemon struct {
	config cli.RunConfig
	dirs   cli.Dirs // absolute
	log    logr.Logger
	begun  time.Time

	procs    *runtime.ShimProcesses
	handle   *runtime.Handle
	source   *desired.Source
	requests *requests.Store
	loop     *reconcile.Loop
	writer   *status.Writer
	socket   *server.Server
	metrics  *metrics.Metrics
	scraped  net.Listener // of --metrics-listen; nil: none
	state    stateLock
	status   statusLock
	left     bool // told to end and leave the children
}

// run opens what outlives the parts, builds them and runs them.
func (d *daemon) run(ctx context.Context) error {
	records, restored, err := journal.OpenRecords(filepath.Join(d.dirs.State, "records"))
	if err != nil {
		return err
	}
	defer records.Close()
	if damage := records.Damage(); damage != nil {
		d.log.Error(damage, "a part of the records could not be read; what was lost is adopted from the shim or started anew")
	}
	facts, err := journal.OpenFacts(filepath.Join(d.dirs.State, "journal"))
	if err != nil {
		return err
	}
	defer facts.Close()
	loop, err := d.build(records, restored, facts)
	if err != nil {
		return err
	}
	if address := d.config.MetricsListen; address != "" {
		if d.scraped, err = listenMetrics(address, ownersOfWay(d.config.Source.Owners)); err != nil {
			return err
		}
		d.log.Info("metrics are served", "address", d.scraped.Addr().String(), "path", "/metrics", "open_to_other_machines", isOpenToOthers(d.scraped))
	}
	ctx, signals := d.signals(ctx)
	defer signals.stop()
	d.log.Info("reconciler started", "version", d.config.Version, "pid", os.Getpid(), "manifests", d.dirs.Manifests, "status", d.dirs.Status, "state", d.dirs.State)
	err = runParts(ctx, d.parts(loop))
	var ended *runtime.CriticalEndError
	if left := d.leftAlive(); left != nil && (err == nil || errors.As(err, &ended)) {
		return left
	}
	if errors.As(err, &ended) {
		code := exitCodeOf(ended.Exit)
		d.log.Info("reconciler ended, because a critical child did", "child", string(ended.Child), "exit_code", code)
		return cli.ExitWith(code)
	}
	if err != nil {
		return err
	}
	d.log.Info("reconciler ended")
	return nil
}

// leftAlive is the error of a shutdown after which something may be alive.
func (d *daemon) leftAlive() error {
	report := d.handle.Health().Report
	if report == nil || len(report.Orphans) == 0 {
		return nil
	}
	return cli.LeftAliveError(report.Orphans)
}

// build makes the parts; nothing runs yet.
func (d *daemon) build(records *journal.Records, restored []machine.Record, facts *journal.Facts) (*runtime.Runtime, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("find the own executable, to start the shim: %w", err)
	}
	cwd, err := os.Getwd()
	if err != nil {
		return nil, err
	}
	secrets, err := d.secretsDir()
	if err != nil {
		return nil, err
	}
	host := runtime.Host{WorkingDir: cwd, ManifestsDir: d.dirs.Manifests, BinDir: filepath.Join(d.dirs.Manifests, "bin"), Environ: os.Environ(), SecretsDir: secrets, Owners: d.config.Source.Owners}
	d.procs, err = runtime.NewShimProcesses(d.dirs.State, []string{self, "shim", "--state", d.dirs.State}, host, d.log.WithName("shim"))
	if err != nil {
		return nil, err
	}
	counted := &countedFacts{Journal: facts}
	rt, err := runtime.New(runtime.Config{
		Linked:    func() { d.writer.Kick() },
		Files:     d.procs.Files,
		Processes: d.procs, Records: records, Restored: restored, Journal: counted,
		Prober: probe.New(probe.Config{
			LogDir:  func(id child.ID) string { return filepath.Join(d.dirs.State, "logs", string(id)) },
			Observe: d.countProbe,
			Exec:    d.procs.Exec,
		}),
		LookTime:   lookTime,
		StartSlots: d.config.StartSlots, Seed: rand.Uint64(), ExitOnCritical: d.config.ExitOnCritical, Log: d.log.WithName("runtime"),
	})
	if err != nil {
		return nil, err
	}
	d.handle = rt.Handle()
	d.metrics = d.newMetrics()
	counted.metrics = d.metrics
	if d.requests, err = d.openRequests(); err != nil {
		return nil, err
	}
	d.source, err = desired.NewSource(desired.Options{
		Requests: d.requests.All, TakenOver: d.forgetRequests,
		Root: d.dirs.Manifests, Rescan: d.config.Rescan,
		MaxRemovals: d.config.Source.MaxRemovals, AllowEmpty: d.config.Source.AllowEmpty, Owners: d.config.Source.Owners,
		Last: lastSet(d.handle.Children()), Running: d.isRunning, Log: d.log.WithName("source"),
	})
	if err != nil {
		return nil, err
	}
	d.loop = reconcile.NewLoop(reconcile.Options{
		Source: d.source, Supervisor: d.handle, Subscription: d.handle.Subscribe(),
		Observe: d.countPass, Log: d.log.WithName("reconcile"),
	})
	group, err := statusGroup(d.config.StatusGroup)
	if err != nil {
		return nil, err
	}
	d.writer, err = status.NewWriter(d.dirs.Status, status.Options{
		Group: group, Prepare: d.status.retake, Owned: d.status.owned,
		Children: d.handle, Subscription: d.handle.Subscribe(), Desired: d.source.Current, Info: d.info,
		Adopted: d.handle.Adopted(), Changes: d.loop.Changes(), Log: d.log.WithName("status"),
	})
	if err != nil {
		return nil, err
	}
	d.socket, err = server.New(server.Options{
		Socket: filepath.Join(d.dirs.State, control.SocketName), Group: d.config.ControlGroup,
		Supervisor: d.handle, View: d.writer, Desired: d.source.Current, Reconcile: d.reconcile, Requests: declared{d.requests, d.source}, Hold: d.loop.Hold, Metrics: d.metrics.Handler(),
		LogDir: filepath.Join(d.dirs.State, "logs"), JournalDir: filepath.Join(d.dirs.State, "journal"),
		AnswersFile: filepath.Join(d.dirs.State, "answers.jsonl"), Rate: rateOf(d.config.ControlRate),
		Log: d.log.WithName("control"),
	})
	return rt, err
}

// parts are in the order of their start; they stop in reverse. The socket answers
// until the runtime has ended: who asked for a shutdown gets its report.
func (d *daemon) parts(loop *runtime.Runtime) []part {
	first := []part{
		{name: "shim", run: d.procs.Run, stop: d.releaseShim},
		{name: "status", run: d.writer.Run},
		d.keepHome(),
		{name: "control", run: d.socket.Run},
	}
	if d.scraped != nil {
		first = append(first, d.serveMetrics(d.scraped)) // until the runtime has ended
	}
	return append(first, []part{
		{name: "runtime", run: loop.Run, stop: d.shutdown},
		{name: "reconcile", run: d.loop.Run},
		{name: "source", run: d.source.Run},
	}...)
}

// lastSet is the desired state that the runtime still holds from the run before:
// the last valid manifest of every child, also of one whose file is broken now.
func lastSet(children []*child.Snapshot) *desired.Set {
	set := &desired.Set{}
	for _, s := range children {
		set.Entries = append(set.Entries, desired.Entry{ID: s.ID, Spec: s.Spec, Origin: s.Origin})
	}
	return set
}

// isRunning tells the source whom a large removal would hurt. Before the
// adoption nobody knows, so all run.
func (d *daemon) isRunning(id child.ID) bool {
	select {
	case <-d.handle.Adopted():
		s, ok := d.handle.Child(id)
		return ok && s.Phase.HasProcess()
	default:
		return true
	}
}

// shutdown stops the tree, or leaves it to the next run.
func (d *daemon) shutdown() {
	if d.handle.Health().Report != nil {
		return // it was shut down by command, or broke; its error is already known
	}
	cause := child.Cause{RequestedBy: "signal", Reason: "the reconciler was told to end"}
	if d.config.OnExit == cli.LeaveChildren {
		d.leave(cause)
		return
	}
	d.writer.Kick()
	report, err := d.handle.ShutdownTree(context.Background(), cause)
	var ended *runtime.EndedError
	if errors.As(err, &ended) {
		return // it broke by itself; its error is already known
	}
	if err != nil {
		d.log.Error(err, "shutdown of the tree")
		return
	}
	counts := map[machine.OutcomeStatus]int{}
	for _, o := range report.Outcomes {
		counts[o.Status]++
	}
	d.log.Info("all children are down", "outcomes", fmt.Sprint(counts), "took", report.CompletedAt.Sub(report.StartedAt).Round(time.Millisecond).String())
}

// leave ends the runtime as it is. It refuses in the middle of a shutdown that
// somebody else asked for; then that goes on.
func (d *daemon) leave(cause child.Cause) {
	report, err := d.handle.Leave(context.Background(), cause)
	if err != nil {
		d.log.Error(err, "leave the children")
		_, _ = d.handle.Join(context.Background()) // it cannot fail without a deadline
		return
	}
	if d.left = report.Phase == "leave"; d.left {
		d.log.Info("children are left running for the next start")
	}
}

// releaseShim lets a shim that owns nothing end; one that does stays.
func (d *daemon) releaseShim() {
	if !d.left {
		d.procs.Quit()
	}
}

// checkDirs makes the directories absolute and refuses those that would feed the
// reconciler its own output.
func checkDirs(dirs cli.Dirs) (cli.Dirs, error) {
	var abs cli.Dirs
	for _, d := range []struct {
		flag, path string
		to         *string
	}{{"--manifests", dirs.Manifests, &abs.Manifests}, {"--status", dirs.Status, &abs.Status}, {"--state", dirs.State, &abs.State}} {
		path, err := filepath.Abs(d.path)
		if err != nil || d.path == "" {
			return abs, fmt.Errorf("%s %q: want the path of a directory", d.flag, d.path)
		}
		*d.to = path
	}
	for _, d := range []struct{ flag, path string }{{"--status", abs.Status}, {"--state", abs.State}} {
		if isBelow(abs.Manifests, d.path) {
			return abs, fmt.Errorf("%s %s lies inside the manifests directory %s: choose a directory outside", d.flag, d.path, abs.Manifests)
		}
	}
	if abs.Status == abs.State {
		return abs, fmt.Errorf("--status and --state are both %s: they need a directory each", abs.Status)
	}
	return abs, nil
}

// secretsDir is the directory of the secrets, absolute. One that cannot be read yet
// is told, and no more: children that run need nothing of it now.
func (d *daemon) secretsDir() (string, error) {
	if d.config.Secrets == "" {
		return "", nil
	}
	dir, err := filepath.Abs(d.config.Secrets)
	if err != nil {
		return "", fmt.Errorf("--secrets %q: %w", d.config.Secrets, err)
	}
	if isBelow(d.dirs.Manifests, dir) {
		return "", fmt.Errorf("--secrets %s lies inside the manifests directory %s: choose a directory outside", d.config.Secrets, d.dirs.Manifests)
	}
	if _, err := os.ReadDir(dir); err != nil {
		d.log.Error(err, "the secrets directory cannot be read; children that need a secret do not start until it can be")
	}
	return dir, nil
}

// isBelow reports whether path is root or lies in it, links followed as far as
// they exist.
func isBelow(root, path string) bool {
	rel, err := filepath.Rel(resolved(root), resolved(path))
	return err == nil && rel != ".." && !strings.HasPrefix(rel, ".."+string(filepath.Separator))
}

func resolved(path string) string {
	for dir, rest := path, ""; ; dir, rest = filepath.Dir(dir), filepath.Join(filepath.Base(dir), rest) {
		if real, err := filepath.EvalSymlinks(dir); err == nil {
			return filepath.Join(real, rest)
		}
		if dir == filepath.Dir(dir) {
			return path
		}
	}
}
