package cli

import (
	"bytes"
	"context"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	tea "charm.land/bubbletea/v2"

	"github.com/reconciler-dev/reconciler/cmd/reconciler/internal/usage"
	"github.com/reconciler-dev/reconciler/pkg/runtime/child"
	"github.com/reconciler-dev/reconciler/pkg/status"
)

// twoLooks are two looks at three children, a second apart: web used half a core.
func twoLooks() (before, now topLook) {
	of := func(id child.ID, restarts uint64, age time.Duration) *status.Child {
		c := &status.Child{ID: id, Phase: child.Running, RestartCount: restarts, PID: ptr(noPID), StartedAt: ptr(today.Add(-age))}
		if age == 0 {
			c.Phase, c.PID, c.StartedAt = child.BackingOff, nil, nil
		}
		return c
	}
	children := []*status.Child{of("cache", 1, time.Hour), of("web", 0, time.Minute), of("worker", 7, 0)}
	look := func(after, web time.Duration) topLook {
		return topLook{children, usage.Sample{At: today.Add(after), Trees: map[child.ID]usage.Tree{
			"web":   {CPU: web, Memory: 20 << 20, Processes: 3},
			"cache": {CPU: time.Second, Memory: 2 << 30, Processes: 1},
		}}, today}
	}
	return look(0, time.Second), look(time.Second, 1500*time.Millisecond)
}

func TestTopShowsTheUseSinceTheLastLookSortedByKey(t *testing.T) {
	before, now := twoLooks()
	m := &topModel{flags: topFlags{sort: "cpu", every: topEvery}}
	m.Update(looked{topLook: before})
	m.Update(looked{topLook: now})

	golden(t, "top", m.screen())

	for key, want := range map[string]string{"c": "web cache worker", "m": "cache web worker", "r": "worker cache web", "a": "cache web worker", "n": "cache web worker"} {
		m.Update(tea.KeyPressMsg{Code: rune(key[0]), Text: key})

		var names []string
		for _, line := range strings.Split(m.screen(), "\n")[2:5] {
			names = append(names, strings.Fields(line)[0])
		}
		if strings.Join(names, " ") != want {
			t.Errorf("sorted by the key %s: %v; want %s", key, names, want)
		}
	}
}

func TestTopFitsItsTerminal(t *testing.T) {
	before, now := twoLooks()
	m := &topModel{flags: topFlags{sort: "name"}}
	m.Update(looked{topLook: before})
	m.Update(looked{topLook: now})

	m.Update(tea.WindowSizeMsg{Width: 80, Height: 4})

	lines := strings.Split(m.screen(), "\n")
	if len(lines) != 4 || lines[3] != "and 2 more" {
		t.Errorf("in 4 lines the view is %q; want one row and how many more there are", lines)
	}
}

func TestTopEndsWithAKeyOrAnError(t *testing.T) {
	for _, key := range []tea.KeyPressMsg{{Code: 'q', Text: "q"}, {Code: tea.KeyEscape}, {Code: 'c', Mod: tea.ModCtrl}} {
		m := &topModel{}

		_, cmd := m.Update(key)

		if cmd == nil || cmd() != tea.Quit() {
			t.Errorf("the key %s does not end it", key)
		}
	}
	m := &topModel{}
	_, cmd := m.Update(looked{err: errors.New("no status")})
	if m.err == nil || cmd == nil || cmd() != tea.Quit() {
		t.Errorf("a look that failed: error %v; want it kept, and the end", m.err)
	}
}

func TestTopRunsOnATerminalUntilQ(t *testing.T) {
	w := three(t)
	a := &app{Options: w.opts, Dirs: w.dirs, color: colorNever}
	in, keys := io.Pipe()
	defer keys.Close()
	var out bytes.Buffer
	done := make(chan error)

	go func() {
		done <- a.topLive(t.Context(), topFlags{sort: "cpu", every: topEvery}, in, &out)
	}()
	if _, err := keys.Write([]byte("q")); err != nil {
		t.Fatal(err)
	}

	if err := <-done; err != nil {
		t.Errorf("top = %v; want no error", err)
	}
}

func TestTopOnceIsATable(t *testing.T) {
	w := three(t)
	synctest.Test(t, func(t *testing.T) {
		got := w.runContext(t.Context(), "top", "--once", "--sort", "restarts")

		want := []string{
			"NAME              PHASE     CPU   MEM   PROCS   RESTARTS   AGE",
			"payments/worker   Backoff   -     -     -       12         -",
			"web               Running   -     -     -       0          3m", ""}
		if !slices.Equal(strings.Split(got.Out, "\n"), want) || got.Code != 0 {
			t.Errorf("top --once = %+v; want %q", got, want)
		}
	})
}

func TestTopOnceCanBeInterrupted(t *testing.T) {
	w := three(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()

	if got := w.runContext(ctx, "top"); got.Code != 0 || got.Out != "" {
		t.Errorf("top = %+v; want nothing and no error", got)
	}
}
