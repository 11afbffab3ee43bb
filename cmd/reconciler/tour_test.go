package main_test

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/reconciler-dev/reconciler/pkg/status"
)

// step is one command of a page, and what the page says that it prints.
type step struct {
	command string
	output  []string
}

// steps are the commands of the console blocks of a page: lines that begin with
// "$ ", each with the rest of its here-document.
func steps(page string) []step {
	var all []step
	inside, document := false, ""
	for line := range strings.Lines(page) {
		line = strings.TrimRight(line, "\n")
		switch {
		case !inside:
			inside = line == "```console"
		case document != "":
			all[len(all)-1].command += "\n" + line
			if line == document {
				document = ""
			}
		case line == "```":
			inside = false
		case strings.HasPrefix(line, "$ "):
			all = append(all, step{command: line[2:]})
			if strings.HasSuffix(line, "<<'EOF'") {
				document = "EOF"
			}
		default:
			all[len(all)-1].output = append(all[len(all)-1].output, line)
		}
	}
	return all
}

// varying are numbers with their units, and the blanks of columns: what is not the
// same in two runs.
var varying = regexp.MustCompile(`\b[0-9][0-9a-zA-Z.%]*|\s+`)

func normal(line string) string {
	return strings.TrimSpace(varying.ReplaceAllStringFunc(line, func(s string) string {
		if strings.TrimSpace(s) == "" {
			return " "
		}
		return "#"
	}))
}

// prints reports whether the output has the line, which may leave its end out.
func prints(output, want string) bool {
	begin, open := strings.CutSuffix(normal(want), "…")
	for line := range strings.Lines(output) {
		if line = normal(line); line == begin || open && strings.HasPrefix(line, begin) {
			return true
		}
	}
	return false
}

func TestEveryCommandOfTheTourDoesWhatThePageSays(t *testing.T) {
	page, err := os.ReadFile("../../docs/tour.md")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	ctx, cancel := context.WithTimeout(t.Context(), 4*time.Minute)
	defer cancel()
	daemons := &daemons{t: t, dir: dir}
	defer daemons.end()

	for _, s := range steps(string(page)) {
		if s.command == "reconciler run" {
			daemons.start(ctx)
			continue
		}
		do(ctx, t, dir, s)
	}
}

// do runs one command. Status files may be a tenth of a second behind: a command
// that shows something is repeated until it shows what the page says.
func do(ctx context.Context, t *testing.T, dir string, s step) {
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(patience); ; <-tick.C {
		cmd := exec.CommandContext(ctx, "sh", "-e", "-c", s.command)
		cmd.Dir = dir
		var out, messages bytes.Buffer
		cmd.Stdout, cmd.Stderr = &out, &messages
		if err := cmd.Run(); err != nil {
			t.Fatalf("$ %s\n%v\n%s%s", s.command, err, out.String(), messages.String())
		}
		missing := slices.IndexFunc(s.output, func(want string) bool { return !prints(out.String(), want) })
		if missing < 0 {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("$ %s\nprinted:\n%swant the line:\n%s", s.command, out.String(), s.output[missing])
		}
	}
}

// daemons are the reconcilers that a page starts, one after the other.
type daemons struct {
	t       *testing.T
	dir     string
	running []*exec.Cmd
}

// start starts one, once the one before is gone, and waits until it is alive.
func (d *daemons) start(ctx context.Context) {
	d.wait()
	cmd := exec.CommandContext(ctx, "reconciler", "run")
	cmd.Dir = d.dir
	var messages bytes.Buffer
	cmd.Stderr = &messages
	if err := cmd.Start(); err != nil {
		d.t.Fatal(err)
	}
	d.running = append(d.running, cmd)
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(patience); ; <-tick.C {
		r, err := status.ReadRuntime(filepath.Join(d.dir, "status"))
		if err == nil && r.PID == cmd.Process.Pid && r.State == status.Alive {
			return
		}
		if time.Now().After(deadline) {
			_ = cmd.Process.Signal(syscall.SIGTERM)
			d.wait()
			d.t.Fatalf("the reconciler does not come up: %v\n%s", err, messages.String())
		}
	}
}

// end waits for all of them. The tour ends the last one itself; where a test
// failed before, it is told to.
func (d *daemons) end() {
	for _, cmd := range d.running {
		if d.t.Failed() {
			_ = cmd.Process.Signal(syscall.SIGTERM)
		}
	}
	d.wait()
}

func (d *daemons) wait() {
	for _, cmd := range d.running {
		_ = cmd.Wait() // it was killed on purpose, or shut down
	}
	d.running = nil
}
