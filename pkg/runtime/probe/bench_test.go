package probe_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/reconciler-dev/reconciler/pkg/runtime"
	"github.com/reconciler-dev/reconciler/pkg/runtime/child"
	"github.com/reconciler-dev/reconciler/pkg/runtime/journal"
	"github.com/reconciler-dev/reconciler/pkg/runtime/machine"
	"github.com/reconciler-dev/reconciler/pkg/runtime/probe"
)

// processes start at once and do nothing.
type processes struct {
	events  chan machine.Event
	started chan child.ID
}

func newProcesses() *processes {
	return &processes{events: make(chan machine.Event, 4096), started: make(chan child.ID, 4096)}
}

func (p *processes) Start(s machine.Start) {
	p.started <- s.Key.ID
	p.events <- machine.Started{Process: machine.Process{Key: s.Key, Attempt: s.Attempt, PID: 2, StartedAt: time.Now()}}
}
func (p *processes) Signal(machine.Signal)        {}
func (p *processes) Acknowledge(child.Key)        {}
func (p *processes) Events() <-chan machine.Event { return p.events }

func run(b *testing.B, p *processes, prober runtime.Prober) *runtime.Handle {
	b.Helper()
	records, _, err := journal.OpenRecords(b.TempDir())
	if err != nil {
		b.Fatal(err)
	}
	r, err := runtime.New(runtime.Config{Processes: p, Records: records, Prober: prober, StartSlots: 64})
	if err != nil {
		b.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { _ = r.Run(ctx) })
	b.Cleanup(func() {
		cancel()
		running.Wait()
		if err := records.Close(); err != nil {
			b.Error(err)
		}
	})
	p.events <- machine.Adopted{}
	return r.Handle()
}

func spec(port int) *child.Spec {
	second := child.Seconds(time.Second)
	return &child.Spec{
		Kind: child.AsyncWorker, Command: []string{"x"}, RestartPolicy: child.Permanent,
		Shutdown: child.Shutdown{Signal: "SIGTERM", GracefulTimeout: second, AbortWait: second},
		Readiness: &child.Readiness{
			CheckInterval: second, Timeout: 5 * second, SuccessThreshold: 1, FailureThreshold: 1,
			Probe: child.Probe{HTTP: &child.HTTPProbe{Port: port}},
		},
	}
}

func add(b *testing.B, h *runtime.Handle, id child.ID, s *child.Spec) {
	b.Helper()
	if _, err := h.Add(b.Context(), id, s, child.Origin{}, child.Cause{RequestedBy: "bench", Reason: "bench"}); err != nil {
		b.Fatal(err)
	}
}

// server is a web server in a process of its own.
func server(b *testing.B) int {
	b.Helper()
	cmd := exec.CommandContext(b.Context(), os.Args[0])
	cmd.Env = append(os.Environ(), "PROBE_BENCH_SERVER=1")
	out, err := cmd.StdoutPipe()
	if err != nil {
		b.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		b.Fatal(err)
	}
	port, err := strconv.Atoi(strings.TrimSpace(line))
	if err != nil {
		b.Fatal(err)
	}
	return port
}

func cpu(b *testing.B) time.Duration {
	b.Helper()
	var u unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// BenchmarkThousandChildren is the processor time of a whole runtime that asks a
// thousand web servers each second, beside that of a bare client of net/http that
// makes the same requests at the same rate. An operation is one second.
func BenchmarkThousandChildren(b *testing.B) {
	const children = 1000
	port := server(b)
	asked := make(chan struct{}, 1<<20)
	p := newProcesses()
	h := run(b, p, probe.New(probe.Config{Observe: func(_ machine.Probe, ok bool, _ time.Duration) {
		if !ok {
			b.Error("a probe failed")
		}
		asked <- struct{}{}
	}}))
	for i := range children {
		add(b, h, child.ID(fmt.Sprint("c", i)), spec(port))
	}
	for range 2 * children { // all are ready, and looked at as usual
		<-asked
	}

	b.ResetTimer()
	before := cpu(b)
	for range b.N * children {
		<-asked
	}
	ours := cpu(b) - before
	b.StopTimer()
	for _, c := range h.Children() {
		if _, err := h.Pause(b.Context(), c.ID, child.Cause{RequestedBy: "bench", Reason: "bench"}); err != nil {
			b.Fatal(err)
		}
	}

	before = cpu(b)
	bare(b, port, b.N, children)
	theirs := cpu(b) - before
	b.ReportMetric(float64(ours.Microseconds())/float64(b.N*children), "cpu-µs/probe")
	b.ReportMetric(float64(theirs.Microseconds())/float64(b.N*children), "bare-cpu-µs/probe")
	b.ReportMetric(float64(ours)/float64(theirs), "ratio")
}

// bare makes n requests a second, evenly spread, each in a goroutine and over a
// connection of its own.
func bare(b *testing.B, port, seconds, n int) {
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: 5 * time.Second}
	target := fmt.Sprintf("http://127.0.0.1:%d/", port)
	tick := time.NewTicker(time.Second / time.Duration(n))
	defer tick.Stop()
	var asking sync.WaitGroup
	for range seconds * n {
		<-tick.C
		asking.Go(func() {
			answer, err := client.Get(target)
			if err != nil {
				b.Error(err)
				return
			}
			_, _ = io.Copy(io.Discard, answer.Body)
			_ = answer.Body.Close()
		})
	}
	asking.Wait()
}

// fakeProber answers when it is told to.
type fakeProber struct {
	asked   chan machine.Probe
	results chan machine.Probed
}

func (p *fakeProber) Run(ctx context.Context) error  { <-ctx.Done(); return ctx.Err() }
func (p *fakeProber) Probe(ask machine.Probe)        { p.asked <- ask }
func (p *fakeProber) Cancel(machine.CancelProbe)     {}
func (p *fakeProber) CancelAll()                     {}
func (p *fakeProber) Results() <-chan machine.Probed { return p.results }

// BenchmarkReadyToDependantStarted is the time from the answer that makes a child
// ready to the start of its dependant, which is recorded on disk before, beside
// that of one write to a file of the same directory.
func BenchmarkReadyToDependantStarted(b *testing.B) {
	p := newProcesses()
	prober := &fakeProber{asked: make(chan machine.Probe, 1<<16), results: make(chan machine.Probed)}
	h := run(b, p, prober)
	file, err := os.Create(b.TempDir() + "/bare")
	if err != nil {
		b.Fatal(err)
	}
	defer file.Close()
	line := []byte(strings.Repeat("x", 1000) + "\n")
	var ours, theirs time.Duration
	for i := range b.N {
		db, web := child.ID(fmt.Sprint("db", i)), child.ID(fmt.Sprint("web", i))
		add(b, h, db, spec(1))
		after := spec(1)
		after.Readiness, after.Dependencies = nil, []child.Dependency{{ID: db, Condition: child.WhenReady}}
		add(b, h, web, after)
		<-p.started
		ask := <-prober.asked
		for ask.Key.ID != db { // an older one is looked at again
			ask = <-prober.asked
		}

		begun := time.Now()
		prober.results <- machine.Probed{Key: ask.Key, Role: ask.Role, Number: ask.Number, OK: true}
		if id := <-p.started; id != web {
			b.Fatalf("%s was started; want %s", id, web)
		}
		ours += time.Since(begun)

		begun = time.Now()
		if _, err := file.Write(line); err != nil {
			b.Fatal(err)
		}
		theirs += time.Since(begun)
	}
	b.ReportMetric(float64(ours.Microseconds())/float64(b.N), "µs/start")
	b.ReportMetric(float64(theirs.Nanoseconds())/1000/float64(b.N), "bare-write-µs")
	b.ReportMetric(float64(ours)/float64(theirs), "ratio")
}
