package daemon

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/go-logr/logr"
	"go.uber.org/goleak"

	"github.com/reconciler-dev/reconciler/internal/trust"
	"github.com/reconciler-dev/reconciler/pkg/metrics"
	"github.com/reconciler-dev/reconciler/pkg/reconcile"
	"github.com/reconciler-dev/reconciler/pkg/runtime/child"
)

// measured is a daemon with metrics of nothing, and a listener for them.
func measured(t *testing.T) (*daemon, net.Listener) {
	t.Helper()
	l, err := listenMetrics(filepath.Join(t.TempDir(), "m.sock"), trust.Own())
	if err != nil {
		t.Fatal(err)
	}
	m := metrics.New(metrics.Options{
		Children: func() []*child.Snapshot { return nil },
		ShimUp:   func() bool { return true },
		Problems: func() int { return 0 },
	})
	return &daemon{metrics: m, log: logr.Discard()}, l
}

func TestMetricsAreServedUntilToldToEndWhoeverHangsOnTheLine(t *testing.T) {
	defer goleak.VerifyNone(t)
	d, l := measured(t)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- d.serveMetrics(l).run(ctx) }()
	silent, err := net.Dial("unix", l.Addr().String()) // says nothing, ever
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()

	answers := map[string]string{}
	for _, ask := range []string{"GET /metrics", "POST /metrics", "GET /etc/passwd"} {
		answers[ask] = askOnce(t, l.Addr().String(), ask)
	}
	cancel()

	for ask, want := range map[string]string{"GET /metrics": "200 OK", "POST /metrics": "405 Method Not Allowed", "GET /etc/passwd": "404 Not Found"} {
		if answers[ask] != want {
			t.Errorf("%s is answered with %q, want %q", ask, answers[ask], want)
		}
	}
	select {
	case err := <-ended:
		if err != nil {
			t.Errorf("the part ended with %v", err)
		}
	case <-time.After(30 * time.Second):
		t.Fatal("the part does not end")
	}
	if _, err := os.Lstat(l.Addr().String()); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the socket is still there: %v", err)
	}
}

// askOnce is the status of one request on a connection of its own.
func askOnce(t *testing.T, socket, request string) string {
	t.Helper()
	c, err := net.Dial("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	fmt.Fprintf(c, "%s HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", request)
	r, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Body.Close()
	return r.Status
}

func TestSocketsAreReplacedOnlyWhenNobodyAnswers(t *testing.T) {
	dir := t.TempDir()
	stale := filepath.Join(dir, "stale.sock")
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: stale})
	if err != nil {
		t.Fatal(err)
	}
	l.SetUnlinkOnClose(false)
	l.Close()
	used := filepath.Join(dir, "used.sock")
	other, err := net.Listen("unix", used)
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	link := filepath.Join(dir, "link")
	if err := os.Symlink(stale, link); err != nil {
		t.Fatal(err)
	}

	for path, want := range map[string]string{used: "somebody else answers", file: "is not a socket", link: "is not a socket", filepath.Join(dir, "no", "dir"): "no such file"} {
		if l, err := listenMetrics(path, trust.Own()); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, %v; want an error with %q", path, l, err, want)
		}
	}
	again, err := listenMetrics("unix:"+stale, trust.Own())
	if err != nil {
		t.Fatalf("a socket that a killed run left: %v", err)
	}
	defer again.Close()
	if info, err := os.Stat(stale); err != nil || info.Mode().Perm() != socketMode {
		t.Errorf("mode %v, %v; want %o", info.Mode(), err, socketMode)
	}
}

func TestOnlyLoopbackIsClosedToOtherMachines(t *testing.T) {
	for address, open := range map[string]bool{"127.0.0.1:0": false, "0.0.0.0:0": true} {
		l, err := net.Listen("tcp4", address)
		if err != nil {
			t.Fatal(err)
		}
		if got := isOpenToOthers(l); got != open {
			t.Errorf("%s is open to others: %v, want %v", address, got, open)
		}
		l.Close()
	}
}

func TestActionsAreCountedOnceForEachTry(t *testing.T) {
	d, l := measured(t)
	defer l.Close()

	add := reconcile.Action{Verb: reconcile.Add}
	d.countPass(&reconcile.Report{Duration: time.Second, Actions: []reconcile.Result{
		{Action: add}, {Action: add, Error: "no such user"}, {Action: add, Error: "no such user", Waits: true}, {Action: add, Deferred: true},
	}})

	r := httptest.NewRecorder()
	d.metrics.Handler().ServeHTTP(r, httptest.NewRequest(http.MethodGet, "/metrics", nil))
	text := r.Body.String()
	for _, want := range []string{
		`reconciler_reconcile_actions_total{action="add",result="accepted"} 1`,
		`reconciler_reconcile_actions_total{action="add",result="refused"} 1`,
		`reconciler_reconcile_actions_total{action="add",result="deferred"} 1`,
		`reconciler_reconcile_duration_seconds_count 1`,
	} {
		if !strings.Contains(text, want) {
			t.Errorf("the metrics lack %s", want)
		}
	}
}
