package probe

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"sync/atomic"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/status"

	"github.com/reconciler-dev/reconciler/pkg/runtime/child"
)

// lookGRPC asks the standard health service, grpc.health.v1.Health/Check, without
// TLS as the kubelet does.
func lookGRPC(ctx context.Context, probe *child.GRPCProbe, timeout time.Duration) error {
	addr := net.JoinHostPort(host(probe.Host), strconv.Itoa(probe.Port))
	var refused atomic.Pointer[error] // why the last connection could not be made
	conn, err := grpc.NewClient("passthrough:///"+addr,
		grpc.WithTransportCredentials(insecure.NewCredentials()), grpc.WithUserAgent(userAgent), grpc.WithNoProxy(), grpc.WithDisableServiceConfig(),
		grpc.WithContextDialer(func(ctx context.Context, addr string) (net.Conn, error) {
			c, err := dial(ctx, "tcp", addr)
			refused.Store(&err)
			return c, err
		}))
	if err != nil {
		return err
	}
	defer conn.Close()
	answer, err := grpc_health_v1.NewHealthClient(conn).Check(ctx, &grpc_health_v1.HealthCheckRequest{Service: probe.Service})
	if err != nil {
		return explainGRPC(err, refused.Load(), probe.Service, timeout)
	}
	if answer.GetStatus() != grpc_health_v1.HealthCheckResponse_SERVING {
		return fmt.Errorf("the health service says %s", answer.GetStatus())
	}
	return nil
}

// explainGRPC says what is wrong. refused is the error of the connection, if that was
// tried: what the library says of one that was made may quote the server.
func explainGRPC(err error, refused *error, service string, timeout time.Duration) error {
	switch said := status.Convert(err); said.Code() {
	case codes.DeadlineExceeded:
		return &noAnswer{timeout}
	case codes.Unimplemented:
		return errors.New("the server has no health service (grpc.health.v1.Health)")
	case codes.NotFound:
		return fmt.Errorf("the health service does not know the service %q", service)
	case codes.Unavailable:
		if refused != nil && *refused != nil {
			return fmt.Errorf("cannot connect: %w", *refused)
		}
		return &failure{why: "the server cannot be talked to", words: child.Words(said.Message())}
	default:
		return fmt.Errorf("the health service answers with the error %s", said.Code())
	}
}
