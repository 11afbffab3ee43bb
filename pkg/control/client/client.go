package client

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"net/url"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/reconciler-dev/reconciler/internal/peercred"
	"github.com/reconciler-dev/reconciler/pkg/control"
)

// ErrNoDaemon is what errors.Is finds when nobody answers at the socket.
var ErrNoDaemon = errors.New("no reconciler answers")

// dialTime bounds the wait for a connection: one that waits in the queue of a
// reconciler that is alive is taken within microseconds.
const dialTime = 10 * time.Second

// Client asks the reconciler of one socket.
type Client struct {
	socket string
	http   http.Client
}

// New is the client of the reconciler with this state directory. It connects when
// it is first used.
func New(stateDir string) *Client {
	c := &Client{socket: filepath.Join(stateDir, control.SocketName)}
	c.http.Transport = &http.Transport{
		DialContext:        c.dial,
		DisableCompression: true,
		MaxIdleConns:       4,
		IdleConnTimeout:    5 * time.Second,
	}
	return c
}

// Close gives back the connections that are not used now.
func (c *Client) Close() { c.http.CloseIdleConnections() }

// Socket is the path of the socket.
func (c *Client) Socket() string { return c.socket }

func (c *Client) dial(ctx context.Context, _, _ string) (conn net.Conn, err error) {
	d := net.Dialer{Timeout: dialTime}
	err = control.WithAddress(c.socket, func(address string) (err error) {
		conn, err = d.DialContext(ctx, "unix", address)
		return err
	})
	if err != nil {
		return nil, err
	}
	if err := c.believe(conn); err != nil {
		conn.Close()
		return nil, err
	}
	return conn, nil
}

// believe asks the kernel who answers, before anything is said. Members of a control
// group speak to the owner of the state directory, who has let that group in.
func (c *Client) believe(conn net.Conn) error {
	uid, err := peercred.Of(conn.(*net.UnixConn))
	if err != nil {
		return fmt.Errorf("ask who answers: %w", err)
	}
	return peercred.TrustOrMember(c.socket, uid)
}

// call sends a request, and reads the answer into answer unless that is nil.
func (c *Client) call(ctx context.Context, method, path string, body, answer any) error {
	resp, err := c.send(ctx, method, path, control.TypeJSON, body)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if answer == nil {
		return nil
	}
	if err := json.NewDecoder(resp.Body).Decode(answer); err != nil {
		return fmt.Errorf("read the answer to %s %s: %w", method, path, err)
	}
	return nil
}

// send sends a request and returns the answer, whose body the caller closes. An
// answer that is an error is returned as one.
func (c *Client) send(ctx context.Context, method, path, accept string, body any) (*http.Response, error) {
	resp, err := c.do(ctx, method, path, accept, body)
	if err != nil || resp.StatusCode < 400 {
		return resp, err
	}
	defer resp.Body.Close()
	return nil, asError(resp)
}

// do sends a request and returns the answer, whatever it is.
//
// Where it comes too often for the server, which then has done nothing, it waits as
// long as it is told and asks again.
func (c *Client) do(ctx context.Context, method, path, accept string, body any) (*http.Response, error) {
	for {
		resp, err := c.try(ctx, method, path, accept, body)
		if err != nil || resp.StatusCode != http.StatusTooManyRequests {
			return resp, err
		}
		seconds, err := strconv.Atoi(resp.Header.Get("Retry-After"))
		if err != nil || seconds < 0 || seconds > 60 {
			return resp, nil
		}
		_ = resp.Body.Close() // what it says is known
		wait := time.NewTimer(time.Duration(seconds) * time.Second)
		select {
		case <-wait.C:
		case <-ctx.Done():
			wait.Stop()
			return nil, context.Cause(ctx)
		}
	}
}

func (c *Client) try(ctx context.Context, method, path, accept string, body any) (*http.Response, error) {
	var text []byte
	kind := control.TypeJSON
	switch b := body.(type) {
	case nil:
	case manifest:
		text, kind = b, control.TypeYAML
	default:
		var err error
		if text, err = json.Marshal(body); err != nil {
			return nil, fmt.Errorf("encode the request %s %s: %w", method, path, err)
		}
	}
	req, err := http.NewRequestWithContext(ctx, method, "http://reconciler"+path, bytes.NewReader(text))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Accept", accept)
	if text != nil {
		req.Header.Set("Content-Type", kind)
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return nil, c.explain(ctx, err)
	}
	return resp, nil
}

// explain says in a user's words why there was no answer.
func (c *Client) explain(ctx context.Context, err error) error {
	var stranger *peercred.StrangerError
	switch {
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case errors.As(err, &stranger):
		return stranger
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, syscall.ECONNREFUSED), errors.Is(err, syscall.ENOTDIR), errors.Is(err, syscall.ENOTSOCK):
		return fmt.Errorf("%w at %s", ErrNoDaemon, c.socket)
	case errors.Is(err, fs.ErrPermission):
		return fmt.Errorf("you may not talk to the reconciler at %s: %w (root and its own user may, and the group of run --control-group)", c.socket, fs.ErrPermission)
	}
	var u *url.Error
	if errors.As(err, &u) {
		err = u.Err
	}
	return fmt.Errorf("ask the reconciler at %s: %w", c.socket, err)
}

// asError reads an answer that is an error.
func asError(resp *http.Response) error {
	var body control.ErrorBody
	text, err := io.ReadAll(io.LimitReader(resp.Body, control.MaxBody))
	if err == nil {
		err = json.Unmarshal(text, &body)
	}
	if err != nil || body.Error.Message == "" {
		body.Error = control.Error{Code: control.CodeInternal, Message: "the reconciler answered: " + resp.Status}
	}
	body.Error.Status = resp.StatusCode
	return &body.Error
}

// childPath is the path of a child; its slashes stay.
func childPath(id, rest string) string {
	segments := strings.Split(id, "/")
	for i, s := range segments {
		segments[i] = url.PathEscape(s)
	}
	path := "/v1/children/" + strings.Join(segments, "/")
	if rest != "" {
		path += "/" + rest
	}
	return path
}

func withQuery(path string, q url.Values) string {
	if len(q) == 0 {
		return path
	}
	return path + "?" + q.Encode()
}
