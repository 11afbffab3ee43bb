package daemon

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"github.com/reconciler-dev/reconciler/cmd/reconciler/internal/cli"
	"github.com/reconciler-dev/reconciler/internal/trust"
)

// socketMode lets the owner and the group scrape.
const socketMode = 0o660

// listenMetrics opens the address of --metrics-listen. The socket at a path goes
// with the listener.
func listenMetrics(address string, way trust.Policy) (net.Listener, error) {
	network, address := cli.SplitListen(address)
	if network == "unix" {
		// Who could put something else in its place would have us chmod that, and
		// answer in our name.
		if err := mayHold(filepath.Dir(address), way); err != nil {
			return nil, fmt.Errorf("--metrics-listen: %w, or choose another path", err)
		}
		if err := clearSocket(address); err != nil {
			return nil, fmt.Errorf("--metrics-listen: %w", err)
		}
	}
	l, err := net.Listen(network, address)
	if err != nil {
		return nil, fmt.Errorf("--metrics-listen: %w (does another one use it? choose another address)", err)
	}
	if network == "unix" {
		if err := os.Chmod(address, socketMode); err != nil {
			l.Close()
			return nil, fmt.Errorf("--metrics-listen: %w", err)
		}
	}
	return l, nil
}

// clearSocket takes away the socket that a killed run left behind. Anything else
// at the path stays, also a socket on which somebody answers.
func clearSocket(path string) error {
	info, err := os.Lstat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return err
	case info.Mode().Type() != fs.ModeSocket:
		return fmt.Errorf("%s is there and is not a socket: remove it or choose another path", path)
	}
	c, err := net.DialTimeout("unix", path, time.Second)
	switch {
	case err == nil:
		c.Close()
		return fmt.Errorf("somebody else answers on %s: choose another path", path)
	case errors.Is(err, syscall.ECONNREFUSED):
		return os.Remove(path)
	}
	return fmt.Errorf("%s is there, and whether it is used cannot be told: %w", path, err)
}

// isOpenToOthers reports whether other machines may reach l.
func isOpenToOthers(l net.Listener) bool {
	a, ok := l.Addr().(*net.TCPAddr)
	return ok && !a.IP.IsLoopback()
}
