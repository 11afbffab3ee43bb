package probe

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/reconciler-dev/reconciler/pkg/runtime/child"
	"github.com/reconciler-dev/reconciler/pkg/runtime/machine"
)

func TestExec(t *testing.T) {
	code := func(n int) *int { return &n }
	for _, row := range []struct {
		sentence string
		end      machine.Exited
		err      error
		want     string
	}{
		{"exit code 0", machine.Exited{Code: code(0), LogTail: []string{"fine"}}, nil, ""},
		{"another one, with output", machine.Exited{Code: code(2), LogTail: []string{"looking", "the queue is stuck"}}, nil, "exit code 2: looking\nthe queue is stuck"},
		{"much output", machine.Exited{Code: code(1), LogTail: []string{strings.Repeat("ä", 1000)}}, nil, "exit code 1: " + strings.Repeat("ä", 256)},
		{"a signal", machine.Exited{Signal: "SIGSEGV"}, nil, "killed by SIGSEGV"},
		{"lost", machine.Exited{Lost: true}, nil, "its end was not seen"},
		{"no start, which is no verdict", machine.Exited{}, errors.New("command check: no such file"), "command check: no such file"},
		{"a timeout", machine.Exited{}, context.DeadlineExceeded, "no answer within 5s"},
	} {
		t.Run(row.sentence, func(t *testing.T) {
			var asked machine.Start
			p := started(t, Config{Exec: func(ctx context.Context, s machine.Start) (machine.Exited, error) {
				_, limited := ctx.Deadline()
				if !limited {
					t.Error("the command has no timeout")
				}
				asked = s
				return row.end, row.err
			}})

			p.Probe(readiness("a", 1, child.Probe{Exec: []string{"check", "-q"}}, 5))
			r := result(t, p)

			if r.Words.With(r.Message) != row.want || r.OK != (row.want == "") || r.Unknown != strings.Contains(row.sentence, "no verdict") {
				t.Errorf("result %+v, want %q", r, row.want)
			}
			if asked.Key.Role != child.ReadinessProbe || asked.Key.ID != "a" || strings.Join(asked.Command, " ") != "check -q" || asked.Spec == nil || asked.Attempt != 1 {
				t.Errorf("asked for %+v", asked)
			}
		})
	}
}

func TestCommandsWaitForTheirTurn(t *testing.T) {
	var running, most atomic.Int64
	release := make(chan struct{})
	full := make(chan struct{})
	once := sync.OnceFunc(func() { close(full) })
	p := started(t, Config{Exec: func(ctx context.Context, _ machine.Start) (machine.Exited, error) {
		n := running.Add(1)
		defer running.Add(-1)
		for was := most.Load(); n > was && !most.CompareAndSwap(was, n); was = most.Load() {
		}
		if n == execSlots {
			once()
		}
		<-release
		return machine.Exited{Code: new(int)}, ctx.Err()
	}})
	for i := range 2 * execSlots {
		p.Probe(readiness(child.ID(fmt.Sprint("c", i)), 1, child.Probe{Exec: []string{"x"}}, 3600))
	}
	<-full

	close(release)

	for range 2 * execSlots {
		if r := result(t, p); !r.OK {
			t.Errorf("result %+v", r)
		}
	}
	if most.Load() > execSlots {
		t.Errorf("%d commands ran at the same time; want at most %d", most.Load(), execSlots)
	}
}
