package client_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/reconciler-dev/reconciler/pkg/control"
	"github.com/reconciler-dev/reconciler/pkg/control/client"
	"github.com/reconciler-dev/reconciler/pkg/runtime/child"
)

// answering is the client of a server that answers as h does.
func answering(t *testing.T, h http.HandlerFunc) *client.Client {
	t.Helper()
	dir := t.TempDir()
	listener := listening(t, filepath.Join(dir, control.SocketName))
	s := &http.Server{Handler: h}
	done := make(chan struct{})
	go func() { defer close(done); _ = s.Serve(listener) }()
	t.Cleanup(func() { must(t, s.Close()); <-done })
	c := client.New(dir)
	t.Cleanup(c.Close)
	return c
}

func listening(t *testing.T, path string) (l net.Listener) {
	t.Helper()
	must(t, control.WithAddress(path, func(address string) (err error) { l, err = net.Listen("unix", address); return err }))
	return l
}

// saying answers everything alike.
func saying(code int, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(code); _, _ = io.WriteString(w, body) }
}

func TestThatNobodyAnswersIsToldApart(t *testing.T) {
	for name, prepare := range map[string]func(dir string){
		"no socket":              func(string) {},
		"no state directory":     func(dir string) { must(t, os.Remove(dir)) },
		"a socket of the dead":   func(dir string) { leaveSocket(t, filepath.Join(dir, control.SocketName)) },
		"a file in its place":    func(dir string) { must(t, os.WriteFile(filepath.Join(dir, control.SocketName), nil, 0o600)) },
		"a file for a directory": func(dir string) { must(t, os.Remove(dir)); must(t, os.WriteFile(dir, nil, 0o600)) },
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			prepare(dir)
			c := client.New(dir)
			defer c.Close()

			_, err := c.State(t.Context())

			if !errors.Is(err, client.ErrNoDaemon) || !strings.Contains(err.Error(), c.Socket()) {
				t.Errorf("error = %v, want that nobody answers, and where", err)
			}
		})
	}
}

// leaveSocket makes a socket at which nobody listens any more.
func leaveSocket(t *testing.T, path string) {
	l := listening(t, path)
	l.(*net.UnixListener).SetUnlinkOnClose(false)
	must(t, l.Close())
}

func TestARefusalComesAsItWasSaid(t *testing.T) {
	said := control.Error{Code: control.CodeChildNotFound, Message: "child not found: wbe", Field: "id", Hint: "did you mean web?"}
	body, err := json.Marshal(control.ErrorBody{Error: said})
	must(t, err)
	said.Status = http.StatusNotFound
	for name, row := range map[string]struct {
		body string
		want control.Error
	}{
		"in full":          {string(body), said},
		"not as JSON":      {"<html>gone</html>", control.Error{Code: control.CodeInternal, Message: "the reconciler answered: 404 Not Found", Status: 404}},
		"without a word":   {"", control.Error{Code: control.CodeInternal, Message: "the reconciler answered: 404 Not Found", Status: 404}},
		"without an error": {"{}", control.Error{Code: control.CodeInternal, Message: "the reconciler answered: 404 Not Found", Status: 404}},
		"without an end":   {strings.Repeat("x", 2*control.MaxBody), control.Error{Code: control.CodeInternal, Message: "the reconciler answered: 404 Not Found", Status: 404}},
	} {
		t.Run(name, func(t *testing.T) {
			c := answering(t, saying(http.StatusNotFound, row.body))

			_, err := c.Command(t.Context(), "pause", "wbe", control.Command{})

			var got *control.Error
			if !errors.As(err, &got) {
				t.Fatalf("error = %v, want a *control.Error", err)
			}
			if diff := cmp.Diff(&row.want, got); diff != "" {
				t.Errorf("refusal (-want +got):\n%s", diff)
			}
		})
	}
}

func TestHealthThatIsBadIsAnAnswer(t *testing.T) {
	unwell := answering(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set(control.HealthHeader, "false")
		saying(http.StatusServiceUnavailable, `{"healthy": false, "unwell": ["db"]}`)(w, nil)
	})
	full := answering(t, saying(http.StatusServiceUnavailable, `{"error": {"code": "too_many_connections", "message": "64 are in use"}}`))

	h, err := unwell.Health(t.Context())
	_, refused := full.Health(t.Context())

	if err != nil || !slices.Equal(h.Unwell, []child.ID{"db"}) {
		t.Errorf("health = %+v, %v; want it as it is", h, err)
	}
	if refused == nil || refused.Error() != "64 are in use" {
		t.Errorf("health that cannot be asked: %v, want the refusal", refused)
	}
}

// request is one as the server sees it.
type request struct{ Method, URI, Type, Body string }

func TestRequestsAreWhatTheDocumentSays(t *testing.T) {
	blank, why := "", "spring & cleaning"
	for name, row := range map[string]struct {
		call func(context.Context, *client.Client) error
		want request
	}{
		"a command without a word": {
			func(ctx context.Context, c *client.Client) error {
				_, err := c.Command(ctx, "pause", "shop/web", control.Command{})
				return err
			},
			request{"POST", "/v1/children/shop/web/pause", control.TypeJSON, "{}"},
		},
		"a blank reason, which is for the reconciler to refuse": {
			func(ctx context.Context, c *client.Client) error {
				_, err := c.Command(ctx, "pause", "web", control.Command{Reason: &blank, RequestedBy: "olga"})
				return err
			},
			request{"POST", "/v1/children/web/pause", control.TypeJSON, `{"reason":"","requested_by":"olga"}`},
		},
		"an id that is none": {
			func(ctx context.Context, c *client.Client) error {
				_, err := c.Child(ctx, "a b/../?x=%2F#")
				return err
			},
			request{"GET", "/v1/children/a%20b/../%3Fx=%252F%23", "", ""},
		},
		"a manifest": {
			func(ctx context.Context, c *client.Client) error {
				_, err := c.Put(ctx, "web", []byte("name: web\n"), control.Command{})
				return err
			},
			request{"PUT", "/v1/children/web", control.TypeYAML, "name: web\n"},
		},
		"a manifest and why": {
			func(ctx context.Context, c *client.Client) error {
				_, err := c.Put(ctx, "web", []byte("name: web\n"), control.Command{Reason: &why, RequestedBy: "olga"})
				return err
			},
			request{"PUT", "/v1/children/web?reason=spring+%26+cleaning&requested_by=olga", control.TypeYAML, "name: web\n"},
		},
		"a manifest and a blank reason": {
			func(ctx context.Context, c *client.Client) error {
				_, err := c.Put(ctx, "web", []byte("name: web\n"), control.Command{Reason: &blank})
				return err
			},
			request{"PUT", "/v1/children/web?reason=", control.TypeYAML, "name: web\n"},
		},
		"some children": {
			func(ctx context.Context, c *client.Client) error {
				_, err := c.Children(ctx, client.Filter{Names: []string{"web", "db"}, Tags: []string{"a&b"}})
				return err
			},
			request{"GET", "/v1/children?name=web&name=db&tag=a%26b", "", ""},
		},
		"the end of a log": {
			func(ctx context.Context, c *client.Client) error {
				return c.Logs(ctx, "web", client.LogOptions{Tail: 5, Previous: true}, io.Discard)
			},
			request{"GET", "/v1/children/web/logs?previous=true&tail=5", "", ""},
		},
	} {
		t.Run(name, func(t *testing.T) {
			var got request
			c := answering(t, func(w http.ResponseWriter, r *http.Request) {
				text, _ := io.ReadAll(r.Body)
				got = request{r.Method, r.RequestURI, r.Header.Get("Content-Type"), string(text)}
				saying(http.StatusOK, "{}")(w, r)
			})

			if err := row.call(t.Context(), c); err != nil {
				t.Fatal(err)
			}

			if diff := cmp.Diff(row.want, got); diff != "" {
				t.Errorf("request (-want +got):\n%s", diff)
			}
		})
	}
}

func TestAPutSendsNoSignal(t *testing.T) {
	c := answering(t, func(http.ResponseWriter, *http.Request) { t.Error("it was asked all the same") })

	_, err := c.Put(t.Context(), "web", []byte("name: web\n"), control.Command{Signal: "SIGHUP"})

	var refused *control.Error
	if !errors.As(err, &refused) || refused.Field != "signal" {
		t.Errorf("put = %v, want a refusal of the signal", err)
	}
}

var errEnough = errors.New("that is enough")

// endless answers with a piece of text and then keeps the answer open.
func endless(piece string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, piece)
		_ = http.NewResponseController(w).Flush()
		<-r.Context().Done()
	}
}

func TestWhoFollowsEndsWithoutAnErrorAndWhoWaitsWithTheCause(t *testing.T) {
	c := answering(t, endless("{\"sequence\":1}\n"))
	ctx, enough := context.WithCancelCause(t.Context())
	defer enough(nil)

	seen := 0
	for line, err := range c.Events(ctx, client.EventOptions{Follow: true}) {
		if seen++; err != nil || string(line) != `{"sequence":1}` {
			t.Errorf("event %s, %v", line, err)
		}
		enough(errEnough)
	}
	_, waits := c.Plan(ctx)

	if seen != 1 {
		t.Errorf("%d events, want 1", seen)
	}
	if !errors.Is(waits, errEnough) {
		t.Errorf("a call whose context has ended = %v, want the cause", waits)
	}
}

// telling keeps what is written to it, and tells of each piece.
type telling struct {
	text string
	tell func()
}

func (w *telling) Write(b []byte) (int, error) {
	w.text += string(b)
	w.tell()
	return len(b), nil
}

func TestALogThatIsFollowedEndsWithoutAnError(t *testing.T) {
	c := answering(t, endless("hello\n"))
	ctx, enough := context.WithCancelCause(t.Context())
	out := &telling{tell: func() { enough(errEnough) }}

	err := c.Logs(ctx, "web", client.LogOptions{Follow: true}, out)

	if err != nil || out.text != "hello\n" {
		t.Errorf("logs = %q, %v; want what was printed and no error", out.text, err)
	}
}

func TestAStreamSaysWhyItEnds(t *testing.T) {
	for name, row := range map[string]struct {
		body string
		seen []string
		err  string // "": none
	}{
		"whole":                    {"{\"sequence\":1}\n{\"sequence\":2}\n", []string{`{"sequence":1}`, `{"sequence":2}`}, ""},
		"empty":                    {"", nil, ""},
		"with a gap":               {"{\"missed\":{\"from\":1}}\n", []string{`{"missed":{"from":1}}`}, ""},
		"with an error":            {"{\"sequence\":1}\n{\"error\":{\"code\":\"gone\",\"message\":\"it began anew\"}}\n{\"sequence\":2}\n", []string{`{"sequence":1}`}, "it began anew"},
		"cut in a line":            {"{\"sequence\":1}\n{\"sequ", []string{`{"sequence":1}`}, "read events: EOF"},
		"a line that is very long": {`{"reason":"` + strings.Repeat("x", 200<<10) + "\"}\n", []string{`{"reason":"` + strings.Repeat("x", 200<<10) + `"}`}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			c := answering(t, saying(http.StatusOK, row.body))

			var seen []string
			var last error
			for line, err := range c.Events(t.Context(), client.EventOptions{}) {
				if last = err; err == nil {
					seen = append(seen, string(line))
				}
			}

			if diff := cmp.Diff(row.seen, seen); diff != "" {
				t.Errorf("lines (-want +got):\n%s", diff)
			}
			if fmt.Sprint(last) != row.err && (last != nil || row.err != "") {
				t.Errorf("it ended with %v, want %q", last, row.err)
			}
		})
	}
}

func TestHalfAnAnswerIsNone(t *testing.T) {
	c := answering(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "100")
		_, _ = io.WriteString(w, `{"children": []}`)
		panic(http.ErrAbortHandler)
	})
	var out bytes.Buffer

	logs := c.Logs(t.Context(), "web", client.LogOptions{}, &out)
	_, plan := c.Reconcile(t.Context(), control.ReconcileRequest{})

	if logs == nil {
		t.Errorf("half a log came without an error: %q", out.String())
	}
	if plan == nil || !strings.Contains(plan.Error(), "reconcile") {
		t.Errorf("half an answer = %v, want an error that names the request", plan)
	}
}
