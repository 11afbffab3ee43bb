package desired

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/reconciler-dev/reconciler/pkg/runtime/child"
)

// explained are the lines of an explanation that begin with one of the fields.
func explained(all []FieldOrigin, fields ...string) string {
	var b strings.Builder
	for _, o := range all {
		for _, f := range fields {
			if o.Field == f || strings.HasPrefix(o.Field, f+".") || strings.HasPrefix(o.Field, f+"[") {
				fmt.Fprintf(&b, "%s = %s %s", o.Field, o.Value, o.Source)
				for _, from := range []string{o.Role, string(o.Supervisor)} {
					if from != "" {
						b.WriteString(" " + from)
					}
				}
				if o.File != "" {
					fmt.Fprintf(&b, " %s:%d", o.File, o.Line)
				}
				b.WriteByte('\n')
			}
		}
	}
	return b.String()
}

func TestEveryFieldTellsWhereItsValueCameFrom(t *testing.T) {
	tree := map[string]string{
		"root.yaml": `name: root
kind: supervisor
defaults:
  shutdown: {signal: SIGINT, abort_wait_secs: 7}
  environment: [{name: A, value: root}, {name: B, value: root}]
  logs: {max_files: 9}
`,
		"eu/eu.yaml": `name: eu
kind: supervisor
defaults:
  backoff:
    jitter_ratio: 0.5
  shutdown: {signal: SIGQUIT}
`,
		"eu/deep/web.yaml": `name: web
work_role: service
environment:
  - name: C
    secret_ref: "${TOKEN}"
  - {name: A, value: own}
backoff:
  max_delay_ms: 700
criticality: optional
secrets: [{name: TOKEN, key: a<b}]
`,
	}
	set := Merge(nil, seenOf(tree), Policy{})

	got := explained(set.Explain("eu/deep/web", nil), "kind", "command", "work_role", "criticality", "restart_policy", "environment", "shutdown", "backoff", "logs.max_files", "suspend", "secrets", "inherit_environment")

	want := `kind = "async_worker" built_in
work_role = "service" manifest eu/deep/web.yaml:2
suspend = false built_in
criticality = "optional" manifest eu/deep/web.yaml:9
restart_policy = "permanent" role service
inherit_environment = true built_in
environment[A] = "(not shown)" manifest eu/deep/web.yaml:6
environment[B] = "(not shown)" supervisor_default root root.yaml:5
environment[C] = "${TOKEN}" manifest eu/deep/web.yaml:4
secrets[TOKEN] = {"name":"TOKEN","key":"a<b","required":true} manifest eu/deep/web.yaml:10
shutdown.signal = "SIGQUIT" supervisor_default eu eu/eu.yaml:6
shutdown.graceful_timeout_secs = 5 built_in
shutdown.abort_wait_secs = 7 supervisor_default root root.yaml:4
backoff.initial_delay_ms = 50 role service
backoff.max_delay_ms = 700 manifest eu/deep/web.yaml:8
backoff.jitter_ratio = 0.5 supervisor_default eu eu/eu.yaml:5
backoff.reset_after_secs = 30 built_in
logs.max_files = 9 supervisor_default root root.yaml:6
`
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("explanation (-want +got):\n%s", diff)
	}
}

func TestAManifestThatSaysEverythingExplainsEverythingByItself(t *testing.T) {
	set := Merge(nil, seenOf(map[string]string{"worker.yaml": everyField}), Policy{})

	all := set.Explain("worker", nil)

	for _, o := range all {
		if o.Source != FromManifest || o.Line == 0 {
			t.Errorf("%s comes from %s, line %d; want the manifest and its line", o.Field, o.Source, o.Line)
		}
	}
	for _, field := range []string{"inherit_environment", "tags", "run_as.umask", "health_check.http.body_match", "readiness.log_match", "hooks.pre_start", "dependencies"} {
		if explained(all, field) == "" {
			t.Errorf("%s is not explained", field)
		}
	}
}

func TestWhatIsInForceFromBeforeIsNotBlamedOnTheFileOfNow(t *testing.T) {
	before := Merge(nil, seenOf(map[string]string{"web.yaml": "name: web\ncommand: [a]\nrestart_policy: transient\n"}), Policy{})
	running, _ := before.Get("web")
	edited := Merge(before, seenOf(map[string]string{"web.yaml": "name: web\ncommand: [b]\nrestart_policy: transient\n"}), Policy{})
	broken := Merge(before, seenOf(map[string]string{"web.yaml": "name: web\ncommand: [b\n"}), Policy{})

	for name, row := range map[string]struct {
		set  *Set
		want string
	}{
		"edited": {edited, "command = [\"a\"] earlier_manifest web.yaml:0\nrestart_policy = \"transient\" manifest web.yaml:3\n"},
		"broken": {broken, "command = [\"a\"] earlier_manifest web.yaml:0\nrestart_policy = \"transient\" earlier_manifest web.yaml:0\n"},
		"gone":   {&Set{}, "command = [\"a\"] earlier_manifest\nrestart_policy = \"transient\" earlier_manifest\n"},
	} {
		got := explained(row.set.Explain("web", running.Spec), "command", "restart_policy")
		if diff := cmp.Diff(row.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
	if got := edited.Explain("nobody", nil); got != nil {
		t.Errorf("explanation of an unknown child = %v, want none", got)
	}
}

func TestFolderIsExplainedToo(t *testing.T) {
	set := Merge(nil, seenOf(map[string]string{
		"eu/eu.yaml": "name: eu\nkind: supervisor\nwork_role: supervisor\nrestart_limit: {window_secs: 5}\n",
		"us/w.yaml":  "name: w\n",
	}), Policy{})

	want := "kind = \"supervisor\" manifest eu/eu.yaml:2\nrestart_limit.max_restarts = 30 role supervisor\nrestart_limit.window_secs = 5 manifest eu/eu.yaml:4\nstrategy = \"one_for_one\" built_in\n"
	if diff := cmp.Diff(want, explained(set.Explain("eu", nil), "kind", "restart_limit", "strategy", "shutdown")); diff != "" {
		t.Errorf("a folder with a manifest (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff("strategy = \"one_for_one\" built_in\n", explained(set.Explain("us", nil), "strategy", "logs")); diff != "" {
		t.Errorf("a folder without one (-want +got):\n%s", diff)
	}
	if set.Explain(child.RootSupervisor, nil) == nil {
		t.Error("the root is not explained")
	}
}
