package server

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/reconciler-dev/reconciler/pkg/control"
	"github.com/reconciler-dev/reconciler/pkg/control/client"
	"github.com/reconciler-dev/reconciler/pkg/runtime/child"
)

// crowd is a house of n children that run.
func crowd(b *testing.B, n int) *house {
	b.Helper()
	var text strings.Builder
	for i := range n {
		fmt.Fprintf(&text, "---\nname: c%d\ncommand: [serve]\n", i)
	}
	h := open(b, map[string]string{"crowd.yaml": text.String()})
	until(b, func() string {
		for _, c := range h.handle.Children() {
			if c.Phase != child.Running {
				return string(c.ID) + " does not run"
			}
		}
		return ""
	})
	return h
}

// bare is a server that does nothing but say body, on a unix socket too.
func bare(b *testing.B, body string) (socket string) {
	b.Helper()
	socket = filepath.Join(b.TempDir(), "bare")
	var l net.Listener
	must(b, control.WithAddress(socket, func(address string) (err error) {
		l, err = net.Listen("unix", address)
		return err
	}))
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", control.TypeJSON)
		_, _ = io.WriteString(w, body) // the client is ours
	})}
	done := make(chan struct{})
	go func() { defer close(done); _ = server.Serve(l) }()
	b.Cleanup(func() { _ = server.Close(); <-done })
	return socket
}

// get asks n times on one connection and returns how long that took.
func get(b *testing.B, socket, path string, n int) time.Duration {
	b.Helper()
	transport := &http.Transport{DialContext: dialer(socket)}
	defer transport.CloseIdleConnections()
	begun := time.Now()
	for range n {
		req, err := http.NewRequestWithContext(b.Context(), http.MethodGet, "http://reconciler"+path, nil)
		must(b, err)
		resp, err := transport.RoundTrip(req)
		must(b, err)
		_, err = io.Copy(io.Discard, resp.Body)
		must(b, err)
		must(b, resp.Body.Close())
	}
	return time.Since(begun)
}

// besideBare measures a path of ours beside a bare server that says the same bytes.
func besideBare(b *testing.B, h *house, path string) {
	b.Helper()
	body := h.ask("GET", path, "").body
	peer := bare(b, body)
	var ours, theirs time.Duration
	for b.Loop() {
		const round = 20
		ours += get(b, h.options.Socket, path, round)
		theirs += get(b, peer, path, round)
	}
	b.ReportMetric(float64(b.N*20)/ours.Seconds(), "req/s")
	b.ReportMetric(float64(b.N*20)/theirs.Seconds(), "bare-req/s")
	b.ReportMetric(ours.Seconds()/theirs.Seconds(), "x-bare")
	b.ReportMetric(float64(len(body)), "bytes")
}

func BenchmarkOneChildOfAThousand(b *testing.B) { besideBare(b, crowd(b, 1000), "/v1/children/c500") }

func BenchmarkAThousandChildren(b *testing.B) { besideBare(b, crowd(b, 1000), "/v1/children") }

// BenchmarkFollowersAndTheLoop times commands while many others are given, each of
// which is an event: first with nobody looking, and then with two that follow the
// journal, one of which reads nothing.
func BenchmarkFollowersAndTheLoop(b *testing.B) {
	h := crowd(b, 1)
	const round = 500
	var alone, watched []time.Duration
	var events uint64
	var busy time.Duration
	for b.Loop() {
		alone = append(alone, h.command(round)...)
		ctx, cancel := context.WithCancel(b.Context())
		var seen atomic.Uint64
		left := make(chan struct{})
		last := h.events(client.EventOptions{Tail: 1})[0].Sequence
		go func() { defer close(left); h.follow(ctx, last, &seen) }()
		silent, err := dialer(h.options.Socket)(ctx, "", "")
		must(b, err)
		_, err = fmt.Fprintf(silent, "GET /v1/events?follow&since=%d HTTP/1.1\r\nHost: x\r\n\r\n", last)
		must(b, err)
		until(b, func() string { return unless(h.server.conns.serving() >= 2, "nobody follows yet") })

		begun := time.Now()
		watched = append(watched, h.command(round)...)
		now := h.events(client.EventOptions{Tail: 1})[0].Sequence
		until(b, func() string { return unless(seen.Load() >= now, "the quick reader is behind") })
		events += now - last
		busy += time.Since(begun)
		cancel()
		<-left
		must(b, silent.Close())
	}
	slices.Sort(alone)
	slices.Sort(watched)
	b.ReportMetric(float64(events)/busy.Seconds(), "events/s")
	for _, p := range []int{50, 99} {
		at := len(alone) * p / 100
		b.ReportMetric(float64(alone[at].Microseconds()), fmt.Sprintf("p%d-alone-us", p))
		b.ReportMetric(watched[at].Seconds()/alone[at].Seconds(), fmt.Sprintf("p%d-x-alone", p))
	}
}

// command gives n commands that change nothing, and returns how long each took.
// Others give as many as they can meanwhile.
func (h *house) command(n int) (all []time.Duration) {
	const others = 31
	ctx, cancel := context.WithCancel(h.t.Context())
	var load sync.WaitGroup
	cause := child.Cause{RequestedBy: "bench", Reason: "to be told"}
	for range others {
		load.Go(func() {
			for ctx.Err() == nil {
				_, _ = h.handle.Resume(ctx, "c0", cause) // its last one is cut short
			}
		})
	}
	for range n {
		begun := time.Now()
		_, err := h.handle.Resume(h.t.Context(), "c0", cause)
		must(h.t, err)
		all = append(all, time.Since(begun))
	}
	cancel()
	load.Wait()
	return all
}

// follow notes how far it has come, until ctx ends.
func (h *house) follow(ctx context.Context, after uint64, seen *atomic.Uint64) {
	for line, err := range h.Events(ctx, client.EventOptions{After: after, Follow: true}) {
		var e told
		if err != nil || json.Unmarshal(line, &e) != nil {
			h.t.Errorf("event %q: %v", line, err)
			return
		}
		seen.Store(e.Sequence)
	}
}
