package shim

import (
	"context"

	"github.com/reconciler-dev/reconciler/pkg/runtime/child"
)

// ClientConfig is what a Client is made of.
type ClientConfig struct {
	StateDir string
	Command  []string                    // starts a shim: executable and arguments
	Log      func(msg string, kv ...any) // may be nil
}

// Client is the brain's end of the connection to the shim of a state directory.
type Client struct{ events chan Event }

// NewClient makes a client; Run connects it.
func NewClient(cfg ClientConfig) (*Client, error) { return &Client{events: make(chan Event)}, nil }

// Run connects, starts a shim when none lives, and reconnects for ever.
func (c *Client) Run(ctx context.Context) error { <-ctx.Done(); return nil }

// Events are what the shim tells, in order.
func (c *Client) Events() <-chan Event { return c.events }

// Start asks for an attempt.
func (c *Client) Start(l Launch) {}

// Signal asks for a signal to an attempt.
func (c *Client) Signal(key child.Key, sig string, tree bool) {}

// Ack says that the exit of key is recorded.
func (c *Client) Ack(key child.Key) {}

// Quit asks the shim to end; it does so only when nothing lives.
func (c *Client) Quit() {}
