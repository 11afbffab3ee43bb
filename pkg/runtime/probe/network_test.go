package probe

import (
	"bufio"
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/health"
	"google.golang.org/grpc/health/grpc_health_v1"

	"github.com/reconciler-dev/reconciler/pkg/runtime/child"
)

// listen accepts connections until the test ends, which closes them.
func listen(t *testing.T, serve func(net.Conn)) (port int) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var conns []net.Conn
	var done sync.WaitGroup
	done.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			conns = append(conns, c)
			serve(c)
		}
	})
	t.Cleanup(func() {
		l.Close()
		done.Wait()
		for _, c := range conns {
			c.Close()
		}
	})
	return l.Addr().(*net.TCPAddr).Port
}

// ignore is what a server does that accepts and says nothing.
func ignore(net.Conn) {}

func freePort(t *testing.T) int {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port
}

func portOf(t testing.TB, s *httptest.Server) int {
	t.Helper()
	u, err := url.Parse(s.URL)
	if err != nil {
		t.Fatal(err)
	}
	port, err := strconv.Atoi(u.Port())
	if err != nil {
		t.Fatal(err)
	}
	return port
}

func TestHTTP(t *testing.T) {
	var last atomic.Pointer[http.Request]
	mux := http.NewServeMux()
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		last.Store(r.Clone(context.Background()))
		if code, err := strconv.Atoi(r.URL.Query().Get("status")); err == nil {
			w.WriteHeader(code)
		}
		_, _ = w.Write([]byte("all is well " + r.Host + " " + strings.Repeat("x", 70_000) + " the end"))
	})
	mux.Handle("/loop", http.RedirectHandler("/loop", http.StatusFound))
	mux.Handle("/here", http.RedirectHandler("/?status=503", http.StatusFound))
	mux.Handle("/away", http.RedirectHandler("http://192.0.2.1/", http.StatusFound))
	server, secure := httptest.NewServer(mux), httptest.NewTLSServer(mux)
	defer server.Close()
	defer secure.Close()

	for _, row := range []struct {
		sentence string
		probe    child.HTTPProbe
		want     string
	}{
		{"200 is well", child.HTTPProbe{}, ""},
		{"399 is well", child.HTTPProbe{Path: "/?status=399"}, ""},
		{"400 is not", child.HTTPProbe{Path: "/?status=400"}, "status 400, want 200-399"},
		{"a list of statuses", child.HTTPProbe{Path: "/?status=401", Status: "200, 401-403"}, ""},
		{"not in the list", child.HTTPProbe{Path: "/?status=200", Status: "201,401-403"}, "status 200, want 201,401-403"},
		{"a body that matches", child.HTTPProbe{BodyMatch: "^all is w.ll"}, ""},
		{"a body that does not", child.HTTPProbe{BodyMatch: "^ALL"}, `status 200, but the body does not match "^ALL"`},
		{"a body that would after its first 64 KiB", child.HTTPProbe{BodyMatch: "the end"}, `the body does not match "the end"`},
		{"a header Host", child.HTTPProbe{Headers: map[string]string{"Host": "shop.example"}, BodyMatch: "shop.example"}, ""},
		{"a redirect within the host is followed", child.HTTPProbe{Path: "/here"}, "status 503, want 200-399"},
		{"a redirect away is an answer", child.HTTPProbe{Path: "/away"}, ""},
		{"a redirect without end", child.HTTPProbe{Path: "/loop"}, "stopped after 10 redirects"},
		{"no certificate is verified", child.HTTPProbe{Scheme: "https", Port: portOf(t, secure)}, ""},
		{"http to a server of https", child.HTTPProbe{Port: portOf(t, secure)}, "status 400, want 200-399"},
		{"nobody listens", child.HTTPProbe{Port: freePort(t)}, "connection refused"},
	} {
		t.Run(row.sentence, func(t *testing.T) {
			if row.probe.Port == 0 {
				row.probe.Port = portOf(t, server)
			}

			got := look(t, child.Probe{HTTP: &row.probe}, 20)

			if !strings.HasSuffix(got, row.want) || row.want == "" && got != "" {
				t.Errorf("%q, want %q", got, row.want)
			}
		})
	}

	look(t, child.Probe{HTTP: &child.HTTPProbe{Port: portOf(t, server), Method: "POST", Headers: map[string]string{"X-Token": "abc"}}}, 20)
	r := last.Load()
	if r.Method != "POST" || r.Header.Get("X-Token") != "abc" || r.UserAgent() != "reconciler-probe" || r.Header.Get("Accept-Encoding") != "" || !r.Close {
		t.Errorf("request %s %v, close %v", r.Method, r.Header, r.Close)
	}
}

func TestHTTPThroughAUnixSocket(t *testing.T) {
	socket := filepath.Join(t.TempDir(), "s")
	l, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	server := &httptest.Server{Listener: l, Config: &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = w.Write([]byte(r.Host))
	})}}
	server.Start()
	defer server.Close()

	got := look(t, child.Probe{HTTP: &child.HTTPProbe{UnixSocket: socket, BodyMatch: "^localhost$"}}, 20)
	missing := look(t, child.Probe{HTTP: &child.HTTPProbe{UnixSocket: socket + "2"}}, 20)

	if got != "" {
		t.Errorf("got %q; want it to be well", got)
	}
	if !strings.Contains(missing, "no such file") {
		t.Errorf("a missing socket: %q", missing)
	}
}

func TestTCP(t *testing.T) {
	open := look(t, child.Probe{TCP: &child.TCPProbe{Port: listen(t, ignore)}}, 20)
	closed := look(t, child.Probe{TCP: &child.TCPProbe{Port: freePort(t)}}, 20)

	if open != "" || !strings.Contains(closed, "connection refused") {
		t.Errorf("an open port: %q; a closed one: %q", open, closed)
	}
}

func TestGRPC(t *testing.T) {
	serve := func(register func(*grpc.Server)) int {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		s := grpc.NewServer()
		register(s)
		var done sync.WaitGroup
		done.Go(func() { _ = s.Serve(l) })
		t.Cleanup(func() { s.Stop(); done.Wait() })
		return l.Addr().(*net.TCPAddr).Port
	}
	states := health.NewServer()
	states.SetServingStatus("mail", grpc_health_v1.HealthCheckResponse_NOT_SERVING)
	healthy := serve(func(s *grpc.Server) { grpc_health_v1.RegisterHealthServer(s, states) })
	mute := serve(func(*grpc.Server) {})

	for _, row := range []struct {
		sentence string
		probe    child.GRPCProbe
		timeout  float64
		want     string
	}{
		{"the server as a whole", child.GRPCProbe{Port: healthy}, 20, ""},
		{"a service that is not serving", child.GRPCProbe{Port: healthy, Service: "mail"}, 20, "the health service says NOT_SERVING"},
		{"a service that it does not know", child.GRPCProbe{Port: healthy, Service: "post"}, 20, `the health service does not know the service "post"`},
		{"a server without the health service", child.GRPCProbe{Port: mute}, 20, "the server has no health service (grpc.health.v1.Health)"},
		{"nobody listens", child.GRPCProbe{Port: freePort(t)}, 20, "connection refused"},
		{"no answer", child.GRPCProbe{Port: listen(t, ignore)}, 0.2, "no answer within 200ms"},
	} {
		t.Run(row.sentence, func(t *testing.T) {
			got := look(t, child.Probe{GRPC: &row.probe}, row.timeout)

			if !strings.Contains(got, row.want) || row.want == "" && got != "" {
				t.Errorf("%q, want %q", got, row.want)
			}
		})
	}
}

func TestWhatAServerAnswersIsNoPartOfOurSentence(t *testing.T) {
	const canary = "canary-of-a-server"
	for sentence, answer := range map[string]string{
		"no HTTP":             canary + "\r\n\r\n",
		"a status of its own": "HTTP/1.1 " + canary + " x\r\n\r\n",
		"a version":           "HTTP/" + canary + " 200 OK\r\n\r\n",
		"a header":            "HTTP/1.1 200 OK\r\n" + canary + "\r\n\r\n",
		"a redirect to it":    "HTTP/1.1 302 Found\r\nLocation: http://[" + canary + "\r\n\r\n",
		"a scheme":            "HTTP/1.1 302 Found\r\nLocation: " + canary + "://127.0.0.1/\r\n\r\n",
		"a chunk":             "HTTP/1.1 200 OK\r\nTransfer-Encoding: " + canary + "\r\n\r\n",
		"a length":            "HTTP/1.1 200 OK\r\nContent-Length: " + canary + "\r\n\r\n",
	} {
		t.Run(sentence, func(t *testing.T) {
			port := listen(t, func(c net.Conn) {
				if _, err := http.ReadRequest(bufio.NewReader(c)); err == nil {
					_, _ = c.Write([]byte(answer))
				}
				_ = c.Close()
			})
			p := started(t, Config{})

			p.Probe(readiness("a", 1, child.Probe{HTTP: &child.HTTPProbe{Port: port}}, 20))
			r := result(t, p)

			if r.OK || r.Message == "" || strings.Contains(r.Message, canary) {
				t.Errorf("our words are %q of %+v", r.Message, r)
			}
			if !strings.Contains(r.Words.Text(), canary) {
				t.Errorf("its words are %q, beside %q", r.Words.Text(), r.Message)
			}
		})
	}
}
