package daemon

import (
	"context"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"time"

	"golang.org/x/net/netutil"

	"github.com/reconciler-dev/reconciler/pkg/metrics"
	"github.com/reconciler-dev/reconciler/pkg/reconcile"
	"github.com/reconciler-dev/reconciler/pkg/runtime"
	"github.com/reconciler-dev/reconciler/pkg/runtime/machine"
)

// Bounds of the metrics' server: whoever reaches it can cost that much and no more.
const (
	metricsConnections = 32
	metricsHeader      = 16 << 10
	metricsReadTime    = 5 * time.Second
	metricsWriteTime   = 30 * time.Second
	metricsIdleTime    = 2 * time.Minute
	metricsEndTime     = 2 * time.Second // for scrapes under way at the end
)

// countedFacts writes facts to the journal and counts them.
type countedFacts struct {
	runtime.Journal
	metrics *metrics.Metrics // set before the runtime runs
}

// Append is told every fact once, whatever becomes of the journal.
func (c *countedFacts) Append(facts []machine.Fact, wall time.Time) error {
	c.metrics.Observe(facts, wall)
	return c.Journal.Append(facts, wall)
}

// newMetrics are the metrics of the runtime behind d.handle.
func (d *daemon) newMetrics() *metrics.Metrics {
	return metrics.New(metrics.Options{
		Children: d.handle.Children,
		ShimUp:   func() bool { return d.handle.Health().Connected },
		Problems: func() int { return len(d.source.Current().Problems) + len(d.loop.Problems()) },
	})
}

// countPass counts what one pass of the reconcile loop did.
func (d *daemon) countPass(r *reconcile.Report) {
	d.metrics.ObservePass(r.Duration)
	for _, a := range r.Actions {
		result := "accepted"
		switch {
		case a.Waits:
			continue // it was counted when it was refused
		case a.Deferred:
			result = "deferred"
		case a.Error != "":
			result = "refused"
		}
		d.metrics.ObserveAction(string(a.Action.Verb), result)
	}
}

// countProbe counts one look of a probe.
func (d *daemon) countProbe(p machine.Probe, ok bool, took time.Duration) {
	result := "success"
	if !ok {
		result = "failure"
	}
	d.metrics.ObserveProbe(string(p.Role), result, took)
}

// serveMetrics is a part that answers scrapes on l. That nobody can scrape any more
// is logged and ends nothing: the children matter more.
func (d *daemon) serveMetrics(l net.Listener) part {
	return part{name: "metrics", run: func(ctx context.Context) error {
		mux := http.NewServeMux()
		mux.Handle("GET /metrics", d.metrics.Handler())
		server := &http.Server{
			Handler: mux, ReadHeaderTimeout: metricsReadTime, ReadTimeout: metricsReadTime,
			WriteTimeout: metricsWriteTime, IdleTimeout: metricsIdleTime, MaxHeaderBytes: metricsHeader,
			ErrorLog: log.New(io.Discard, "", 0), // it would log what strangers send
		}
		served := make(chan error, 1)
		go func() { served <- server.Serve(netutil.LimitListener(l, metricsConnections)) }()
		select {
		case err := <-served:
			d.log.Error(err, "metrics are not served any more", "address", l.Addr().String())
			<-ctx.Done()
			return nil
		case <-ctx.Done():
		}
		end, cancel := context.WithTimeout(context.WithoutCancel(ctx), metricsEndTime)
		defer cancel()
		err := server.Shutdown(end)
		if err != nil {
			err = server.Close()
		}
		if served := <-served; !errors.Is(served, http.ErrServerClosed) {
			err = served
		}
		return err
	}}
}
