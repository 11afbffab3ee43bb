//go:build linux

package runtime

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/go-logr/logr"
	"go.uber.org/goleak"

	"github.com/reconciler-dev/reconciler/internal/pidns"
	"github.com/reconciler-dev/reconciler/pkg/runtime/child"
	"github.com/reconciler-dev/reconciler/pkg/runtime/machine"
	"github.com/reconciler-dev/reconciler/pkg/runtime/shim"
)

// asShim is the first argument of the test binary when it is a shim.
const asShim = "as-shim"

func TestMain(m *testing.M) {
	if len(os.Args) > 2 && os.Args[1] == asShim {
		if err := shim.Serve(context.Background(), shim.Config{StateDir: os.Args[2]}); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	if IsShim() {
		if err := ServeShim(context.Background()); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	pidns.Enter()
	goleak.VerifyTestMain(m)
}

// realProcesses are those of a real shim, which ends with the test.
func realProcesses(t *testing.T) *ShimProcesses {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	p, err := NewShimProcesses(dir, []string{self, asShim, dir}, Host{WorkingDir: dir, Environ: os.Environ()}, logr.Discard())
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- p.Run(context.Background()) }()
	if _, ok := (<-p.Events()).(machine.Adopted); !ok {
		t.Fatal("the shim did not list what it owns")
	}
	t.Cleanup(func() {
		for {
			p.Quit() // refused while the last probe is being killed
			select {
			case <-done:
				return
			case <-p.Events():
			case <-time.After(20 * time.Millisecond):
			}
		}
	})
	return p
}

func probeOf(script string) machine.Start {
	value := "from the manifest"
	return machine.Start{
		Key:  child.Key{ID: "web", Incarnation: 1, Role: child.LivenessProbe},
		Spec: &child.Spec{Environment: []child.EnvVar{{Name: "WORD", Value: &value}}}, Command: []string{"sh", "-c", script},
	}
}

func TestProbeRunsInTheContextOfItsChildAndTellsHowItEnded(t *testing.T) {
	p := realProcesses(t)

	for range 2 {
		e, err := p.Exec(t.Context(), probeOf("echo $WORD; exit 3"))

		if err != nil || e.Code == nil || *e.Code != 3 || len(e.LogTail) != 1 || e.LogTail[0] != "from the manifest" {
			t.Errorf("%+v, %v; want code 3 and the last line", e, err)
		}
	}
	if _, err := p.Exec(t.Context(), machine.Start{Key: child.Key{ID: "web"}}); err == nil {
		t.Error("a main process was taken for a probe")
	}
}

func TestProbeThatCannotStartSaysWhy(t *testing.T) {
	p := realProcesses(t)
	s := probeOf("")
	s.Command = []string{"/no/such/probe"}

	_, err := p.Exec(t.Context(), s)

	if err == nil || !strings.Contains(err.Error(), "/no/such/probe") {
		t.Errorf("error %v, want one that names the command", err)
	}
}

func TestProbeWhoseTimeIsOverIsKilledWithItsTree(t *testing.T) {
	p := realProcesses(t)
	file := filepath.Join(t.TempDir(), "up")
	ctx, cancel := context.WithCancelCause(t.Context())
	late := errors.New("its time is over")
	go func() {
		for {
			if _, err := os.Stat(file); err == nil {
				cancel(late)
				return
			}
			<-time.After(time.Millisecond)
		}
	}()

	_, err := p.Exec(ctx, probeOf("trap '' TERM; sleep 1000 & echo >"+file+"; wait"))

	if !errors.Is(err, late) {
		t.Errorf("error %v, want %v", err, late)
	}
	// The next one begins once it is gone: that is no failure of the next one.
	if e, err := p.Exec(t.Context(), probeOf("exit 0")); err != nil || *e.Code != 0 {
		t.Errorf("the next one: %+v, %v; want exit code 0", e, err)
	}
}
