package server

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/reconciler-dev/reconciler/pkg/control"
	"github.com/reconciler-dev/reconciler/pkg/control/client"
	"github.com/reconciler-dev/reconciler/pkg/runtime/child"
	"github.com/reconciler-dev/reconciler/pkg/runtime/machine"
)

var machineAdopted = machine.Adopted{}

// connect opens a connection that the test closes in the end.
func (h *house) connect() net.Conn {
	h.t.Helper()
	c, err := dialer(h.options.Socket)(h.t.Context(), "", "")
	must(h.t, err)
	h.t.Cleanup(func() { _ = c.Close() })
	must(h.t, c.SetDeadline(time.Now().Add(patient)))
	return c
}

// isWell checks that commands are carried out, over the socket and past it.
func (h *house) isWell() {
	h.t.Helper()
	h.Client.Close()
	_, err := h.Command(h.t.Context(), "restart", "web", control.Command{})
	must(h.t, err)
	cause := child.Cause{RequestedBy: "test", Reason: "is the loop alive?"}
	_, err = h.handle.Restart(h.t.Context(), "office/worker", cause)
	must(h.t, err)
}

func TestASocketThatADeadDaemonLeftIsReplaced(t *testing.T) {
	h := build(t, office, nil)
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: filepath.Join(shortDir(t, h), control.SocketName)})
	must(t, err)
	l.SetUnlinkOnClose(false)
	must(t, l.Close()) // it is there, and nobody answers

	h.serve(defaultLimits())

	if _, err := h.Health(t.Context()); err != nil {
		t.Errorf("health: %v", err)
	}
	info, err := os.Lstat(h.options.Socket)
	must(t, err)
	if info.Mode() != fs.ModeSocket|0o600 {
		t.Errorf("mode = %v, want a socket with 0600", info.Mode())
	}
}

// shortDir moves the socket of a house to a path that needs no tricks.
func shortDir(t *testing.T, h *house) string {
	dir, err := os.MkdirTemp("", "ctl")
	must(t, err)
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	h.options.Socket = filepath.Join(dir, control.SocketName)
	h.Client = client.New(dir)
	t.Cleanup(h.Client.Close)
	return dir
}

func TestWhatIsNotADeadSocketStays(t *testing.T) {
	for name, row := range map[string]struct {
		make func(t *testing.T, path string)
		want string
	}{
		"a file": {func(t *testing.T, path string) { must(t, os.WriteFile(path, []byte("dear diary"), 0o600)) }, "is no socket"},
		"a link": {func(t *testing.T, path string) {
			must(t, os.WriteFile(path+".victim", []byte("dear diary"), 0o600))
			must(t, os.Symlink(path+".victim", path))
		}, "symbolic link"},
		"a folder": {func(t *testing.T, path string) { must(t, os.Mkdir(path, 0o700)) }, "is no socket"},
		"a daemon that answers": {func(t *testing.T, path string) {
			l, err := net.Listen("unix", path)
			must(t, err)
			t.Cleanup(func() { _ = l.Close() })
		}, "somebody answers"},
	} {
		t.Run(name, func(t *testing.T) {
			h := build(t, office, nil)
			dir := shortDir(t, h)
			row.make(t, h.options.Socket)
			before, err := os.Lstat(h.options.Socket)
			must(t, err)

			s, err := New(h.options)

			if err == nil {
				_ = s.Close()
				t.Fatal("it was replaced")
			}
			if !strings.Contains(err.Error(), row.want) {
				t.Errorf("error = %v, want %q", err, row.want)
			}
			after, err := os.Lstat(h.options.Socket)
			if err != nil || !os.SameFile(before, after) {
				t.Errorf("it is not there any more: %v", err)
			}
			if left, _ := filepath.Glob(filepath.Join(dir, ".control-*")); len(left) > 0 {
				t.Errorf("left behind: %v", left)
			}
		})
	}
}

func TestTheSocketGoesWithTheServer(t *testing.T) {
	h := build(t, office, nil)
	s, err := New(h.options)
	must(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()

	must(t, s.Run(ctx))

	left, err := filepath.Glob(filepath.Join(h.dir, "*.sock"))
	if err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

func TestASocketMayHaveALongPath(t *testing.T) {
	h := build(t, office, nil)
	dir := filepath.Join(h.dir, strings.Repeat("long/", 40))
	must(t, os.MkdirAll(dir, 0o700))
	h.options.Socket = filepath.Join(dir, control.SocketName)
	h.Client = client.New(dir)
	t.Cleanup(h.Client.Close)

	h.serve(defaultLimits())

	if _, err := h.Health(t.Context()); err != nil {
		t.Errorf("health over a path of %d bytes: %v", len(h.options.Socket), err)
	}
}

func TestTheGroupGetsInAndSeesNothingElse(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("only root may give a file to any group")
	}
	h := build(t, office, func(o *Options) { o.Group = "4711" })

	h.serve(defaultLimits())

	socket, err := os.Lstat(h.options.Socket)
	must(t, err)
	dir, err := os.Stat(h.dir)
	must(t, err)
	if socket.Mode().Perm() != 0o660 || dir.Mode().Perm() != 0o710 {
		t.Errorf("modes = %v of the socket and %v of the directory, want 0660 and 0710", socket.Mode(), dir.Mode())
	}
	if _, err := New(Options{Group: "no-such-group"}); err == nil || !strings.Contains(err.Error(), "--control-group") {
		t.Errorf("a group that does not exist: %v", err)
	}
}

func TestAGroupThatWasLetInOnceIsShutOutAtTheNextStart(t *testing.T) {
	h := build(t, office, nil)
	must(t, os.Chmod(h.dir, 0o750)) // as an earlier start, or a person, left it
	if os.Getuid() == 0 {
		must(t, os.Chown(h.dir, -1, 4711))
	}

	h.serve(defaultLimits())

	dir, err := os.Stat(h.dir)
	must(t, err)
	if dir.Mode().Perm() != 0o700 || dir.Sys().(*syscall.Stat_t).Gid != uint32(os.Getegid()) {
		t.Errorf("the state directory has mode %v and group %d; want 0700 and our own", dir.Mode(), dir.Sys().(*syscall.Stat_t).Gid)
	}
}

func TestAThousandSilentConnectionsKeepNobodyOut(t *testing.T) {
	h := open(t, office)
	for range 1000 {
		h.connect()
	}

	h.isWell()

	if n := h.server.conns.count(); n > h.server.limits.connections {
		t.Errorf("%d connections are held, want at most %d", n, h.server.limits.connections)
	}
}

func (c *conns) count() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.all)
}

func TestHalfRequestsKeepNobodyOutAndEnd(t *testing.T) {
	h := build(t, office, nil)
	l := defaultLimits()
	l.header, l.body = 500*time.Millisecond, time.Second
	h.serve(l)
	h.procs.events <- machineAdopted
	_, err := h.Reconcile(t.Context(), control.ReconcileRequest{})
	must(t, err)
	var all []net.Conn
	for i := range 200 {
		c := h.connect()
		_, err := io.WriteString(c, []string{
			"GET /v1/health HTTP/1.1\r\nHost: x\r\nX-A: ",
			"POST /v1/children/web/restart HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n{",
			"POST /v1/children/web/restart HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{",
			"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
		}[i%4])
		if err == nil { // else it had to make way already
			all = append(all, c)
		}
	}

	h.isWell()

	for _, c := range all {
		_, _ = io.Copy(io.Discard, c) // to its end, which comes: else the deadline fails the test
	}
}

func TestWhenAllConnectionsAreServedTheNextIsTold(t *testing.T) {
	h := build(t, office, nil)
	l := defaultLimits()
	l.connections = 3
	h.serve(l)
	h.procs.events <- machineAdopted
	until(t, func() string {
		_, there := h.handle.Child("root")
		return unless(there, "there is no child yet")
	})
	ctx, cancel := context.WithCancel(t.Context())
	left := make(chan struct{}, 3)
	for range 3 {
		go func() {
			_ = h.Logs(ctx, "root", client.LogOptions{Follow: true}, io.Discard)
			left <- struct{}{}
		}()
	}
	until(t, func() string { return unless(h.server.conns.serving() == 3, "not all follow yet") })

	got := h.ask("GET", "/v1/health", "")

	if got.code != 503 || got.refusal() != control.CodeTooManyConnections {
		t.Errorf("the fourth = %+v, want too_many_connections", got)
	}
	cancel()
	for range 3 {
		<-left
	}
	until(t, func() string {
		return unless(h.ask("GET", "/v1/health", "").code == 200, "there is no room although all have left")
	})
}

func (c *conns) serving() (n int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for x := range c.all {
		if x.serving {
			n++
		}
	}
	return n
}

func TestAClientThatReadsNothingIsCutOff(t *testing.T) {
	h := build(t, office, nil)
	l := defaultLimits()
	l.write = 300 * time.Millisecond
	h.serve(l)
	h.procs.events <- machineAdopted
	_, err := h.Reconcile(t.Context(), control.ReconcileRequest{})
	must(t, err)
	h.write("logs/web/current", strings.Repeat("a line that nobody reads\n", 400_000)) // 10 MB, more than a socket holds
	c := h.connect()
	_, err = io.WriteString(c, "GET /v1/children/web/logs HTTP/1.1\r\nHost: x\r\n\r\n")
	must(t, err)
	until(t, func() string { return unless(h.server.conns.serving() == 1, "it is not served") })

	h.isWell()

	until(t, func() string { return unless(h.server.conns.serving() == 0, "it is still served") })
}

func TestAHugeBodyIsRefusedBeforeItIsRead(t *testing.T) {
	h := open(t, office)
	const size = 100 << 20
	for name, header := range map[string]string{
		"announced": fmt.Sprintf("Content-Length: %d", size), "in chunks": "Transfer-Encoding: chunked",
	} {
		c := h.connect()
		_, err := fmt.Fprintf(c, "POST /v1/children/web/restart HTTP/1.1\r\nHost: x\r\n%s\r\n\r\n", header)
		must(t, err)
		sent := make(chan struct{})
		go func() {
			defer close(sent)
			chunk := []byte("100000\r\n" + strings.Repeat(" ", 1<<20) + "\r\n")
			for range size >> 20 {
				if _, err := c.Write(chunk); err != nil {
					return // it hung up, as it should
				}
			}
		}()

		resp, err := http.ReadResponse(bufio.NewReader(c), nil)

		if err != nil || resp.StatusCode != http.StatusRequestEntityTooLarge {
			t.Errorf("%s: %v, %v; want 413", name, resp, err)
		}
		_ = c.Close()
		<-sent
	}
	h.isWell()
}

func TestNonsenseOnTheSocketDisturbsNobody(t *testing.T) {
	h := open(t, office)
	for _, text := range []string{
		"\x00\x00\x00\x00", "GET\r\n\r\n", "GET / HTTP/9.9\r\n\r\n", "GET / HTTP/1.1\r\n\r\n",
		"GET /v1/health HTTP/1.1\r\nHost: x\r\nX: " + strings.Repeat("y", 1<<20) + "\r\n\r\n",
		"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "CONNECT evil:443 HTTP/1.1\r\nHost: evil\r\n\r\n",
		"POST /v1/children/web/restart HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n",
		"POST /v1/children/web/restart HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n{}",
	} {
		c := h.connect()
		_, _ = io.WriteString(c, text) // it may hang up before the end
		if u, ok := c.(*net.UnixConn); ok {
			_ = u.CloseWrite()
		}
		answer, _ := io.ReadAll(c)
		if len(answer) > 0 && !strings.HasPrefix(string(answer), "HTTP/1.") {
			t.Errorf("%.30q was answered by %.60q", text, answer)
		}
	}
	if c, err := h.Child(t.Context(), "web"); err != nil || c.RestartCount > 0 {
		t.Errorf("web was restarted: %+v, %v", c, err)
	}
	h.isWell()
}
