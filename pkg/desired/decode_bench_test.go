package desired

import (
	"fmt"
	"testing"
	"time"

	"sigs.k8s.io/yaml"

	"github.com/reconciler-dev/reconciler/pkg/runtime/child"
)

// manyManifests are n small manifests as people write them.
func manyManifests(n int) [][]byte {
	texts := make([][]byte, n)
	for i := range texts {
		texts[i] = fmt.Appendf(nil, `# child %d
name: worker-%d
command: ["/srv/app/worker", "--queue", "mail", "--shard", "%d"]
working_dir: /srv/app
restart_policy: transient
environment:
  - name: WORKER_MODE
    value: queue
  - {name: SHARD, value: "%d"}
shutdown: {signal: SIGTERM, graceful_timeout_secs: 5}
backoff:
  initial_delay_ms: 10
  max_delay_ms: 5000
logs: {max_size_mb: 10, max_files: 5}
tags: [mail]
`, i, i, i, i)
	}
	return texts
}

// BenchmarkFirstParse decodes and places 10,000 manifests, beside what
// sigs.k8s.io/yaml needs for a strict decoding of the same texts alone.
func BenchmarkFirstParse(b *testing.B) {
	texts := manyManifests(10_000)
	nothing := func(child.ID) bool { return false }
	var decode, spec, peer time.Duration

	b.ReportAllocs()
	for b.Loop() {
		start := time.Now()
		manifests := make([]Manifest, 0, len(texts))
		for _, text := range texts {
			m, problems := Decode("worker.yaml", text)
			if len(problems) > 0 {
				b.Fatal(problems)
			}
			manifests = append(manifests, m...)
		}
		decode += time.Since(start)

		start = time.Now()
		for i := range manifests {
			if _, problems := manifests[i].Spec("", nil, nothing); len(problems) > 0 {
				b.Fatal(problems)
			}
		}
		spec += time.Since(start)

		b.StopTimer()
		start = time.Now()
		for _, text := range texts {
			var m map[string]any
			if err := yaml.UnmarshalStrict(text, &m); err != nil {
				b.Fatal(err)
			}
		}
		peer += time.Since(start)
		b.StartTimer()
	}
	ms := func(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 / float64(b.N) }
	b.ReportMetric(ms(decode), "decode-ms")
	b.ReportMetric(ms(spec), "spec-ms")
	b.ReportMetric(ms(peer), "sigs-yaml-ms")
	b.ReportMetric(ms(decode+spec)/ms(peer), "ratio")
}
