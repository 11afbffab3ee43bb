package metrics

import (
	"net/http"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/reconciler-dev/reconciler/pkg/runtime/child"
	"github.com/reconciler-dev/reconciler/pkg/runtime/machine"
)

// Options are what is read whenever somebody asks for the metrics. All are
// required; they are called from any goroutine and must not wait.
type Options struct {
	Children func() []*child.Snapshot
	ShimUp   func() bool // the owner of the processes answers
	Problems func() int  // of the manifests and of carrying them out
}

const (
	// scrapes at the same time are served, and each for so long: one of 10,000
	// children takes a tenth of a second.
	scrapes    = 4
	scrapeTime = 10 * time.Second
)

// Metrics counts. Its methods may be called from any goroutine; none waits for
// anything but a short lock.
type Metrics struct {
	registry *prometheus.Registry
	options  Options

	starts    *prometheus.HistogramVec
	probes    *prometheus.HistogramVec
	reconcile prometheus.Histogram
	actions   *prometheus.CounterVec
	commands  *prometheus.CounterVec

	mu   sync.Mutex
	byID map[child.ID]*counts
}

// New makes the metrics of one runtime. Children that are there already, adopted
// from the run before, are counted from now on.
func New(o Options) *Metrics {
	m := &Metrics{registry: prometheus.NewRegistry(), options: o, byID: map[child.ID]*counts{}}
	m.starts = prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Name:    "reconciler_child_start_duration_seconds",
		Help:    "Time from the decision to start a child until its process runs (until=\"running\") and until it is ready (until=\"ready\").",
		Buckets: prometheus.ExponentialBuckets(0.001, 4, 9), // 1 ms to 65 s
	}, []string{"until"})
	m.probes = prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Name:    "reconciler_probe_duration_seconds",
		Help:    "Duration of the probes of all children, by probe (liveness, readiness) and result (success, failure).",
		Buckets: prometheus.ExponentialBuckets(0.001, 4, 8), // 1 ms to 16 s
	}, []string{"probe", "result"})
	m.reconcile = prometheus.NewHistogram(prometheus.HistogramOpts{
		Name:    "reconciler_reconcile_duration_seconds",
		Help:    "Duration of the passes of the reconcile loop: compare the manifests with the runtime and command what is missing.",
		Buckets: prometheus.ExponentialBuckets(0.0001, 4, 9), // 0.1 ms to 6.5 s
	})
	m.actions = prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "reconciler_reconcile_actions_total",
		Help: "Actions of the reconcile loop, by action (add, update, replace, remove) and result (accepted, refused, deferred).",
	}, []string{"action", "result"})
	m.commands = prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "reconciler_commands_total",
		Help: "Commands to the runtime, also those of the reconcile loop, by command and result.",
	}, []string{"command", "result"})
	m.registry.MustRegister(m.starts, m.probes, m.reconcile, m.actions, m.commands, (*now)(m),
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	m.zeros()
	for _, s := range o.Children() {
		m.known(s)
	}
	return m
}

// zeros makes the series that rates are computed from before something happens:
// a counter that begins at 1 hides its first increase.
func (m *Metrics) zeros() {
	for _, action := range []string{"add", "update", "replace", "remove"} {
		m.actions.WithLabelValues(action, "accepted")
		m.actions.WithLabelValues(action, "refused")
	}
	for _, verb := range []machine.Verb{machine.Restart, machine.Pause, machine.Resume, machine.Quarantine, machine.SendSignal} {
		m.commands.WithLabelValues(string(verb), string(machine.Accepted))
		m.commands.WithLabelValues(string(verb), string(machine.Rejected))
	}
	m.starts.WithLabelValues("running")
	m.starts.WithLabelValues("ready")
}

// Handler answers scrapes, a few at the same time; more are refused with 503.
func (m *Metrics) Handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{MaxRequestsInFlight: scrapes, Timeout: scrapeTime})
}

// ObserveProbe counts one probe: "liveness" or "readiness", "success" or
// "failure".
func (m *Metrics) ObserveProbe(probe, result string, took time.Duration) {
	m.probes.WithLabelValues(probe, result).Observe(took.Seconds())
}

// ObservePass counts one pass of the reconcile loop.
func (m *Metrics) ObservePass(took time.Duration) { m.reconcile.Observe(took.Seconds()) }

// ObserveAction counts one action of a pass: its verb, and "accepted", "refused"
// or "deferred".
func (m *Metrics) ObserveAction(verb, result string) { m.actions.WithLabelValues(verb, result).Inc() }
