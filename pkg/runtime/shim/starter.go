package shim

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/reconciler-dev/reconciler/internal/private"
)

const (
	// startPatience is how long a shim that was just started may take to listen:
	// it waits for the lock of a dying one, and reads its table.
	startPatience = 2 * lockPatience
	startLook     = 2 * time.Millisecond

	// maxShimLog is how long the file with the words of shims may be when one more
	// begins to write to it. Each writes little.
	maxShimLog = 1 << 20
)

// starter connects to the shim of a directory and starts one where none listens.
type starter struct {
	command []string
	dir     string
	pid     int // of a shim that it started and that did not end; 0: there is none
}

// connect returns when a shim has taken the connection into its queue.
func (s *starter) connect(ctx context.Context) (net.Conn, error) {
	deadline := time.Now().Add(startPatience)
	for {
		fd, err := dial(s.dir)
		if err == nil {
			return fileConn(fd)
		}
		if !nobodyListens(err) {
			return nil, fmt.Errorf("connect to the shim: %w", err)
		}
		if ended := s.reap(); ended != "" {
			return nil, fmt.Errorf("the shim that was started ended with %s: %s", ended, s.lastWords())
		}
		if s.pid == 0 {
			if err := s.start(); err != nil {
				return nil, fmt.Errorf("start a shim: %w", err)
			}
		}
		if time.Now().After(deadline) {
			return nil, fmt.Errorf("the shim that was started, pid %d, does not listen; see %s", s.pid, s.logPath())
		}
		select {
		case <-time.After(startLook):
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

func nobodyListens(err error) bool {
	return errors.Is(err, unix.ENOENT) || errors.Is(err, unix.ECONNREFUSED)
}

func (s *starter) logPath() string { return filepath.Join(s.dir, "log") }

// start starts a shim in a session of its own, so that nothing that ends this
// process or its terminal ends the shim. It gets little of this environment:
// nothing of it goes to children, and there may be secrets in it.
func (s *starter) start() error {
	if err := private.Below(s.dir); err != nil {
		return err
	}
	path, err := exec.LookPath(s.command[0])
	if err != nil {
		return err
	}
	null, err := os.Open(os.DevNull)
	if err != nil {
		return err
	}
	defer null.Close()
	words, err := s.openLog()
	if err != nil {
		return err
	}
	defer words.Close()
	p, err := os.StartProcess(path, s.command, &os.ProcAttr{
		Env:   shimEnvironment(os.Environ()),
		Files: []*os.File{null, words, words},
		Sys:   &syscall.SysProcAttr{Setsid: true},
	})
	if err != nil {
		return err
	}
	s.pid = p.Pid // before Release, which makes it -1
	return p.Release()
}

func (s *starter) openLog() (*os.File, error) {
	f, err := private.Open(s.logPath(), os.O_WRONLY|os.O_CREATE|os.O_APPEND)
	if err != nil {
		return nil, err
	}
	if fi, err := f.Stat(); err == nil && fi.Size() > maxShimLog {
		_ = f.Truncate(0) // else it grows on, by little
	}
	return f, nil
}

// shimEnvironment keeps what a Go program itself listens to, and where notify sockets
// may be (see places). Children do not inherit it: theirs comes with each start.
func shimEnvironment(environ []string) []string {
	return slices.DeleteFunc(slices.Clone(environ), func(kv string) bool {
		name, _, _ := strings.Cut(kv, "=")
		return !slices.Contains([]string{"PATH", "TMPDIR", "GODEBUG", "GOTRACEBACK", "GORACE", "GOCOVERDIR", runtimeDirVariable}, name)
	})
}

// reap says how the shim that was started ended, if it did, and lets it go. It
// does not wait: a shim usually outlives the one who started it.
func (s *starter) reap() string {
	if s.pid == 0 {
		return ""
	}
	var ws unix.WaitStatus
	if pid, err := unix.Wait4(s.pid, &ws, unix.WNOHANG, nil); err == nil && pid == 0 || errors.Is(err, unix.EINTR) {
		return ""
	}
	s.pid = 0
	if ws.Signaled() {
		return signalName(ws.Signal())
	}
	return fmt.Sprintf("exit code %d", ws.ExitStatus())
}

// lastWords is the last line that shims have written.
func (s *starter) lastWords() string {
	file, err := private.Open(s.logPath(), os.O_RDONLY)
	if err != nil {
		return "it said nothing"
	}
	defer file.Close()
	tail := make([]byte, 2048)
	if fi, err := file.Stat(); err == nil {
		_, _ = file.Seek(max(0, fi.Size()-int64(len(tail))), io.SeekStart)
	}
	n, _ := io.ReadFull(file, tail)
	tail = bytes.TrimSpace(tail[:n])
	return string(tail[bytes.LastIndexByte(tail, '\n')+1:])
}
