package metrics

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/reconciler-dev/reconciler/pkg/runtime/child"
)

var (
	childrenDesc = prometheus.NewDesc("reconciler_children", "Children in each phase; folders are not counted.", []string{"phase"}, nil)
	upDesc       = prometheus.NewDesc("reconciler_child_up", "1 while a process of the child runs.", []string{"child"}, nil)
	readyDesc    = prometheus.NewDesc("reconciler_child_ready", "1 while the child is ready.", []string{"child"}, nil)
	restartsDesc = prometheus.NewDesc("reconciler_child_restarts_total",
		"Starts of the child after its first, by reason: how the attempt before ended, or \"requested\".", []string{"child", "reason"}, nil)
	exitsDesc   = prometheus.NewDesc("reconciler_child_exits_total", "Ends of attempts of the child, by kind.", []string{"child", "kind"}, nil)
	noticesDesc = prometheus.NewDesc("reconciler_child_notices_refused_total",
		"Messages on the notify socket of the child's newest attempt that were not heard, by who sent them: the child itself (own) or another process (other).",
		[]string{"child", "from"}, nil)
	blockedDesc = prometheus.NewDesc("reconciler_child_output_blocked", "1 while the output of the child cannot be written (a full disk): the child waits once a pipe is full, or its output is dropped.", []string{"child"}, nil)
	droppedDesc = prometheus.NewDesc("reconciler_child_output_dropped_bytes_total",
		"Output of the child's newest attempt that was dropped while it could not be written (logs.when_full: drop).", []string{"child"}, nil)
	problemsDesc = prometheus.NewDesc("reconciler_manifest_problems", "Problems of the manifests, and of carrying them out.", nil, nil)
	shimDesc     = prometheus.NewDesc("reconciler_shim_up", "1 while the process that owns the children's processes answers.", nil, nil)
)

// now collects what holds at the moment of a scrape.
type now Metrics

// Describe sends all descriptions that Collect may use.
func (n *now) Describe(out chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{childrenDesc, upDesc, readyDesc, restartsDesc, exitsDesc, noticesDesc, blockedDesc, droppedDesc, problemsDesc, shimDesc} {
		out <- d
	}
}

// Collect looks at the snapshots of all children.
func (n *now) Collect(out chan<- prometheus.Metric) {
	phases := map[child.Phase]int{}
	for _, p := range child.Phases() {
		phases[p] = 0
	}
	for _, s := range n.options.Children() {
		if s.Spec != nil && s.Spec.Kind == child.Supervisor {
			continue
		}
		phases[s.Phase]++
		id := string(s.ID)
		out <- gauge(upDesc, truth(s.Phase == child.Running || s.Phase == child.Stopping && s.PID > 0), id)
		out <- gauge(readyDesc, truth(s.Ready), id)
		out <- gauge(blockedDesc, truth(s.Log.Blocked != ""), id)
		if s.Log.Dropped > 0 || s.Spec != nil && s.Spec.Logs.WhenFull == child.DropOutput {
			out <- prometheus.MustNewConstMetric(droppedDesc, prometheus.CounterValue, float64(s.Log.Dropped), id)
		}
		if speaks(s.Spec) {
			out <- prometheus.MustNewConstMetric(noticesDesc, prometheus.CounterValue, float64(s.Said.Refusals), id, "own")
			out <- prometheus.MustNewConstMetric(noticesDesc, prometheus.CounterValue, float64(s.Said.Foreign), id, "other")
		}
		for _, metric := range n.countsOf(s.ID) {
			out <- metric
		}
	}
	for p, count := range phases {
		out <- gauge(childrenDesc, float64(count), string(p))
	}
	out <- gauge(problemsDesc, float64(n.options.Problems()))
	out <- gauge(shimDesc, truth(n.options.ShimUp()))
}

// speaks reports whether a child has a notify socket.
func speaks(spec *child.Spec) bool {
	return spec != nil && (spec.Readiness != nil && spec.Readiness.Notify || spec.HealthCheck != nil && spec.HealthCheck.Heartbeat)
}

// countsOf are the counters of one child. A child that is gone has none.
func (n *now) countsOf(id child.ID) []prometheus.Metric {
	n.mu.Lock()
	defer n.mu.Unlock()
	c := n.byID[id]
	if c == nil {
		return nil
	}
	var metrics []prometheus.Metric
	c.exits.all(func(kind string, count uint64) {
		metrics = append(metrics, prometheus.MustNewConstMetric(exitsDesc, prometheus.CounterValue, float64(count), string(id), kind))
	})
	c.restarts.all(func(reason string, count uint64) {
		metrics = append(metrics, prometheus.MustNewConstMetric(restartsDesc, prometheus.CounterValue, float64(count), string(id), reason))
	})
	return metrics
}

func gauge(d *prometheus.Desc, value float64, labels ...string) prometheus.Metric {
	return prometheus.MustNewConstMetric(d, prometheus.GaugeValue, value, labels...)
}

func truth(b bool) float64 {
	if b {
		return 1
	}
	return 0
}
