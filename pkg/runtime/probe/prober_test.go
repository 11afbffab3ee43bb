package probe

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/reconciler-dev/reconciler/pkg/runtime/child"
	"github.com/reconciler-dev/reconciler/pkg/runtime/machine"
)

// patience is how long a test waits for what must happen on a busy machine.
const patience = 30 * time.Second

func seconds(n float64) child.Seconds { return child.Seconds(n * float64(time.Second)) }

// started runs a prober until the test ends.
func started(t testing.TB, c Config) *Prober {
	p := New(c)
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { _ = p.Run(ctx) })
	t.Cleanup(func() { cancel(); running.Wait() })
	return p
}

func readiness(id child.ID, number uint64, h child.Probe, timeout float64) machine.Probe {
	return machine.Probe{
		Key: child.Key{ID: id, Incarnation: 1}, Attempt: 1, Role: child.ReadinessRole, Number: number,
		Spec: &child.Spec{Readiness: &child.Readiness{Timeout: seconds(timeout), Probe: h}},
	}
}

func result(t testing.TB, p *Prober) machine.Probed {
	t.Helper()
	select {
	case r := <-p.Results():
		return r
	case <-time.After(patience):
		t.Fatal("no result")
		panic("unreachable")
	}
}

// look makes one look and returns its message; "" if all is well.
func look(t *testing.T, h child.Probe, timeout float64) string {
	t.Helper()
	p := started(t, Config{})
	p.Probe(readiness("a", 1, h, timeout))
	r := result(t, p)
	if r.OK != (r.Message == "") || r.Number != 1 || r.Key.ID != "a" || r.Role != child.ReadinessRole || r.Latency <= 0 {
		t.Errorf("result %+v", r)
	}
	return r.Message
}

// hanging is a server that accepts and says nothing.
func hanging(t *testing.T) child.Probe {
	return child.Probe{HTTP: &child.HTTPProbe{Port: listen(t, ignore)}}
}

func TestTheOthersWaitWhenAllSlotsAreTaken(t *testing.T) {
	p := started(t, Config{Slots: 2})
	slow := hanging(t)
	p.Probe(readiness("first", 1, child.Probe{TCP: &child.TCPProbe{Port: slow.HTTP.Port}}, 10))
	result(t, p) // it runs
	for i := range 3 {
		p.Probe(readiness(child.ID(fmt.Sprint("slow", i)), 1, slow, 3600))
	}
	p.Probe(readiness("last", 1, child.Probe{TCP: &child.TCPProbe{Port: slow.HTTP.Port}}, 10))
	p.mu.Lock()
	busy, waiting := p.busy, len(p.queue)
	p.mu.Unlock()

	for i := range 3 {
		p.Cancel(machine.CancelProbe{Key: child.Key{ID: child.ID(fmt.Sprint("slow", i)), Incarnation: 1}, Role: child.ReadinessRole, Number: 1})
	}
	r := result(t, p)

	if busy != 2 || waiting != 2 {
		t.Errorf("%d looks under way, %d waiting; want 2 and 2", busy, waiting)
	}
	if r.Key.ID != "last" || !r.OK {
		t.Errorf("result %+v; want that of the last one", r)
	}
}

func TestANewerProbeReplacesAnOlderOne(t *testing.T) {
	p := started(t, Config{})
	slow := hanging(t)
	p.Probe(readiness("a", 1, slow, 3600))

	p.Probe(readiness("a", 2, child.Probe{TCP: &child.TCPProbe{Port: slow.HTTP.Port}}, 10))

	if r := result(t, p); r.Number != 2 || !r.OK {
		t.Errorf("result %+v; want that of number 2", r)
	}
}

func TestNothingIsAnsweredAfterCancelAll(t *testing.T) {
	p := started(t, Config{Slots: 1})
	slow := hanging(t)
	for i := range 10 {
		p.Probe(readiness(child.ID(fmt.Sprint("a", i)), 1, slow, 3600))
	}

	p.CancelAll()
	p.Probe(readiness("b", 1, child.Probe{TCP: &child.TCPProbe{Port: slow.HTTP.Port}}, 10))

	if r := result(t, p); r.Key.ID != "b" {
		t.Errorf("result %+v; want none of what was cancelled", r)
	}
}

func TestTheTimeoutCountsFromTheBeginningOfTheLook(t *testing.T) {
	p := started(t, Config{Slots: 1})
	slow := hanging(t)
	p.Probe(readiness("a", 1, slow, 0.05))
	p.Probe(readiness("b", 1, slow, 0.05))

	first, second := result(t, p), result(t, p)

	if first.Message != "no answer within 50ms" || second.Message != first.Message {
		t.Errorf("results %+v and %+v", first, second)
	}
	if second.Latency < 50*time.Millisecond {
		t.Errorf("the second look took %v; want a timeout of its own", second.Latency)
	}
}

func TestObserveSeesEveryResult(t *testing.T) {
	var seen []string
	p := started(t, Config{Observe: func(p machine.Probe, ok bool, took time.Duration) {
		seen = append(seen, fmt.Sprint(p.Key.ID, " ", ok, " ", took > 0))
	}})
	slow := hanging(t)
	p.Probe(readiness("a", 1, slow, 0.01))
	result(t, p)

	if len(seen) != 1 || seen[0] != "a false true" {
		t.Errorf("observed %q", seen)
	}
}

func TestALineOfTheOwnAttemptIsWaitedFor(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) {
		t.Helper()
		f, err := os.OpenFile(filepath.Join(dir, name), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
		if err == nil {
			_, err = f.WriteString(text)
		}
		if err == nil {
			err = f.Close()
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	old := "old: listening on 80\n"
	write("marks.jsonl", `{"at":0,"incarnation":1,"generation":0,"attempt":1,"started_at":"2026-01-01T00:00:00Z"}`+"\n")
	write("current", old)
	p := started(t, Config{LogDir: func(child.ID) string { return dir }})
	ask := readiness("a", 1, child.Probe{LogMatch: `^\S+: listening on \d+$`}, 0.001) // its timeout says nothing
	ask.Key.Generation, ask.Attempt = 1, 2

	p.Probe(ask)
	p.Probe(readiness("b", 1, child.Probe{TCP: &child.TCPProbe{Port: hanging(t).HTTP.Port}}, 10))
	if r := result(t, p); r.Key.ID != "b" {
		t.Fatalf("result %+v: the line of an older attempt matched", r)
	}
	write("marks.jsonl", fmt.Sprintf(`{"at":%d,"incarnation":1,"generation":1,"attempt":2,"started_at":"2026-01-01T00:00:00Z"}`+"\n", len(old)))
	write("current", "new: starting\nnew: listening ")
	write("current", "on 80\n")

	if r := result(t, p); r.Key.ID != "a" || !r.OK {
		t.Errorf("result %+v; want a match", r)
	}
}

func TestAPatternIsMatchedAgainstWholeLines(t *testing.T) {
	p := New(Config{})
	re, err := p.regexp(`^port 80$`)
	if err != nil {
		t.Fatal(err)
	}
	m := &lineMatcher{pattern: re}

	_, first := m.Write([]byte("port 80"))
	_, second := m.Write([]byte("80\nport 8"))
	_, third := m.Write([]byte("0\r\n"))

	if first != nil || second != nil || third != errMatched {
		t.Errorf("matched: %v, %v, %v; want the last only", first, second, third)
	}
}

func TestALineWithoutAnEndCountsOnceNothingFollows(t *testing.T) {
	p := New(Config{})
	re, err := p.regexp(`ready> $`)
	if err != nil {
		t.Fatal(err)
	}
	m := &lineMatcher{pattern: re}
	looks := func(n int) error {
		for range n {
			if err := m.idle(); err != nil {
				return err
			}
		}
		return nil
	}

	_, written := m.Write([]byte("starting\nserver ready> "))
	early := looks(quietLooks - 1)
	_, more := m.Write([]byte("not yet, but server ready> "))
	afterMore := looks(quietLooks - 1)
	last := looks(1)

	if written != nil || early != nil || more != nil || afterMore != nil {
		t.Errorf("matched while it was printed: %v, %v, %v, %v", written, early, more, afterMore)
	}
	if last != errMatched {
		t.Errorf("after %d quiet looks: %v, want a match", quietLooks, last)
	}
}

func TestAPromptMakesAChildReady(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{
		"marks.jsonl": `{"at":0,"incarnation":1,"generation":0,"attempt":1,"started_at":"2026-01-01T00:00:00Z"}` + "\n",
		"current":     "starting\nserver ready> ",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	p := started(t, Config{LogDir: func(child.ID) string { return dir }})

	p.Probe(readiness("a", 1, child.Probe{LogMatch: `^server ready> $`}, 10))

	if r := result(t, p); r.Key.ID != "a" || !r.OK {
		t.Errorf("result %+v; want a match", r)
	}
}
