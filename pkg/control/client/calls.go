package client

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"

	"github.com/reconciler-dev/reconciler/pkg/control"
	"github.com/reconciler-dev/reconciler/pkg/runtime/child"
	"github.com/reconciler-dev/reconciler/pkg/status"
)

// Health is how the reconciler is. One that is not healthy answers too.
func (c *Client) Health(ctx context.Context) (control.Health, error) {
	var h control.Health
	resp, err := c.do(ctx, http.MethodGet, "/v1/health", control.TypeJSON, nil)
	if err != nil {
		return h, err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK && resp.Header.Get(control.HealthHeader) == "" {
		return h, asError(resp)
	}
	return h, json.NewDecoder(resp.Body).Decode(&h)
}

// State is what reconciler.json holds, as of now.
func (c *Client) State(ctx context.Context) (*status.Runtime, error) {
	r := &status.Runtime{}
	return r, c.call(ctx, http.MethodGet, "/v1/state", nil, r)
}

// Filter says which children are wanted. Its zero value is all.
type Filter struct {
	Names []string // ids or names; several: any of them
	Tags  []string // several: all of them
}

// Children are the children, sorted by ID, folders included.
func (c *Client) Children(ctx context.Context, f Filter) ([]status.Child, error) {
	var all control.Children
	q := url.Values{}
	if len(f.Names) > 0 {
		q["name"] = f.Names
	}
	if len(f.Tags) > 0 {
		q["tag"] = f.Tags
	}
	err := c.call(ctx, http.MethodGet, withQuery("/v1/children", q), nil, &all)
	return all.Children, err
}

// Child is what the status file of one child holds, as of now.
func (c *Client) Child(ctx context.Context, id child.ID) (*status.Child, error) {
	s := &status.Child{}
	return s, c.call(ctx, http.MethodGet, childPath(string(id), ""), nil, s)
}

// Command commands one child: verb is restart, pause, resume, quarantine or
// signal. It returns when the reconciler has decided, not when the child has come
// so far.
func (c *Client) Command(ctx context.Context, verb string, id child.ID, body control.Command) (control.Outcome, error) {
	var o control.Outcome
	err := c.call(ctx, http.MethodPost, childPath(string(id), verb), body, &o)
	return o, err
}

// manifest is a body that is sent as it is.
type manifest []byte

// Put declares a child that has no file: it adds it, or gives it a new spec. text
// is one manifest in YAML or JSON. Such a child lives until Delete. body says who and
// why, as with every command; it has no signal.
func (c *Client) Put(ctx context.Context, id child.ID, text []byte, body control.Command) (control.Outcome, error) {
	var o control.Outcome
	if body.Signal != "" {
		return o, &control.Error{Status: http.StatusBadRequest, Code: control.CodeInvalid, Field: "signal", Message: "put sends no signal"}
	}
	q := url.Values{}
	if body.Reason != nil {
		q.Set("reason", *body.Reason)
	}
	if body.RequestedBy != "" {
		q.Set("requested_by", body.RequestedBy)
	}
	err := c.call(ctx, http.MethodPut, withQuery(childPath(string(id), ""), q), manifest(text), &o)
	return o, err
}

// Delete removes a child that no file declares.
func (c *Client) Delete(ctx context.Context, id child.ID, body control.Command) (control.Outcome, error) {
	var o control.Outcome
	err := c.call(ctx, http.MethodDelete, childPath(string(id), ""), body, &o)
	return o, err
}

// Reconcile makes a pass over the manifests and returns what it did.
func (c *Client) Reconcile(ctx context.Context, body control.ReconcileRequest) (control.Pass, error) {
	var p control.Pass
	err := c.call(ctx, http.MethodPost, "/v1/reconcile", body, &p)
	return p, err
}

// Plan is what a pass would do now.
func (c *Client) Plan(ctx context.Context) (control.Plan, error) {
	var p control.Plan
	err := c.call(ctx, http.MethodGet, "/v1/plan", nil, &p)
	return p, err
}

// Shutdown stops every child and ends the reconciler. It returns when all are
// down. When ctx ends first the shutdown goes on.
func (c *Client) Shutdown(ctx context.Context, body control.ShutdownRequest) (*control.ShutdownReport, error) {
	r := &control.ShutdownReport{}
	return r, c.call(ctx, http.MethodPost, "/v1/shutdown", body, r)
}
