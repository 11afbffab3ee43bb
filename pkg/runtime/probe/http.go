package probe

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/reconciler-dev/reconciler/pkg/runtime/child"
)

const (
	maxBody      = 64 << 10 // what body_match sees of an answer
	maxDrain     = 10 << 10 // read of an answer that nobody matches, as the kubelet does
	maxRedirects = 10
	userAgent    = "reconciler-probe"
)

// web asks web servers as the kubelet does: a connection of its own for each look,
// no proxy, no compression, certificates not verified (a server is asked whether
// it works, not who it is), redirects followed within the host only.
type web struct{ client *http.Client }

var errRedirects = fmt.Errorf("stopped after %d redirects", maxRedirects)

// socketKey is where a context holds the path of a unix socket.
type socketKey struct{}

func newWeb() *web {
	return &web{client: &http.Client{
		CheckRedirect: redirect,
		Transport: &http.Transport{
			DialContext:        dialWeb,
			TLSClientConfig:    &tls.Config{InsecureSkipVerify: true},
			DisableKeepAlives:  true,
			DisableCompression: true,
		},
	}}
}

func dialWeb(ctx context.Context, network, addr string) (net.Conn, error) {
	if socket, ok := ctx.Value(socketKey{}).(string); ok {
		network, addr = "unix", socket
	}
	return dial(ctx, network, addr)
}

// redirect stops at the border of the host: the answer that leads away counts as
// it is, and its status is mostly one that is well.
func redirect(r *http.Request, via []*http.Request) error {
	if r.URL.Hostname() != via[0].URL.Hostname() {
		return http.ErrUseLastResponse
	}
	if len(via) >= maxRedirects {
		return errRedirects
	}
	return nil
}

func (w *web) look(ctx context.Context, probe *child.HTTPProbe, compile func(string) (*regexp.Regexp, error), timeout time.Duration) error {
	request, err := newRequest(ctx, probe)
	if err != nil {
		return err
	}
	answer, err := w.client.Do(request)
	if err != nil {
		return explainHTTP(err, timeout)
	}
	defer answer.Body.Close()
	if !isWell(probe.Status, answer.StatusCode) {
		return fmt.Errorf("status %d, want %s", answer.StatusCode, cmp.Or(probe.Status, anyWell))
	}
	if probe.BodyMatch == "" {
		_, _ = io.CopyN(io.Discard, answer.Body, maxDrain) // so that the server is not told of a broken connection
		return nil
	}
	pattern, err := compile(probe.BodyMatch)
	if err != nil {
		return fmt.Errorf("body_match: %w", err)
	}
	found, err := matchBody(answer.Body, pattern)
	switch {
	case found:
		return nil
	case err != nil:
		return explainHTTP(err, timeout)
	}
	return fmt.Errorf("status %d, but the body does not match %q", answer.StatusCode, probe.BodyMatch)
}

// matchBody reads until what has come matches: an answer that goes on for ever, as a
// stream of events does, is well once the text is there.
func matchBody(body io.Reader, pattern *regexp.Regexp) (bool, error) {
	text := make([]byte, 0, 4096)
	looked := 0
	for pieces := 0; len(text) < maxBody; pieces++ {
		text = slices.Grow(text, 512)
		n, err := body.Read(text[len(text):min(cap(text), maxBody)])
		text = text[:len(text)+n]
		if lookDue(pieces, len(text), looked) || err != nil {
			looked = len(text)
			if pattern.Match(text) {
				return true, nil
			}
		}
		switch {
		case errors.Is(err, io.EOF):
			return false, nil
		case err != nil:
			return false, err
		}
	}
	return pattern.Match(text), nil
}

// lookDue reports whether what has come is to be looked at: each of the first pieces
// is, later ones once there is an eighth more than at the last look. So a server that
// sends single bytes costs about 120 looks, not 65,536.
func lookDue(pieces, have, looked int) bool { return pieces < 64 || have >= looked+looked/8 }

// newRequest makes the request of a probe. A header Host is the host that the
// server sees.
func newRequest(ctx context.Context, probe *child.HTTPProbe) (*http.Request, error) {
	target := url.URL{Scheme: cmp.Or(probe.Scheme, "http"), Host: net.JoinHostPort(host(probe.Host), strconv.Itoa(probe.Port))}
	if probe.UnixSocket != "" {
		target.Host = cmp.Or(probe.Host, "localhost")
		if strings.Contains(target.Host, ":") {
			target.Host = "[" + target.Host + "]"
		}
		ctx = context.WithValue(ctx, socketKey{}, probe.UnixSocket)
	}
	// The address is put together, not resolved as a reference: a path that begins
	// with // names no other host, to which the headers would go.
	path, query, _ := strings.Cut(cmp.Or(probe.Path, "/"), "?")
	var err error
	if target.Path, err = url.PathUnescape(path); err != nil {
		return nil, fmt.Errorf("path: %w", err)
	}
	target.RawPath, target.RawQuery = path, query
	request, err := http.NewRequestWithContext(ctx, cmp.Or(probe.Method, http.MethodGet), "http://"+target.Host, nil)
	if err != nil {
		return nil, err
	}
	request.URL = &target
	request.Header.Set("User-Agent", userAgent)
	request.Header.Set("Accept", "*/*")
	for name, value := range probe.Headers {
		request.Header.Set(name, value)
		if strings.EqualFold(name, "Host") {
			request.Host = value
		}
	}
	return request, nil
}

const anyWell = "200-399"

// isWell reports whether a status is in a list of statuses and ranges.
func isWell(list string, status int) bool {
	for part := range strings.SplitSeq(cmp.Or(list, anyWell), ",") {
		low, high, isRange := strings.Cut(strings.TrimSpace(part), "-")
		if !isRange {
			high = low
		}
		from, err1 := strconv.Atoi(low)
		to, err2 := strconv.Atoi(high)
		if err1 == nil && err2 == nil && from <= status && status <= to {
			return true
		}
	}
	return false
}

// explainHTTP is explain for an answer that may be none of HTTP: what net/http says
// of it quotes it.
func explainHTTP(err error, timeout time.Duration) error {
	err = explain(err, timeout)
	var ours *noAnswer
	var network *net.OpError
	if errors.Is(err, errRedirects) || errors.As(err, &ours) || errors.As(err, &network) || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return err
	}
	return &failure{why: "the answer cannot be used", words: child.Words(err.Error())}
}

// noAnswer says that none came in time.
type noAnswer struct{ timeout time.Duration }

func (e *noAnswer) Error() string { return fmt.Sprintf("no answer within %s", e.timeout) }

// explain makes one line for people of an error of the network. The URL is not in
// it: its query may be a secret.
func explain(err error, timeout time.Duration) error {
	var u *url.Error
	if errors.As(err, &u) {
		err = u.Err
	}
	var t net.Error
	if errors.Is(err, context.DeadlineExceeded) || errors.As(err, &t) && t.Timeout() {
		return &noAnswer{timeout}
	}
	return err
}

func host(name string) string { return cmp.Or(name, "127.0.0.1") }
