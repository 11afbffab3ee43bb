package probe

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/reconciler-dev/reconciler/pkg/runtime/child"
)

// webServer answers until the test ends, and tells its port.
func webServer(t *testing.T, handle http.HandlerFunc) int {
	t.Helper()
	s := httptest.NewServer(handle)
	t.Cleanup(s.Close)
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

func TestPathIsAskedOfTheServerAsItIsWritten(t *testing.T) {
	asked := make(chan *http.Request, 1)
	port := webServer(t, func(_ http.ResponseWriter, r *http.Request) { asked <- r })
	for _, path := range []string{
		"/", "/healthz", "//status", "//user:pass@other.example/x", "///", "/a/../b", "/a//b/", "/%2e%2e/c", "/a%20b?q=%20&r=/x?y", "/?", "/a;b=c", "/a:b", "/*",
	} {
		probe := &child.HTTPProbe{Port: port, Path: path, Headers: map[string]string{"Authorization": "secret"}}

		err := newWeb().look(t.Context(), probe, regexp.Compile, time.Minute)

		if err != nil {
			t.Errorf("%s: %v", path, err)
			continue
		}
		if r := <-asked; strings.TrimSuffix(r.RequestURI, "?") != strings.TrimSuffix(path, "?") || r.Host != "127.0.0.1:"+strconv.Itoa(port) {
			t.Errorf("asked for %s of %s, want %s of this server", r.RequestURI, r.Host, path)
		}
	}
}

func TestTextInAnAnswerWithoutEndIsSeen(t *testing.T) {
	over := make(chan struct{})
	defer close(over)
	port := webServer(t, func(w http.ResponseWriter, r *http.Request) {
		for _, piece := range []string{"data: star", "ting\n\nda", "ta: ready"} {
			_, _ = io.WriteString(w, piece)
			w.(http.Flusher).Flush()
		}
		select {
		case <-over:
		case <-r.Context().Done():
		}
	})
	ctx, stop := context.WithTimeout(t.Context(), 10*time.Second)
	defer stop()

	err := newWeb().look(ctx, &child.HTTPProbe{Port: port, BodyMatch: "starting[^x]*data: ready"}, regexp.Compile, time.Minute)

	if err != nil {
		t.Error(err)
	}
}

func TestBodyIsMatchedInPiecesOfEverySize(t *testing.T) {
	text := strings.Repeat("x", 3000) + "ready" + strings.Repeat("y", 2000)
	for name, body := range map[string]func() io.Reader{
		"at once":      func() io.Reader { return strings.NewReader(text) },
		"byte by byte": func() io.Reader { return iotest.OneByteReader(strings.NewReader(text)) },
		"with its end": func() io.Reader { return iotest.DataErrReader(strings.NewReader(text)) },
	} {
		yes, err1 := matchBody(body(), regexp.MustCompile("xready"))
		atEnd, err2 := matchBody(body(), regexp.MustCompile("y{1000}$"))
		no, err3 := matchBody(body(), regexp.MustCompile("never"))

		if !yes || !atEnd || no || errors.Join(err1, err2, err3) != nil {
			t.Errorf("%s: %v %v, the end %v %v, what is not there %v %v", name, yes, err1, atEnd, err2, no, err3)
		}
	}
	broken := io.MultiReader(strings.NewReader("rea"), iotest.ErrReader(io.ErrUnexpectedEOF))
	if found, err := matchBody(broken, regexp.MustCompile("ready")); found || !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("a body that breaks off: %v, %v", found, err)
	}
}

func TestManySmallPiecesCostFewLooks(t *testing.T) {
	looks, looked := 0, 0
	for have := 1; have <= maxBody; have++ {
		if lookDue(have-1, have, looked) {
			looks, looked = looks+1, have
		}
	}

	if looks < 65 || looks > 150 {
		t.Errorf("%d looks at %d single bytes, want 65 to 150", looks, maxBody)
	}
}
