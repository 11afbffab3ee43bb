package attacks

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/reconciler-dev/reconciler/internal/pidns"
)

const (
	// nobody is the attacker: its number is the same on every Linux.
	nobody = 65534

	// patience is how long a test waits for what must happen.
	patience = 60 * time.Second

	attackVariable = "RECONCILER_ATTACK"
	refused        = 10 // exit code of an attack that was refused
)

// attacks are what this binary does instead of its tests when $RECONCILER_ATTACK says so.
var attacks = map[string]func(args []string) error{}

// attack registers what an attacker does; a test plays it by the name. It returns
// an error when it was refused, and nil when all that it tried went its way.
//
//	var readLock = attack("read-lock", func(args []string) error { … })
func attack(name string, play func(args []string) error) string {
	if attacks[name] != nil {
		panic("two attacks have the name " + name)
	}
	attacks[name] = play
	return name
}

func TestMain(m *testing.M) {
	if name := os.Getenv(attackVariable); name != "" {
		os.Exit(play(name, os.Args[1:]))
	}
	if os.Getuid() != 0 && os.Getenv("CI") == "true" {
		fmt.Fprintln(os.Stderr, "the attacks need root to have somebody to attack; CI=true asks for all of them")
		os.Exit(1)
	}
	pidns.Enter()
	unix.Umask(0o022)
	code := m.Run()
	if top != "" {
		_ = os.RemoveAll(top)
	}
	os.Exit(code)
}

func play(name string, args []string) int {
	do := attacks[name]
	if do == nil {
		fmt.Fprintln(os.Stderr, "no attack has the name", name)
		return 2
	}
	if err := do(args); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return refused
	}
	return 0
}

// top is the directory of all houses and of the two programs; see settle.
var top string

// settle makes top, which everybody can reach, with the reconciler and a copy of
// this binary in it: that of go test lies where nobody else can read it.
var settle = sync.OnceValue(func() error {
	dir, err := os.MkdirTemp("", "attacks-")
	if err != nil {
		return err
	}
	top = dir
	if err := os.Chmod(top, 0o755); err != nil {
		return err
	}
	build := exec.Command("go", "build", "-o", program(), "./cmd/reconciler")
	build.Dir = filepath.Join("..", "..")
	if out, err := build.CombinedOutput(); err != nil {
		return fmt.Errorf("go build: %w\n%s", err, out)
	}
	self, err := os.Open("/proc/self/exe")
	if err != nil {
		return err
	}
	defer self.Close()
	copied, err := os.OpenFile(attacker(), os.O_WRONLY|os.O_CREATE, 0o755)
	if err != nil {
		return err
	}
	if _, err := io.Copy(copied, self); err != nil {
		return err
	}
	return copied.Close()
})

func program() string  { return filepath.Join(top, "reconciler") }
func attacker() string { return filepath.Join(top, "attacker") }

// result is how a command ended.
type result struct {
	Out, Err string
	Code     int
}

// Refused reports whether the command is an attack that was refused.
func (r result) Refused() bool { return r.Code == refused }

// as makes the command one of a user with an environment as after a login.
func as(uid int, cmd *exec.Cmd) *exec.Cmd {
	home := "/root"
	if uid != 0 {
		home = "/nonexistent"
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uint32(uid), Gid: uint32(uid)}}
	}
	cmd.Dir = "/"
	cmd.Env = append(cmd.Env, "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME="+home)
	return cmd
}

func run(t *testing.T, cmd *exec.Cmd) result {
	t.Helper()
	var out, messages strings.Builder
	cmd.Stdout, cmd.Stderr = &out, &messages
	if err := cmd.Run(); cmd.ProcessState == nil {
		t.Fatalf("%v: %v", cmd.Args, err)
	}
	return result{out.String(), messages.String(), cmd.ProcessState.ExitCode()}
}

// asNobody runs a command as nobody to its end.
func asNobody(t *testing.T, argv ...string) result {
	t.Helper()
	return run(t, as(nobody, exec.CommandContext(t.Context(), argv[0], argv[1:]...)))
}

// attackCommand is a registered attack as a command of a user; settle comes first.
func attackCommand(t *testing.T, uid int, name string, args ...string) *exec.Cmd {
	t.Helper()
	if attacks[name] == nil {
		t.Fatalf("no attack has the name %s", name)
	}
	cmd := as(uid, exec.CommandContext(t.Context(), attacker(), args...))
	cmd.Env = append(cmd.Env, attackVariable+"="+name)
	return cmd
}

// attackAsNobody plays a registered attack to its end.
func attackAsNobody(t *testing.T, name string, args ...string) result {
	t.Helper()
	r := run(t, attackCommand(t, nobody, name, args...))
	if r.Code != 0 && !r.Refused() {
		t.Fatalf("the attack %s broke down: %+v", name, r)
	}
	return r
}

// attackBesideAsNobody plays an attack that goes on until the test ends, such as
// one that holds a lock. It returns when the attack has printed a line, its first.
func attackBesideAsNobody(t *testing.T, name string, args ...string) string {
	t.Helper()
	cmd := attackCommand(t, nobody, name, args...)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	var messages strings.Builder
	cmd.Stderr = &messages
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Wait() }) // it is killed with the test's context
	var line []byte
	for one := make([]byte, 1); ; {
		if _, err := out.Read(one); err != nil {
			_ = cmd.Wait()
			t.Fatalf("the attack %s broke down before it said a word: %s", name, messages.String())
		}
		if one[0] == '\n' {
			return string(line)
		}
		line = append(line, one[0])
	}
}

// waitFor polls until ok says "" and fails with what it said last.
func waitFor(t *testing.T, ok func() string) {
	t.Helper()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(patience); ; <-tick.C {
		why := ok()
		if why == "" {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("after %v: %s", patience, why)
		}
	}
}

// quoted is a text as YAML and JSON write it.
func quoted(s string) string { return strconv.Quote(s) }
