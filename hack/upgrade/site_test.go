package upgrade

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/reconciler-dev/reconciler/pkg/runtime/child"
	"github.com/reconciler-dev/reconciler/pkg/status"
)

// patience is how long a test waits for what must happen.
const patience = 60 * time.Second

// site is a directory of manifests, and one reconciler after the other on it.
type site struct {
	*testing.T
	root string
	ids  []string

	daemon *exec.Cmd // nil: none runs
	words  bytes.Buffer
}

func newSite(t *testing.T) *site {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	s := &site{T: t, root: t.TempDir()}
	if s.ids, err = declare(s.root, self); err != nil {
		t.Fatal(err)
	}
	return s
}

// start runs a reconciler until it has made its first pass.
func (s *site) start(program, onExit string) {
	s.Helper()
	in := func(name string) string { return filepath.Join(s.root, name) }
	s.words.Reset()
	s.daemon = exec.Command(program, "run", "--manifests", in("manifests"), "--status", in("status"), "--state", in("state"),
		"--secrets", in("secrets"), "--on-exit", onExit)
	s.daemon.Dir, s.daemon.Stdout, s.daemon.Stderr = "/", &s.words, &s.words
	s.daemon.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + os.Getenv("HOME"), "GORACE=atexit_sleep_ms=0"}
	if err := s.daemon.Start(); err != nil {
		s.Fatal(err)
	}
	pid := s.daemon.Process.Pid
	s.until("it reconciles", func() string {
		r, err := s.runtime()
		if err != nil || r.PID != pid || r.LastReconcile == nil || !r.Shim.Connected {
			return fmt.Sprintf("%+v, %v", r, err)
		}
		return ""
	})
}

// tearDown ends what a test that failed has left.
func (s *site) tearDown(program string) {
	if s.daemon == nil && !s.Failed() {
		return
	}
	if s.daemon != nil {
		s.kill()
	}
	s.start(program, "stop")
	s.end()
}

// kill ends the reconciler at once.
func (s *site) kill() {
	s.Helper()
	if err := s.daemon.Process.Kill(); err != nil {
		s.Fatal(err)
	}
	_ = s.daemon.Wait()
	s.daemon = nil
}

// end ends the reconciler in order.
func (s *site) end() {
	s.Helper()
	if err := s.daemon.Process.Signal(syscall.SIGTERM); err != nil {
		s.Fatal(err)
	}
	if err := s.daemon.Wait(); err != nil {
		s.Errorf("the reconciler ended with %v:\n%s", err, s.lastWords())
	}
	s.daemon = nil
}

// killShim ends the shim at once, and waits for the reconciler to have another.
func (s *site) killShim() {
	s.Helper()
	old := s.shim()
	if old <= 1 {
		s.Fatalf("the shim has the pid %d", old)
	}
	p, err := os.FindProcess(old)
	if err == nil {
		err = p.Kill()
	}
	if err != nil {
		s.Fatal(err)
	}
	s.until("there is another shim", func() string {
		if r, err := s.runtime(); err != nil || r.Shim.PID == old || !r.Shim.Connected {
			return fmt.Sprintf("%+v, %v", r.Shim, err)
		}
		return ""
	})
}

func (s *site) shim() int {
	s.Helper()
	r, err := s.runtime()
	if err != nil {
		s.Fatal(err)
	}
	return r.Shim.PID
}

// get asks the reconciler.
func (s *site) get(path string, into any) error {
	client := http.Client{Transport: &http.Transport{
		DisableKeepAlives: true,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, "unix", filepath.Join(s.root, "state", "reconciler.sock"))
		},
	}}
	answer, err := client.Get("http://reconciler" + path)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		return fmt.Errorf("%s: %s", path, answer.Status)
	}
	return json.NewDecoder(answer.Body).Decode(into)
}

func (s *site) runtime() (r status.Runtime, err error) { return r, s.get("/v1/state", &r) }

// lastWords is the end of what the reconciler said.
func (s *site) lastWords() string {
	words := s.words.String()
	return words[max(0, len(words)-2000):]
}

// life is what of a child must not change.
type life struct {
	Phase                child.Phase
	PID                  int
	Started, NextRestart time.Time
	Attempt              child.Attempt
	Generation           child.Generation
	Restarts             uint64
	Exits                int
	Manifest             status.Manifest
	Ready                bool
	NotEnforced          string
}

func (s *site) children() map[string]status.Child {
	s.Helper()
	var list struct{ Children []status.Child }
	if err := s.get("/v1/children", &list); err != nil {
		s.Fatal(err)
	}
	all := map[string]status.Child{}
	for _, c := range list.Children {
		all[string(c.ID)] = c
	}
	return all
}

func (s *site) lives() map[string]life {
	s.Helper()
	all := map[string]life{}
	for id, c := range s.children() {
		l := life{
			Phase: c.Phase, Attempt: c.Attempt, Generation: c.Generation, Restarts: c.RestartCount,
			Exits: len(c.Exits), Manifest: c.Manifest, Ready: c.Ready(),
		}
		if meansMore[id] {
			l.Manifest = status.Manifest{}
		}
		if c.PID != nil {
			l.PID, l.Started = *c.PID, *c.StartedAt
		}
		if c.NextRestartAt != nil {
			l.NextRestart = *c.NextRestartAt
		}
		if n, ok := c.Condition(child.ConditionNotEnforced); ok {
			l.NotEnforced = n.Message
		}
		all[id] = l
	}
	return all
}

// same waits until the children are as they were. A process that was started anew
// never is.
func (s *site) same(step string, want map[string]life, but ...cmp.Option) {
	s.Helper()
	if s.Failed() {
		s.FailNow()
	}
	deadline := time.Now().Add(patience / 4)
	every := time.NewTicker(10 * time.Millisecond)
	defer every.Stop()
	for {
		diff := cmp.Diff(want, s.lives(), but...)
		if diff == "" {
			return
		}
		if time.Now().After(deadline) {
			s.Fatalf("%s: -before +after\n%s\nthe reconciler said:\n%s", step, diff, s.lastWords())
		}
		<-every.C
	}
}

// ended waits until a child has ended with a code, and takes it from those that
// must stay as they are.
func (s *site) ended(id string, code int, want map[string]life) {
	s.Helper()
	s.until(fmt.Sprintf("%s has ended with %d", id, code), func() string {
		c := s.children()[id]
		if c.LastExit == nil || c.LastExit.Code == nil || *c.LastExit.Code != code || len(c.LastExit.LogTail) == 0 || c.LastExit.LogTail[0] != "last words" {
			return fmt.Sprintf("%s, last exit %+v", c.Phase, c.LastExit)
		}
		want[id] = s.lives()[id]
		return ""
	})
	if l := want[id]; l.Phase != child.FailedPhase || l.Attempt != 1 {
		s.Errorf("%s: %+v, want Failed after one attempt", id, l)
	}
}

// heard waits until the words of the speaker have come.
func (s *site) heard(words string) {
	s.Helper()
	if err := write(filepath.Join(s.root, "words"), words); err != nil {
		s.Fatal(err)
	}
	for _, id := range []string{speaker, "talk/refused"} {
		s.until(id+" is heard", func() string {
			c := s.children()[id]
			if c.Said == nil || c.Said.Status != child.Words(words) {
				return fmt.Sprintf("said %+v, want %q", c.Said, words)
			}
			return ""
		})
	}
}

// until waits for a condition; ok says why it does not hold.
func (s *site) until(what string, ok func() string) {
	s.Helper()
	deadline := time.Now().Add(patience)
	every := time.NewTicker(5 * time.Millisecond)
	defer every.Stop()
	for {
		why := ok()
		if why == "" {
			return
		}
		if time.Now().After(deadline) {
			s.Fatalf("after %v not: %s: %s\nthe reconciler said:\n%s", patience, what, why, s.lastWords())
		}
		<-every.C
	}
}

// checkLines fails unless each line that a ticker printed is in its log, once.
func (s *site) checkLines() {
	s.Helper()
	for i := range tickers {
		data, err := os.ReadFile(filepath.Join(s.root, "state", "logs", fmt.Sprint(ticker, i), "current"))
		if err != nil {
			s.Fatal(err)
		}
		lines := strings.Split(strings.TrimSuffix(string(data), "\n"), "\n")
		for n, line := range lines {
			if line != fmt.Sprint("line ", n+1) {
				s.Errorf("%s%d: line %d of its log is %q", ticker, i, n+1, line)
				break
			}
		}
		if len(lines) < 10 {
			s.Errorf("%s%d has printed %d lines only", ticker, i, len(lines))
		}
	}
}
