package attacks

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/reconciler-dev/reconciler/pkg/status"
)

// house is where one attack takes place. All of it belongs to root, and everybody can
// reach it: what protects a directory is its own mode.
type house struct {
	t   *testing.T
	Dir string // 0755

	Manifests string // 0755
	State     string // not there yet, nor is Status
	Status    string
	Open      string // 01777, as /tmp
}

// newHouse makes one; without root it skips the test.
func newHouse(t *testing.T) *house {
	t.Helper()
	if os.Getuid() != 0 {
		t.Skip("only root can run a reconciler of root's and be nobody")
	}
	if err := settle(); err != nil {
		t.Fatal(err)
	}
	dir, err := os.MkdirTemp(top, "house-")
	if err != nil {
		t.Fatal(err)
	}
	h := &house{
		t: t, Dir: dir,
		Manifests: filepath.Join(dir, "manifests"), State: filepath.Join(dir, "state"),
		Status: filepath.Join(dir, "status"), Open: filepath.Join(dir, "open"),
	}
	h.do(os.Chmod(dir, 0o755), os.Mkdir(h.Manifests, 0o755), os.Mkdir(h.Open, 0o755), os.Chmod(h.Open, 0o777|os.ModeSticky))
	return h
}

// do fails the test at the first error.
func (h *house) do(errs ...error) {
	h.t.Helper()
	if err := errors.Join(errs...); err != nil {
		h.t.Fatal(err)
	}
}

// write puts a file of root's there, 0644.
func (h *house) write(path, text string) {
	h.t.Helper()
	h.do(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, []byte(text), 0o644))
}

// giveToNobody makes nobody the owner of files and directories; a link is given
// itself, not what it leads to.
func (h *house) giveToNobody(paths ...string) {
	h.t.Helper()
	for _, p := range paths {
		h.do(os.Lchown(p, nobody, nobody))
	}
}

// manifest writes a manifest of root's; the name may have folders.
func (h *house) manifest(name, text string) {
	h.t.Helper()
	h.write(filepath.Join(h.Manifests, name+".yaml"), text)
}

// childAttack declares a child of root's that plays a registered attack as nobody,
// once. What the attack prints is in its log, how it ended in its status.
func (h *house) childAttack(name, attack string, args ...string) {
	h.t.Helper()
	if attacks[attack] == nil {
		h.t.Fatalf("no attack has the name %s", attack)
	}
	command := []string{quoted(attacker())}
	for _, a := range args {
		command = append(command, quoted(a))
	}
	h.manifest(name, fmt.Sprintf(`name: %s
command: [%s]
restart_policy: temporary
run_as: {user: nobody, group: %d}
environment:
  - {name: %s, value: %s}
`, filepath.Base(name), strings.Join(command, ", "), nobody, attackVariable, quoted(attack)))
}

// childResult waits until the child has ended and says how.
func (h *house) childResult(name string) result {
	h.t.Helper()
	waitFor(h.t, func() string {
		if phase := h.field(name, "phase"); phase != "Completed" && phase != "Failed" {
			return fmt.Sprintf("%s is %q, want it to end", name, phase)
		}
		return ""
	})
	logs := h.reconciler("logs", name)
	var code int
	if _, err := fmt.Sscan(h.field(name, "last_exit.exit_code"), &code); err != nil {
		h.t.Fatalf("how %s ended is not known: %v: %s", name, err, h.field(name, "last_exit.reason"))
	}
	return result{Out: logs.Out, Err: logs.Err, Code: code}
}

// payload is a shell command that leaves a file named after whom it ran as. It is
// what an attacker would have root run; ranAs says who did.
func (h *house) payload() string {
	return fmt.Sprintf(": >%s/ran-as-$(id -u)", h.Open)
}

func (h *house) ranAs() []string {
	h.t.Helper()
	found, err := filepath.Glob(filepath.Join(h.Open, "ran-as-*"))
	h.do(err)
	for i, path := range found {
		found[i] = strings.TrimPrefix(filepath.Base(path), "ran-as-")
	}
	return found
}

// notAsRoot fails the test when root has run the payload.
func (h *house) notAsRoot() {
	h.t.Helper()
	for _, uid := range h.ranAs() {
		if uid == "0" {
			h.t.Error("root has run the command of nobody")
		}
	}
}

// flags are those that name the directories of the house.
func (h *house) flags() []string {
	return []string{"--manifests", h.Manifests, "--state", h.State, "--status", h.Status}
}

// reconciler runs a verb as root to its end.
func (h *house) reconciler(args ...string) result {
	h.t.Helper()
	return run(h.t, as(0, exec.CommandContext(h.t.Context(), program(), append(args, h.flags()...)...)))
}

// reconcilerAsNobody runs a verb as nobody to its end.
func (h *house) reconcilerAsNobody(args ...string) result {
	h.t.Helper()
	return asNobody(h.t, append(append([]string{program()}, args...), h.flags()...)...)
}

// field is the value of a dotted path in the status file of a child, or of
// "reconciler"; "" where there is none.
func (h *house) field(name, path string) string {
	data, err := os.ReadFile(filepath.Join(h.Status, name+".json"))
	if err != nil {
		return ""
	}
	var v any
	if err := json.Unmarshal(data, &v); err != nil {
		h.t.Fatalf("status of %s: %v", name, err)
	}
	for key := range strings.SplitSeq(path, ".") {
		m, ok := v.(map[string]any)
		if !ok {
			return ""
		}
		v = m[key]
	}
	if v == nil {
		return ""
	}
	return fmt.Sprint(v)
}

// running waits until the child runs.
func (h *house) running(name string) {
	h.t.Helper()
	waitFor(h.t, func() string {
		if phase := h.field(name, "phase"); phase != "Running" {
			return fmt.Sprintf("%s is %q, want Running", name, phase)
		}
		return ""
	})
}

// daemon is a reconciler that runs as root.
type daemon struct {
	h        *house
	cmd      *exec.Cmd
	messages messages
}

// messages are what a daemon has printed; it goes on printing while a test reads.
type messages struct {
	mu   sync.Mutex
	text strings.Builder
}

func (m *messages) Write(p []byte) (int, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.text.Write(p)
}

func (m *messages) String() string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.text.String()
}

// daemon starts a reconciler of root's and waits until it is alive. It is stopped
// at the end of the test.
func (h *house) daemon(flags ...string) *daemon {
	h.t.Helper()
	return h.daemonIn(nil, flags...)
}

// daemonIn is daemon with more in the environment of root.
func (h *house) daemonIn(env []string, flags ...string) *daemon {
	h.t.Helper()
	d := &daemon{h: h, cmd: as(0, exec.Command(program(), append(append([]string{"run"}, h.flags()...), flags...)...))}
	d.cmd.Env = append(d.cmd.Env, env...)
	d.cmd.Stderr = &d.messages
	h.do(d.cmd.Start())
	h.t.Cleanup(d.stop)
	waitFor(h.t, func() string {
		r, err := status.ReadRuntime(h.Status)
		if err == nil && r != nil && r.PID == d.cmd.Process.Pid && r.State == status.Alive {
			return ""
		}
		return fmt.Sprintf("the reconciler does not come up: %v\n%s", err, d.messages.String())
	})
	return d
}

// refusesToStart starts a reconciler that must end by itself, and says how it did.
func (h *house) refusesToStart(flags ...string) result {
	h.t.Helper()
	r := h.reconciler(append([]string{"run", "--exit-on-critical"}, flags...)...)
	if r.Code == 0 {
		h.t.Errorf("the reconciler ended well, want a refusal: %+v", r)
	}
	return r
}

// stop ends the daemon and its children in order.
func (d *daemon) stop() { d.end(syscall.SIGTERM) }

// kill ends the daemon at once; its children run on.
func (d *daemon) kill() { d.end(syscall.SIGKILL) }

func (d *daemon) end(s syscall.Signal) {
	if d.cmd.ProcessState != nil {
		return
	}
	_ = d.cmd.Process.Signal(s)
	_ = d.cmd.Wait()
	if d.h.t.Failed() {
		d.h.t.Logf("what the reconciler said:\n%s", d.messages.String())
	}
}
