package probe

import (
	"context"
	"net"
	"strconv"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/reconciler-dev/reconciler/pkg/runtime/child"
)

// lookTCP is well when a connection is accepted.
func lookTCP(ctx context.Context, probe *child.TCPProbe, timeout time.Duration) error {
	c, err := dial(ctx, "tcp", net.JoinHostPort(host(probe.Host), strconv.Itoa(probe.Port)))
	if err != nil {
		return explain(err, timeout)
	}
	_ = c.Close() // it was accepted: that is all
	return nil
}

// dial connects. What remains of the connection in the kernel after its end is
// kept for a second, not for a minute (TIME_WAIT): a thousand looks a second would
// else use up the ports of the machine, as Kubernetes found out (issue 89898).
func dial(ctx context.Context, network, addr string) (net.Conn, error) {
	d := net.Dialer{Control: func(network, _ string, c syscall.RawConn) error {
		if network == "unix" {
			return nil
		}
		var failed error
		err := c.Control(func(fd uintptr) {
			failed = unix.SetsockoptLinger(int(fd), unix.SOL_SOCKET, unix.SO_LINGER, &unix.Linger{Onoff: 1, Linger: 1})
		})
		if err != nil {
			return err
		}
		return failed
	}}
	return d.DialContext(ctx, network, addr)
}
