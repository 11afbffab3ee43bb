package machine

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/reconciler-dev/reconciler/pkg/runtime/child"
)

// world is a tree, a clock and a notebook. It is told what happens in lines of
// text; the scripts of testdata, the matrix and the tables all speak that way.
// Every invariant is tested after every step.
type world struct {
	t       tester
	cfg     Config
	tree    *Tree
	now     Instant
	records []Record
	command int // the number of the last one
	specs   map[child.ID]*child.Spec
	last    Ready // of the last line
}

// tester is what *testing.T and *rapid.T have in common.
type tester interface {
	Helper()
	Fatal(args ...any)
	Fatalf(format string, args ...any)
}

func newWorld(t tester, lines ...string) *world {
	w := &world{t: t, cfg: Config{StartSlots: 4, Seed: 1}, specs: map[child.ID]*child.Spec{}}
	w.tree = New(w.cfg)
	w.do(lines...)
	return w
}

func (w *world) wall() time.Time { return epochWall.Add(time.Duration(w.now)) }

// do carries out lines and returns what came of the last one.
func (w *world) do(lines ...string) Ready {
	w.t.Helper()
	for _, line := range lines {
		w.last = Ready{}
		w.line(strings.Fields(line))
	}
	return w.last
}

// line is one command:
//
//	add|update|replace ID [OPTION…]         options of spec, see option; none: the same manifest once more
//	remove|restart|pause|resume|quarantine ID
//	signal ID SIGNAL
//	shutdown, hurry, leave
//	connect, detach, adopt [ID|ID.GENERATION|ID.GENERATION=EXIT]…, ID? for a start under way
//	started|busy|refused ID[.GENERATION]
//	exit ID[.GENERATION] CODE|SIGNAL|lost|oom
//	advance DURATION                       ticks on the way whenever one is due
//	crash                                  a new tree from the records
//	slots N, look DURATION                 of the trees to come: a crash follows
//	seen ID…
//	exit-on-critical
func (w *world) line(f []string) {
	w.t.Helper()
	switch verb := f[0]; verb {
	case "add", "update", "replace", "remove", "restart", "pause", "resume", "quarantine", "signal", "shutdown", "hurry", "leave":
		w.step(w.commandOf(f))
	case "connect":
		w.step(Adopted{})
	case "detach":
		w.step(Detached{Reason: "broken pipe"})
	case "adopt":
		w.step(w.adoptedOf(f[1:]))
	case "started":
		w.step(Started{w.process(f[1])})
	case "busy":
		w.step(StartFailed{Key: w.key(f[1]), Reason: "an older attempt is alive", Busy: true, At: w.wall()})
	case "refused":
		w.step(StartFailed{Key: w.key(f[1]), Reason: "no such file", At: w.wall()})
	case "exit":
		w.step(w.exitOf(f[1], f[2]))
	case "advance":
		w.advance(duration(w.t, f[1]))
	case "crash":
		w.tree = Restore(w.cfg, w.now, w.wall(), w.records)
		w.check("Restore")
	case "look":
		w.cfg.LookTime = duration(w.t, f[1])
	case "seen":
		var ev Seen
		for _, id := range f[1:] {
			ev.IDs = append(ev.IDs, child.ID(id))
		}
		w.step(ev)
	case "exit-on-critical":
		w.cfg.ExitOnCritical = true
		w.tree = New(w.cfg)
	case "slots":
		w.cfg.StartSlots, _ = strconv.Atoi(f[1])
		w.tree = New(w.cfg)
	default:
		if !w.probeLine(f) && !w.hookLine(f) {
			w.t.Fatalf("unknown line %q", strings.Join(f, " "))
		}
	}
}

func (w *world) step(ev Event) {
	w.t.Helper()
	w.tree.Step(w.now, w.wall(), ev)
	w.check(fmt.Sprintf("%T %+v", ev, ev))
	r := w.tree.Ready()
	w.records = append(w.records, r.Records...)
	w.last.Records = append(w.last.Records, r.Records...)
	w.last.Effects = append(w.last.Effects, r.Effects...)
	w.last.Changed = append(w.last.Changed, r.Changed...)
	w.last.Facts = append(w.last.Facts, r.Facts...)
	w.last.Replies = append(w.last.Replies, r.Replies...)
}

func (w *world) check(after string) {
	w.t.Helper()
	if err := w.tree.Check(); err != nil {
		w.t.Fatalf("after %s: %v", after, err)
	}
}

func (w *world) advance(d time.Duration) {
	end := w.now + Instant(d)
	for range 1000 {
		next, ok := w.tree.Next()
		if !ok || next > end {
			w.now = end
			return
		}
		w.now = max(w.now, next)
		w.step(Ticked{})
	}
	w.t.Fatalf("more than 1000 ticks within %s", d)
}

func (w *world) commandOf(f []string) Command {
	w.command++
	c := Command{ID: CommandID(fmt.Sprint("cmd-", w.command)), Verb: Verb(f[0]), Cause: child.Cause{RequestedBy: "alice", Reason: "manual " + f[0]}}
	if c.Verb == "shutdown" {
		c.Verb = ShutdownTree
	}
	if len(f) > 1 {
		c.Child = child.ID(f[1])
	}
	switch c.Verb {
	case Add, Update, Replace:
		c.Spec = testSpec()
		if old := w.specs[c.Child]; old != nil && c.Verb != Add {
			spec := *old
			c.Spec = &spec
		}
		for _, o := range f[2:] {
			w.option(c.Spec, o)
		}
		w.specs[c.Child] = c.Spec
		c.Origin = child.Origin{File: string(c.Child) + ".yaml", Generation: uint64(w.command)}
		if s, ok := w.tree.Snapshot(c.Child); ok && len(f) == 2 {
			c.Origin = s.Origin // the same manifest once more
		}
	case SendSignal:
		c.Signal = f[2]
	}
	return c
}

// option changes a spec: policy=transient, suspend=true, supervisor, deps=a,b:started,c! (with restart),
// limit=3/60s, backoff=100ms..10s, jitter=0.5, reset=30s, grace=5s, abort=1s, codes=0,3,
// signal=SIGINT, command=x, umask=0027, strategy=one_for_all, group=mail:3/60s, tags=mail,web,
// critical, sidecar=primary.
func (w *world) option(s *child.Spec, option string) {
	w.t.Helper()
	key, value, _ := strings.Cut(option, "=")
	switch key {
	case "policy":
		s.RestartPolicy = child.RestartPolicy(value)
	case "suspend":
		s.Suspend = value == "true"
	case "supervisor":
		s.Kind = child.Supervisor
	case "worker":
		s.Kind = child.AsyncWorker
	case "deps":
		s.Dependencies = nil
		for _, d := range strings.FieldsFunc(value, func(r rune) bool { return r == ',' }) {
			id, condition, found := strings.Cut(d, ":")
			if !found {
				condition = "ready"
			}
			id, restart := strings.CutSuffix(id, "!")
			s.Dependencies = append(s.Dependencies, child.Dependency{ID: child.ID(id), Condition: child.Condition(condition), Restart: restart})
		}
	case "limit":
		n, window, _ := strings.Cut(value, "/")
		limit, _ := strconv.Atoi(n)
		s.RestartLimit = &child.RestartLimit{MaxRestarts: limit, Window: child.Seconds(duration(w.t, window))}
	case "backoff":
		first, limit, _ := strings.Cut(value, "..")
		s.Backoff.InitialDelay = child.Millis(duration(w.t, first))
		s.Backoff.MaxDelay = child.Millis(duration(w.t, limit))
	case "jitter":
		s.Backoff.JitterRatio, _ = strconv.ParseFloat(value, 64)
	case "reset":
		s.Backoff.ResetAfter = child.Seconds(duration(w.t, value))
	case "grace":
		s.Shutdown.GracefulTimeout = child.Seconds(duration(w.t, value))
	case "abort":
		s.Shutdown.AbortWait = child.Seconds(duration(w.t, value))
	case "codes":
		s.SuccessExitCodes = nil
		for c := range strings.SplitSeq(value, ",") {
			code, _ := strconv.Atoi(c)
			s.SuccessExitCodes = append(s.SuccessExitCodes, code)
		}
	case "signal":
		s.Shutdown.Signal = value
	case "command":
		s.Command = []string{value}
	case "strategy":
		s.Strategy = child.Strategy(value)
	case "group":
		tag, limit, _ := strings.Cut(value, ":")
		n, window, _ := strings.Cut(limit, "/")
		most, _ := strconv.Atoi(n)
		s.FailureGroups = append(s.FailureGroups, child.FailureGroup{
			Tag: tag, RestartLimit: child.RestartLimit{MaxRestarts: most, Window: child.Seconds(duration(w.t, window))},
		})
	case "tags":
		s.Tags = strings.Split(value, ",")
	case "critical":
		s.Criticality = child.Critical
	case "sidecar":
		s.SidecarOf = child.ID(value)
	case "umask":
		s.RunAs = &child.RunAs{Umask: value}
	default:
		if !w.probeOption(s, key, value) && !w.hookOption(s, key, value) {
			w.t.Fatalf("unknown option %q", option)
		}
	}
}

// key is the current key of "a", or that of another generation: "a.3".
func (w *world) key(text string) child.Key {
	id, generation, other := strings.Cut(text, ".")
	k := child.Key{ID: child.ID(id), Incarnation: 1}
	if s, ok := w.tree.Snapshot(k.ID); ok {
		k.Incarnation, k.Generation = s.Incarnation, s.Generation
	}
	if other {
		n, _ := strconv.Atoi(generation)
		k.Generation = child.Generation(n)
	}
	return k
}

// process has a pid that tells its generation: 100 for the first.
func (w *world) process(text string) Process {
	k := w.key(text)
	return Process{Key: k, Attempt: child.Attempt(k.Generation + 1), PID: 100 + int(k.Generation), StartedAt: w.wall()}
}

func (w *world) exitOf(name, how string) Exited {
	k := w.key(name)
	ev := Exited{Key: k, Attempt: child.Attempt(k.Generation + 1), FinishedAt: w.wall()}
	if s, ok := w.tree.Snapshot(k.ID); ok {
		ev.PID, ev.StartedAt = s.PID, s.StartedAt
	}
	switch code, err := strconv.Atoi(how); {
	case err == nil:
		ev.Code = &code
	case how == "lost":
		ev.Lost = true
	case how == "oom":
		ev.Signal, ev.OOMKilled = "SIGKILL", true
	default:
		ev.Signal = how
	}
	return ev
}

func (w *world) adoptedOf(names []string) Adopted {
	var ev Adopted
	for _, n := range names {
		if name, pending := strings.CutSuffix(n, "?"); pending {
			ev.Starting = append(ev.Starting, w.key(name))
		} else if name, how, ended := strings.Cut(n, "="); ended {
			ev.Exits = append(ev.Exits, w.exitOf(name, how))
		} else {
			ev.Processes = append(ev.Processes, w.process(n))
		}
	}
	return ev
}

func (w *world) snapshot(id child.ID) *child.Snapshot {
	w.t.Helper()
	s, ok := w.tree.Snapshot(id)
	if !ok {
		w.t.Fatalf("there is no child %s", id)
	}
	return s
}

// effects are those of the last line, in words: "start a#1.0".
func (w *world) effects() string {
	var words []string
	for _, e := range w.last.Effects {
		words = append(words, effectWords(e))
	}
	return strings.Join(words, ", ")
}

func effectWords(e Effect) string {
	switch e := e.(type) {
	case Start:
		return "start " + e.Key.String()
	case Signal:
		if e.Tree {
			return e.Signal + " to the tree of " + e.Key.String()
		}
		return e.Signal + " to " + e.Key.String()
	case Acknowledge:
		return "acknowledge " + e.Key.String()
	case Probe:
		return fmt.Sprintf("probe %d %s of %s", e.Number, e.Role, e.Key)
	case CancelProbe:
		return fmt.Sprintf("cancel %d %s of %s", e.Number, e.Role, e.Key)
	}
	return fmt.Sprintf("%T", e)
}

// answer is the reply to the last line, in words.
func (w *world) answer() string {
	var words []string
	for _, r := range w.last.Replies {
		words = append(words, replyWords(r))
	}
	return strings.Join(words, "; ")
}

func replyWords(r Reply) string {
	if r.Decision == Rejected {
		return "rejected " + string(r.Code)
	}
	return string(r.Decision)
}

func duration(t tester, s string) time.Duration {
	t.Helper()
	d, err := time.ParseDuration(s)
	if err != nil {
		t.Fatal(err)
	}
	return d
}
