//go:build linux

package shim

import (
	"bufio"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/reconciler-dev/reconciler/pkg/runtime/child"
)

// beside is run n of a role beside the attempt of k.
func beside(k child.Key, role child.Role, n uint64) child.Key {
	k.Role, k.Run = role, n
	return k
}

// say prints its first argument, as many times as the second one says.
var say = role("say", func(args []string) int {
	n, _ := strconv.Atoi(args[1])
	w := bufio.NewWriter(os.Stdout)
	defer w.Flush()
	for i := range n {
		fmt.Fprintln(w, args[0], i)
	}
	return 0
})

func TestHookPrintsToTheLogOfItsChildAndReportsItsLastLines(t *testing.T) {
	for name, host := range hosts {
		t.Run(name, func(t *testing.T) {
			b := newBench(t, host)
			k := key("app/web", 0)
			before, during := beside(k, child.PreStart, 1), beside(k, child.PreStop, 1)

			b.run(before, say, "before", 20)
			first := b.exited(before)
			b.run(k, stay)
			up := b.printed(k, "up ")
			b.run(during, say, "during", 2)
			second := b.exited(during)

			if first.Code == nil || *first.Code != 0 || len(first.Tail) != tailLines || first.Tail[tailLines-1] != "before 19" {
				t.Errorf("pre_start: %+v, want code 0 and the lines up to 19", first)
			}
			if diff := cmp.Diff([]string{"during 0", "during 1"}, second.Tail); diff != "" {
				t.Errorf("the last lines of pre_stop, want and got:\n%s", diff)
			}
			lines := strings.Split(strings.TrimSpace(b.output(k)), "\n")
			want := append(numbered("before", 20), "up "+up, "during 0", "during 1")
			if diff := cmp.Diff(want, lines); diff != "" {
				t.Errorf("the log, want and got:\n%s", diff)
			}
			b.client.Signal(k, "SIGKILL", true)
			b.exited(k)
			for _, k := range []child.Key{k, before, during} {
				b.client.Ack(k)
			}
		})
	}
}

func numbered(word string, n int) []string {
	var all []string
	for i := range n {
		all = append(all, fmt.Sprint(word, " ", i))
	}
	return all
}

func TestOutputOfAProbeIsInItsReportOnly(t *testing.T) {
	b := newBench(t, "")
	k := key("web", 0)
	probe := beside(k, child.LivenessProbe, 7)

	b.run(probe, say, "unwell", 100_000)
	r := b.exited(probe)

	if len(r.Tail) != tailLines || !slices.Contains(r.Tail, "unwell 99999") {
		t.Errorf("tail = %q, want the last lines", r.Tail)
	}
	if out := b.output(k); out != "" {
		t.Errorf("%d bytes are in the log of the child", len(out))
	}
	b.client.Ack(probe)
}

func TestAtMostOneProcessOfARoleLives(t *testing.T) {
	b := newBench(t, "")
	k := key("web", 0)
	first, second := beside(k, child.PostStart, 1), beside(k, child.PostStart, 2)
	b.run(k, stay)
	b.run(first, stay)

	b.client.Start(b.launch(second, stay))
	busy := await[StartFailed](b, nil)
	b.run(beside(k, child.LivenessProbe, 1), exitWith, 0) // another role
	b.client.Signal(first, "SIGKILL", true)
	b.exited(first)
	b.client.Ack(first)
	b.run(second, exitWith, 0)
	b.exited(second)
	b.client.Ack(second)
	b.client.Start(b.launch(first, stay))
	old := await[StartFailed](b, nil)

	if !busy.Busy || busy.Key != second {
		t.Errorf("a second one beside the first: %+v, want busy", busy)
	}
	if old.Key != first || old.Busy {
		t.Errorf("an older run after a newer one: %+v", old)
	}
	b.client.Signal(k, "SIGKILL", true)
	b.exited(k)
	b.client.Ack(k)
	b.client.Ack(beside(k, child.LivenessProbe, 1))
}

func TestKillOfAProbeEndsItsTreeAndSparesItsChild(t *testing.T) {
	for name, host := range hosts {
		t.Run(name, func(t *testing.T) {
			b := newBench(t, host)
			k := key("web", 0)
			probe := beside(k, child.LivenessProbe, 1)
			main := b.run(k, stay)
			b.run(probe, family, ignoreTerm, -1, "setsid")
			b.until("the grandchild of the probe is there", func() bool { return len(b.marked(probe)) == 2 })
			tree := b.marked(probe)

			b.client.Signal(probe, "SIGKILL", true)
			r := b.exited(probe)

			if r.Signal != "SIGKILL" || len(r.Leftovers) > 0 {
				t.Errorf("report = %+v, want SIGKILL and no leftovers", r)
			}
			for _, pid := range tree {
				if !b.gone(pid) {
					t.Errorf("%s of the probe lives", describe(pid))
				}
			}
			if b.gone(main.PID) {
				t.Error("the child was killed with its probe")
			}
			b.client.Signal(k, "SIGKILL", true)
			b.exited(k)
			b.client.Ack(k)
			b.client.Ack(probe)
		})
	}
}

// marked are the live processes that carry the mark of a key.
func (b *bench) marked(k child.Key) []int {
	tag, err := tagOf(b.dir)
	if err != nil {
		b.Fatal(err)
	}
	var pids []int
	for _, pid := range allPIDs() {
		if markOf(pid) == markFor(k, tag) && !b.gone(pid) {
			pids = append(pids, pid)
		}
	}
	return pids
}

func TestDeathOfTheShimLosesNoHook(t *testing.T) {
	for name, host := range hosts {
		t.Run(name, func(t *testing.T) {
			b := newBench(t, host)
			k := key("web", 0)
			hook, probe, done := beside(k, child.PostStart, 1), beside(k, child.LivenessProbe, 3), beside(k, child.PreStart, 1)
			b.run(done, exitWith, 9)
			b.exited(done) // and not acknowledged
			want := map[child.Key]int{k: b.run(k, stay).PID, hook: b.run(hook, tick).PID, probe: b.run(probe, stay).PID}
			b.printed(k, "3")

			for range 3 {
				<-time.After(20 * time.Millisecond)
				b.killShim()
				if diff := cmp.Diff(want, pidsOf(b.list)); diff != "" {
					t.Fatalf("running, want and got:\n%s", diff)
				}
			}

			if len(b.list.Exits) != 1 || b.list.Exits[0].Key != done || *b.list.Exits[0].Code != 9 {
				t.Errorf("exits = %+v, want code 9 of %s", b.list.Exits, done)
			}
			b.client.Signal(hook, "SIGTERM", true)
			r := b.exited(hook)
			if !r.Lost && (r.Code == nil || *r.Code != 0) {
				t.Errorf("%+v, want code 0 or Lost", r)
			}
			for i := range 10 {
				if !strings.Contains("\n"+b.output(k), fmt.Sprintf("\n%d\n", i)) {
					t.Errorf("line %d of the hook is lost:\n%s", i, b.output(k))
				}
			}
			for _, k := range []child.Key{k, probe} {
				b.client.Signal(k, "SIGKILL", true)
				b.exited(k)
			}
			for _, k := range []child.Key{k, hook, probe, done} {
				b.client.Ack(k)
			}
		})
	}
}
