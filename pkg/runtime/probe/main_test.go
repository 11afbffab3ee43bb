package probe

import (
	"fmt"
	"net"
	"net/http"
	"os"
	"testing"

	"go.uber.org/goleak"
)

// TestMain makes this binary a web server too, for benchmarks that measure the
// processor time of the asking side alone.
func TestMain(m *testing.M) {
	if os.Getenv("PROBE_BENCH_SERVER") != "" {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		fmt.Println(l.Addr().(*net.TCPAddr).Port)
		_ = http.Serve(l, http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
		return
	}
	goleak.VerifyTestMain(m)
}
