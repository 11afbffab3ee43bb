//go:build linux

package shim

import (
	"fmt"
	"math/rand/v2"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"github.com/reconciler-dev/reconciler/pkg/runtime/child"
)

// tick prints numbered lines until SIGTERM, then "end" and how many they were.
var tick = role("tick", func([]string) int {
	stop := make(chan os.Signal, 1)
	signal.Notify(stop, unix.SIGTERM)
	for i := 0; ; i++ {
		select {
		case <-stop:
			fmt.Println("end", i)
			return 0
		case <-time.After(10 * time.Millisecond):
			fmt.Println(i)
		}
	}
})

// checkTicks fails unless all that a child of role tick printed is in its log,
// each line once.
func (b *bench) checkTicks(k child.Key) {
	b.Helper()
	lines := strings.Split(strings.TrimSpace(b.output(k)), "\n")
	last := len(lines) - 1
	for i, line := range lines[:last] {
		if line != strconv.Itoa(i) {
			b.Errorf("%s: line %d is %q", k, i, line)
			return
		}
	}
	if want := fmt.Sprint("end ", last); lines[last] != want {
		b.Errorf("%s: the last line is %q, want %q", k, lines[last], want)
	}
}

func pidsOf(l Listed) map[child.Key]int {
	pids := map[child.Key]int{}
	for _, p := range l.Running {
		pids[p.Key] = p.PID
	}
	return pids
}

func TestDeathOfTheBrainChangesNothing(t *testing.T) {
	b := newBench(t, "")
	want := map[child.Key]int{}
	for i := range 20 {
		k := key(fmt.Sprint("w", i), 0)
		want[k] = b.run(k, tick).PID
	}
	b.run(key("short", 0), exitWith, 9)
	b.exited(key("short", 0)) // and not acknowledged
	for k := range want {
		b.printed(k, "0") // so that SIGTERM finds its handler
	}

	b.disconnect()
	b.connect()

	if diff := cmp.Diff(want, pidsOf(b.list)); diff != "" {
		t.Errorf("running, want and got:\n%s", diff)
	}
	if len(b.list.Exits) != 1 || b.list.Exits[0].Code == nil || *b.list.Exits[0].Code != 9 {
		t.Errorf("exits = %+v, want code 9", b.list.Exits)
	}
	b.client.Ack(key("short", 0))
	for k := range want {
		b.client.Signal(k, "SIGTERM", true)
		if r := b.exited(k); r.Code == nil || *r.Code != 0 {
			t.Errorf("%s: %+v, want code 0", k, r)
		}
		b.checkTicks(k)
		b.client.Ack(k)
	}
}

func TestExitWhileNoBrainLivesIsInTheNextList(t *testing.T) {
	b := newBench(t, "")
	k := key("web", 0)
	p := b.run(k, count, 100, 1000)

	b.disconnect()
	b.until("it ends", func() bool { return b.gone(p.PID) })
	b.connect()

	report := func() *Report {
		for _, r := range b.list.Exits {
			if r.Key == k {
				return &r
			}
		}
		return nil
	}()
	if report == nil { // reported a moment later
		r := b.exited(k)
		report = &r
	}
	if report.Code == nil || *report.Code != 0 {
		t.Errorf("report = %+v, want code 0", report)
	}
	b.client.Ack(k)
	b.disconnect()
	b.connect()
	if len(b.list.Exits) > 0 {
		t.Errorf("exits = %+v after the acknowledgement", b.list.Exits)
	}
}

func TestWordsOfAnOldBrainAreDoneBeforeANewOneIsGreeted(t *testing.T) {
	b := newBench(t, "")
	for i := range 50 {
		b.client.Start(b.launch(key(fmt.Sprint("w", i), 0), stay))
	}

	b.disconnect() // its words are written, and nobody waited for an answer
	b.connect()

	running := b.list.Running
	for len(running) < 50 { // a slow start is told of when it is done
		running = append(running, await[Started](b, nil).Process)
	}
	for _, p := range running {
		b.client.Signal(p.Key, "SIGKILL", true)
		b.exited(p.Key)
		b.client.Ack(p.Key)
	}
}

func TestDeathOfTheShimLosesNoProcessAndNoLine(t *testing.T) {
	for name, host := range hosts {
		t.Run(name, func(t *testing.T) {
			b := newBench(t, host)
			want := map[child.Key]int{}
			for i := range 50 {
				k := key(fmt.Sprint("w", i), 0)
				want[k] = b.run(k, tick).PID
			}
			b.run(key("short", 0), exitWith, 9)
			b.exited(key("short", 0))

			for range 3 {
				<-time.After(time.Duration(rand.IntN(100)) * time.Millisecond)
				b.killShim()
				if diff := cmp.Diff(want, pidsOf(b.list)); diff != "" {
					t.Fatalf("running, want and got:\n%s", diff)
				}
			}

			if len(b.list.Exits) != 1 || b.list.Exits[0].Code == nil || *b.list.Exits[0].Code != 9 {
				t.Errorf("exits = %+v, want code 9", b.list.Exits)
			}
			b.client.Ack(key("short", 0))
			for k := range want {
				b.printed(k, "0") // so that SIGTERM finds its handler
				b.client.Signal(k, "SIGTERM", true)
				if r := b.exited(k); !r.Lost && (r.Code == nil || *r.Code != 0) {
					t.Errorf("%s: %+v, want code 0 or Lost", k, r)
				}
				b.checkTicks(k)
				b.client.Ack(k)
			}
		})
	}
}

func TestExitWhileNoShimLivesIsLostOrTrue(t *testing.T) {
	b := newBench(t, "")
	k := key("web", 0)
	p := b.run(k, stay)
	b.disconnect()
	shim := b.list.Shim.PID
	if err := kill(shim, unix.SIGKILL); err != nil {
		t.Fatal(err)
	}
	b.until("the shim is gone", func() bool { return b.gone(shim) })
	if err := kill(p.PID, unix.SIGTERM); err != nil {
		t.Fatal(err)
	}
	b.until("the child is gone", func() bool { return b.gone(p.PID) })

	b.connect()

	exits := b.list.Exits
	if len(exits) == 0 { // init has not reaped it yet
		exits = append(exits, b.exited(k))
	}
	if r := exits[0]; !r.Lost && r.Signal != "SIGTERM" || r.Lost && (r.Code != nil || r.Signal != "") || r.PID != p.PID {
		t.Errorf("report = %+v, want Lost or the truth", r)
	}
	b.client.Ack(k)
}

func TestShimKilledDuringStartsLeavesNoStranger(t *testing.T) {
	for name, host := range hosts {
		t.Run(name, func(t *testing.T) {
			b := newBench(t, host)
			for round := range 5 {
				for i := range 30 {
					b.client.Start(b.launch(key(fmt.Sprintf("r%d-%d", round, i), 0), stay))
				}
				<-time.After(time.Duration(rand.IntN(15)) * time.Millisecond)
				b.killShim()
			}

			b.disconnect()
			b.connect()
			listed := map[string]bool{}
			for _, p := range b.list.Running {
				listed[p.Key.String()] = true
			}
			tag, _ := tagOf(b.dir)
			for _, pid := range allPIDs() {
				mark, ours := strings.CutSuffix(markOf(pid), "@"+tag)
				if ours && !b.gone(pid) && !listed[mark] {
					t.Errorf("%s of %s is not in the list", describe(pid), mark)
				}
			}
			for _, p := range b.list.Running {
				b.client.Signal(p.Key, "SIGKILL", true)
				b.exited(p.Key)
				b.client.Ack(p.Key)
			}
			for _, r := range b.list.Exits {
				t.Errorf("ended: %+v", r)
			}
		})
	}
}

func TestTableOfAnotherBootMakesNobodyAVictim(t *testing.T) {
	b := newBench(t, nowhere)
	k := key("web", 0)
	p := b.run(k, stay)
	b.disconnect()
	shim := b.list.Shim.PID
	if err := kill(shim, unix.SIGKILL); err != nil {
		t.Fatal(err)
	}
	b.until("the shim is gone", func() bool { return b.gone(shim) })
	table, err := os.ReadFile(tablePath(b.dir))
	if err != nil {
		t.Fatal(err)
	}
	now, _ := boot()
	table = []byte(strings.Replace(string(table), now, "another-boot pid:[1]", 1))
	if err := os.WriteFile(tablePath(b.dir), table, 0o600); err != nil {
		t.Fatal(err)
	}

	b.connect()

	if len(b.list.Running)+len(b.list.Exits) > 0 {
		t.Errorf("list = %+v, want an empty one", b.list)
	}
	if b.gone(p.PID) {
		t.Error("a process of another boot's number was killed")
	}
	if err := kill(p.PID, unix.SIGKILL); err != nil {
		t.Fatal(err)
	}
	b.until("it is gone", func() bool { return b.gone(p.PID) })
}

func TestChildIsAdoptedWhenTheTableIsLost(t *testing.T) {
	b := newBench(t, "")
	k := key("app/web", 4)
	p := b.run(k, stay)
	b.disconnect()
	shim := b.list.Shim.PID
	if err := kill(shim, unix.SIGKILL); err != nil {
		t.Fatal(err)
	}
	b.until("the shim is gone", func() bool { return b.gone(shim) })
	if err := os.Remove(tablePath(b.dir)); err != nil {
		t.Fatal(err)
	}

	b.connect()

	if diff := cmp.Diff(map[child.Key]int{k: p.PID}, pidsOf(b.list)); diff != "" {
		t.Errorf("running, want and got:\n%s", diff)
	}
	b.client.Signal(k, "SIGKILL", true)
	b.exited(k)
	b.client.Ack(k)
}

func TestStrangerWithTheNumberOfAChildIsLeftAlone(t *testing.T) {
	b := newBench(t, nowhere)
	k := key("web", 0)
	p := b.run(k, stay)
	b.disconnect()
	shim := b.list.Shim.PID
	for _, pid := range []int{shim, p.PID} {
		if err := kill(pid, unix.SIGKILL); err != nil {
			t.Fatal(err)
		}
		b.until("it is gone", func() bool { return b.gone(pid) })
	}
	null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer null.Close()
	stranger, err := spawn(b.launch(k, stay), []uintptr{null.Fd(), null.Fd(), null.Fd()}, -1)
	if err != nil {
		t.Fatal(err)
	}
	defer stranger.close()
	table, err := os.ReadFile(tablePath(b.dir))
	if err != nil {
		t.Fatal(err)
	}
	table = []byte(strings.Replace(string(table), fmt.Sprintf(`"pid":%d,`, p.PID), fmt.Sprintf(`"pid":%d,`, stranger.pid), 1))
	if err := os.WriteFile(tablePath(b.dir), table, 0o600); err != nil {
		t.Fatal(err)
	}

	b.connect()

	r := b.list.Exits
	if len(r) == 0 {
		r = []Report{b.exited(k)}
	}
	if !r[0].Lost || r[0].PID != stranger.pid {
		t.Errorf("report = %+v, want the number %d and Lost", r[0], stranger.pid)
	}
	if b.gone(stranger.pid) {
		t.Error("the stranger was killed")
	}
	b.client.Ack(k)
	_ = stranger.signal(unix.SIGKILL)
	b.until("the stranger is gone", func() bool { return b.gone(stranger.pid) })
}

func TestGraceOfATreeGoesOnAfterTheShimIsKilled(t *testing.T) {
	for name, host := range hosts {
		t.Run(name, func(t *testing.T) {
			b := newBench(t, host)
			k := key("web", 0)
			p := b.run(k, family, ignoreTerm, -1)
			grandchild := b.printedPID(k, "grandchild ")
			b.printed(k, "up ")
			b.client.Signal(k, "SIGTERM", true)
			b.until("the main process ends", func() bool { return b.gone(p.PID) })

			b.killShim()
			b.killShim() // the table that the next one wrote anew says it too

			if len(b.list.Running) != 1 || b.gone(grandchild) {
				t.Errorf("list = %+v, grandchild %s: it got no time to end", b.list, describe(grandchild))
			}
			b.client.Signal(k, "SIGKILL", true)
			if b.exited(k); !b.gone(grandchild) {
				t.Errorf("%s survived SIGKILL", describe(grandchild))
			}
			b.client.Ack(k)
		})
	}
}
