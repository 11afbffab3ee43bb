package desired

import (
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/reconciler-dev/reconciler/pkg/runtime/child"
)

// decodeOne is the one sound manifest of text.
func decodeOne(t *testing.T, file, text string) *Manifest {
	t.Helper()
	manifests, problems := Decode(file, []byte(text))
	if len(problems) > 0 || len(manifests) != 1 {
		t.Fatalf("Decode(%s) = %d manifests, problems %v; want one sound manifest\n%s", file, len(manifests), problems, text)
	}
	return &manifests[0]
}

// specOf is the spec of the one manifest of text, placed below chain.
func specOf(t *testing.T, text string, chain ...*Manifest) *child.Spec {
	t.Helper()
	s, problems := decodeOne(t, "payments/web.yaml", text).Spec("payments", chain, undeclared)
	if len(problems) > 0 {
		t.Fatalf("Spec: problems %v; want none\n%s", problems, text)
	}
	return s
}

func undeclared(child.ID) bool { return false }

func declared(ids ...child.ID) func(child.ID) bool {
	return func(id child.ID) bool {
		for _, known := range ids {
			if id == known {
				return true
			}
		}
		return false
	}
}

func seconds(n float64) child.Seconds { return child.Seconds(n * float64(time.Second)) }
func millis(n float64) child.Millis   { return child.Millis(n * float64(time.Millisecond)) }

func TestNameAloneIsAWholeManifest(t *testing.T) {
	want := &child.Spec{
		Kind:               child.AsyncWorker,
		Criticality:        child.Optional,
		RestartPolicy:      child.Permanent,
		SuccessExitCodes:   []int{0},
		InheritEnvironment: child.InheritEnvironment{All: true},
		Shutdown:           child.Shutdown{Signal: "SIGTERM", GracefulTimeout: seconds(5), AbortWait: seconds(1)},
		Backoff:            child.Backoff{InitialDelay: millis(10), MaxDelay: millis(60000), JitterRatio: 0.2, ResetAfter: seconds(30)},
		Logs:               child.Logs{MaxSizeMB: 10, MaxFiles: 5},
	}

	for _, text := range []string{"name: web", "name: web\nkind: async_worker", `{"name": "web"}`} {
		if diff := cmp.Diff(want, specOf(t, text)); diff != "" {
			t.Errorf("spec of %q (-want +got):\n%s", text, diff)
		}
	}
}

var presetBackoff = child.Backoff{InitialDelay: millis(10), MaxDelay: millis(60000), JitterRatio: 0.2, ResetAfter: seconds(30)}

func TestFolderWithoutManifestHasDefaultSupervisor(t *testing.T) {
	want := &child.Spec{Kind: child.Supervisor, Strategy: child.OneForOne, Backoff: presetBackoff}

	if diff := cmp.Diff(want, folderSpec()); diff != "" {
		t.Errorf("folderSpec (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(want, specOf(t, "name: payments\nkind: supervisor")); diff != "" {
		t.Errorf("spec of a bare supervisor (-want +got):\n%s", diff)
	}
}

// everyField is a manifest of a worker that sets everything, to nothing that is
// a default.
const everyField = `
name: worker
kind: blocking_worker
command: /srv/app/worker --queue 'mail and more'
working_dir: /srv/app
criticality: critical
restart_policy: transient
dependencies: [zoo, {name: payments/db, condition: started, restart: true}, {name: cache, condition: completed}]
success_exit_codes: [3, 0, 3]
work_role: job
suspend: true
protect: true
inherit_environment: [PATH, HOME, PATH]
env_files: [/etc/z, /etc/a]
run_as: {user: 1000, group: app, supplementary_groups: [video, audio], no_new_privs: true, umask: "0027"}
environment:
  - {name: WORKER_MODE, value: queue}
  - {name: API_TOKEN, secret_ref: "${API_TOKEN}"}
  - {name: EMPTY, value: ""}
secrets:
  - {name: OTHER, key: o, required: false}
  - {name: API_TOKEN, key: workers/api_token}
health_check:
  check_interval_secs: 1.5
  timeout_secs: 2
  max_retries: 4
  initial_delay_secs: 6
  http: {port: 8080, path: /healthz, host: localhost, scheme: https, method: GET, headers: {X-A: b}, status: "203", body_match: "ok+"}
readiness:
  check_interval_secs: 7
  timeout_secs: 8
  success_threshold: 9
  failure_threshold: 10
  initial_delay_secs: 11
  log_match: "listening on .*"
  deadline_secs: 60
resource_limits: {max_memory_mb: 256, max_cpu_percent: 80.5, max_file_descriptors: 1024, max_processes: 100}
shutdown: {signal: SIGINT, graceful_timeout_secs: 12, abort_wait_secs: 0.25}
backoff: {initial_delay_ms: 20, max_delay_ms: 30000, jitter_ratio: 0, reset_after_secs: 31}
restart_limit: {max_restarts: 11, window_secs: 61}
command_permissions: {allow_shutdown: true, allow_restart: true, allowed_signals: [SIGUSR1, SIGHUP]}
logs: {max_size_mb: 0.5, max_files: 6, timestamps: true, when_full: block}
reload: {files: [/etc/b, /etc/a], signal: SIGHUP}
hooks: {pre_start: ["./migrate --all", [./a, b c]], post_start: [x], pre_stop: [y], post_stop: [z], timeout_secs: 61}
tags: [mail, fast, mail]
`

func TestEveryFieldReachesTheSpec(t *testing.T) {
	queue, empty := "queue", ""
	want := &child.Spec{
		Kind:             child.BlockingWorker,
		Command:          []string{"/srv/app/worker", "--queue", "mail and more"},
		WorkingDir:       "/srv/app",
		Criticality:      child.Critical,
		RestartPolicy:    child.Transient,
		SuccessExitCodes: []int{0, 3},
		WorkRole:         "job",
		Suspend:          true,
		Protect:          true,
		Dependencies: []child.Dependency{
			{ID: "payments/cache", Condition: child.WhenCompleted},
			{ID: "payments/db", Condition: child.WhenStarted, Restart: true},
			{ID: "payments/zoo", Condition: child.WhenReady},
		},
		InheritEnvironment: child.InheritEnvironment{Names: []string{"HOME", "PATH"}},
		EnvFiles:           []string{"/etc/z", "/etc/a"},
		RunAs:              &child.RunAs{User: "1000", Group: "app", SupplementaryGroups: []string{"audio", "video"}, NoNewPrivs: true, Umask: "0027"},
		Environment: []child.EnvVar{
			{Name: "API_TOKEN", SecretRef: "${API_TOKEN}"},
			{Name: "EMPTY", Value: &empty},
			{Name: "WORKER_MODE", Value: &queue},
		},
		Secrets: []child.Secret{{Name: "API_TOKEN", Key: "workers/api_token", Required: true}, {Name: "OTHER", Key: "o"}},
		HealthCheck: &child.HealthCheck{
			CheckInterval: seconds(1.5), Timeout: seconds(2), MaxRetries: 4, InitialDelay: seconds(6),
			Probe: child.Probe{HTTP: &child.HTTPProbe{Port: 8080, Path: "/healthz", Host: "localhost", Scheme: "https", Method: "GET",
				Headers: map[string]string{"X-A": "b"}, Status: "203", BodyMatch: "ok+"}},
		},
		Readiness: &child.Readiness{
			CheckInterval: seconds(7), Timeout: seconds(8), SuccessThreshold: 9, FailureThreshold: 10, InitialDelay: seconds(11), Deadline: seconds(60),
			Probe: child.Probe{LogMatch: "listening on .*"},
		},
		ResourceLimits:     &child.ResourceLimits{MaxMemoryMB: 256, MaxCPUPercent: 80.5, MaxFileDescriptors: 1024, MaxProcesses: 100},
		Shutdown:           child.Shutdown{Signal: "SIGINT", GracefulTimeout: seconds(12), AbortWait: seconds(0.25)},
		Backoff:            child.Backoff{InitialDelay: millis(20), MaxDelay: millis(30000), JitterRatio: 0, ResetAfter: seconds(31)},
		RestartLimit:       &child.RestartLimit{MaxRestarts: 11, Window: seconds(61)},
		CommandPermissions: &child.CommandPermissions{AllowShutdown: true, AllowRestart: true, AllowedSignals: []string{"SIGHUP", "SIGUSR1"}},
		Logs:               child.Logs{MaxSizeMB: 0.5, MaxFiles: 6, Timestamps: true},
		Reload:             &child.Reload{Files: []string{"/etc/a", "/etc/b"}, Signal: "SIGHUP"},
		Hooks: &child.Hooks{PreStart: [][]string{{"./migrate", "--all"}, {"./a", "b c"}}, PostStart: [][]string{{"x"}},
			PreStop: [][]string{{"y"}}, PostStop: [][]string{{"z"}}, Timeout: seconds(61)},
		Tags: []string{"fast", "mail"},
	}

	got := specOf(t, everyField)

	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("spec (-want +got):\n%s", diff)
	}
}

func TestEveryHandlerReachesTheSpec(t *testing.T) {
	for text, want := range map[string]child.Probe{
		"exec: [a, b]":                         {Exec: []string{"a", "b"}},
		"exec: a b":                            {Exec: []string{"a", "b"}},
		"tcp: {port: 1}":                       {TCP: &child.TCPProbe{Port: 1, Host: "127.0.0.1"}},
		"tcp: {port: 1, host: h}":              {TCP: &child.TCPProbe{Port: 1, Host: "h"}},
		"grpc: {port: 1, service: s, host: h}": {GRPC: &child.GRPCProbe{Port: 1, Service: "s", Host: "h"}},
		"http: {unix_socket: /run/a}": {HTTP: &child.HTTPProbe{UnixSocket: "/run/a", Path: "/", Host: "127.0.0.1", Scheme: "http",
			Method: "GET", Status: "200-399"}},
	} {
		s := specOf(t, "name: web\nhealth_check: {"+text+"}\nreadiness: {"+text+"}")
		if diff := cmp.Diff(want, s.HealthCheck.Probe); diff != "" {
			t.Errorf("health_check: {%s} (-want +got):\n%s", text, diff)
		}
		if diff := cmp.Diff(want, s.Readiness.Probe); diff != "" {
			t.Errorf("readiness: {%s} (-want +got):\n%s", text, diff)
		}
	}
	s := specOf(t, "name: web\nhealth_check: {heartbeat: true}\nreadiness: {notify: true}")
	if !s.HealthCheck.Heartbeat || !s.Readiness.Notify {
		t.Errorf("heartbeat = %v, notify = %v; want both", s.HealthCheck.Heartbeat, s.Readiness.Notify)
	}
}

// TestNoFieldIsForgotten compares the two lists of fields that exist: what may
// be written, and what a child is.
func TestNoFieldIsForgotten(t *testing.T) {
	elsewhere := map[string]bool{"name": true, "defaults": true} // the id; inherited by others
	for src, l := range layouts() {
		carried := map[string]bool{}
		for _, s := range steps()[src] {
			carried[s.name] = true
		}
		if src == reflect.TypeFor[inheritEnvironment]() || src == reflect.TypeFor[inheritable]() {
			continue // converted as a whole; part of manifestFields
		}
		for _, f := range l.fields {
			if !carried[f.name] && !(src == reflect.TypeFor[manifestFields]() && elsewhere[f.name]) {
				t.Errorf("%s: field %q reaches no field of child.Spec", src.Name(), f.name)
			}
		}
	}

	written := layouts()[reflect.TypeFor[manifestFields]()].byName
	for i := range reflect.TypeFor[child.Spec]().NumField() {
		f := reflect.TypeFor[child.Spec]().Field(i)
		if class := f.Tag.Get("class"); class != "live" && class != "reload" && class != "restart" {
			t.Errorf("child.Spec.%s has the class %q; want live, reload or restart", f.Name, class)
		}
		if _, ok := written[key(f)]; !ok && f.Tag.Get("manifest") == "" {
			t.Errorf("child.Spec.%s: no manifest can set it", f.Name)
		}
	}
}

func TestEveryFieldIsExplained(t *testing.T) {
	for src := range layouts() {
		if src == reflect.TypeFor[inheritEnvironment]() {
			continue
		}
		for _, f := range reflect.VisibleFields(src) {
			if !f.Anonymous && f.Tag.Get("about") == "" {
				t.Errorf("%s.%s has no about tag", src.Name(), f.Name)
			}
		}
	}
}

func TestOrderAndFormAreNoChange(t *testing.T) {
	written := `
name: web
command: sleep 1000
dependencies: [db, cache]
environment: [{name: A, value: "1"}, {name: B, value: "2"}]
tags: [x, y]
success_exit_codes: [0, 7]
shutdown: {graceful_timeout_secs: 5}
`
	otherwise := `
# the same child
success_exit_codes: [7, 0, 0]
tags: ["y", x, x]
environment:
  - value: "2"
    name: B
  - {value: '1', name: "A"}
dependencies:
  - name: cache
    condition: ready
  - db
command: ["sleep", '1000']
name: web
kind: async_worker
hooks: {pre_start: []}
run_as: {}
resource_limits: {}
env_files: []
`

	a, b := specOf(t, written), specOf(t, otherwise)

	if diff := cmp.Diff(a, b); diff != "" || a.Hash() != b.Hash() {
		t.Errorf("specs differ, hashes %s and %s (-written +otherwise):\n%s", a.Hash(), b.Hash(), diff)
	}
}

func TestDefaultNeverContradictsWhatWasWritten(t *testing.T) {
	low := specOf(t, "name: web\nbackoff: {max_delay_ms: 5}").Backoff
	if low.InitialDelay != millis(5) || low.MaxDelay != millis(5) {
		t.Errorf("max_delay_ms: 5 gives %v to %v; want 5ms to 5ms", low.InitialDelay.Duration(), low.MaxDelay.Duration())
	}
	high := specOf(t, "name: web\nbackoff: {initial_delay_ms: 90000}").Backoff
	if high.InitialDelay != millis(90000) || high.MaxDelay != millis(90000) {
		t.Errorf("initial_delay_ms: 90000 gives %v to %v; want 90s to 90s", high.InitialDelay.Duration(), high.MaxDelay.Duration())
	}
}

func TestRestOfZeroIsAllowed(t *testing.T) {
	none := specOf(t, "name: web\nbackoff: {initial_delay_ms: 0, max_delay_ms: 0}").Backoff
	if none.InitialDelay != 0 || none.MaxDelay != 0 {
		t.Errorf("backoff of zero gives %v to %v; want none at all", none.InitialDelay.Duration(), none.MaxDelay.Duration())
	}
}

func TestNearestDefaultsWinFieldByField(t *testing.T) {
	root := decodeOne(t, "root.yaml", `
name: root
kind: supervisor
defaults:
  restart_policy: temporary
  shutdown: {signal: SIGINT, graceful_timeout_secs: 10}
  environment: [{name: A, value: root}, {name: B, value: root}, {name: C, value: root}]
  secrets: [{name: S, key: root}]
  success_exit_codes: [1, 2]
  restart_limit: {max_restarts: 3}
  run_as: {user: app}
`)
	folder := decodeOne(t, "payments/folder.yaml", `
name: payments
kind: supervisor
defaults:
  shutdown: {graceful_timeout_secs: 20, abort_wait_secs: 2}
  environment: [{name: B, value: folder}, {name: C, value: folder}]
  inherit_environment: false
`)

	got := specOf(t, `
name: web
shutdown: {abort_wait_secs: 3}
environment: [{name: C, value: own}, {name: D, secret_ref: "${S}"}]
success_exit_codes: [5]
run_as: {umask: "022"}
`, root, nil, folder)

	if want := (child.Shutdown{Signal: "SIGINT", GracefulTimeout: seconds(20), AbortWait: seconds(3)}); got.Shutdown != want {
		t.Errorf("shutdown = %+v, want %+v", got.Shutdown, want)
	}
	if got.RestartPolicy != child.Temporary {
		t.Errorf("restart_policy = %s, want temporary from the root", got.RestartPolicy)
	}
	if got.InheritEnvironment.All {
		t.Error("inherit_environment = true, want false from the folder")
	}
	var variables []string
	for _, v := range got.Environment {
		if v.Value != nil {
			variables = append(variables, v.Name+"="+*v.Value)
		} else {
			variables = append(variables, v.Name+" from "+v.SecretRef)
		}
	}
	if diff := cmp.Diff([]string{"A=root", "B=folder", "C=own", "D from ${S}"}, variables); diff != "" {
		t.Errorf("environment (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]int{5}, got.SuccessExitCodes); diff != "" {
		t.Errorf("success_exit_codes (-want +got):\n%s", diff)
	}
	if want := (child.RestartLimit{MaxRestarts: 3, Window: seconds(60)}); got.RestartLimit == nil || *got.RestartLimit != want {
		t.Errorf("restart_limit = %+v, want %+v", got.RestartLimit, want)
	}
	if diff := cmp.Diff(&child.RunAs{User: "app", Umask: "022"}, got.RunAs); diff != "" {
		t.Errorf("run_as (-want +got):\n%s", diff)
	}
}

func TestInheritingLeavesTheManifestsAlone(t *testing.T) {
	root := decodeOne(t, "root.yaml", "name: root\nkind: supervisor\ndefaults: {shutdown: {signal: SIGINT}, environment: [{name: B, value: x}, {name: A, value: y}]}")
	web := decodeOne(t, "web.yaml", "name: web\nshutdown: {abort_wait_secs: 3}\nenvironment: [{name: C, value: z}]")
	before, _ := web.Spec("", nil, undeclared)

	with, _ := web.Spec("", []*Manifest{root}, undeclared)
	again, _ := web.Spec("", nil, undeclared)

	if with.Hash() == before.Hash() {
		t.Error("the defaults of the root changed nothing")
	}
	if diff := cmp.Diff(before, again); diff != "" {
		t.Errorf("the manifest is another one after it inherited (-before +after):\n%s", diff)
	}
	if name := root.fields.Defaults.Environment[0].Name; name != "B" {
		t.Errorf("first variable of the root's defaults = %s, want B: its list was sorted in place", name)
	}
}

func TestSupervisorInheritsNothing(t *testing.T) {
	root := decodeOne(t, "root.yaml", "name: root\nkind: supervisor\ndefaults: {restart_limit: {max_restarts: 3}, backoff: {max_delay_ms: 20}, shutdown: {signal: SIGINT}}")

	got := specOf(t, "name: payments\nkind: supervisor\nrestart_limit: {max_restarts: 30}\nstrategy: rest_for_one", root)

	want := &child.Spec{Kind: child.Supervisor, Strategy: child.RestForOne, RestartLimit: &child.RestartLimit{MaxRestarts: 30, Window: seconds(60)},
		Backoff: presetBackoff}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("spec (-want +got):\n%s", diff)
	}
}

func TestInheritedContradictionsAreProblems(t *testing.T) {
	root := decodeOne(t, "root.yaml", "name: root\nkind: supervisor\ndefaults: {backoff: {max_delay_ms: 100}, environment: [{name: A, secret_ref: \"${S}\"}]}")
	web := decodeOne(t, "payments/web.yaml", "name: web\nbackoff:\n  initial_delay_ms: 200\n")

	s, problems := web.Spec("payments", []*Manifest{root}, undeclared)

	var got []string
	for _, p := range problems {
		got = append(got, p.String())
	}
	want := []string{
		"payments/web.yaml:1:1: environment: the secret S of variable A is not declared (add {name: S, key: …} to secrets)",
		"payments/web.yaml:3:21: backoff.initial_delay_ms: the first rest (200ms) is longer than the longest (100ms); one of them is inherited (write both)",
	}
	if diff := cmp.Diff(want, got); diff != "" || s != nil {
		t.Errorf("spec = %v, want none; problems (-want +got):\n%s", s, diff)
	}
}

func TestDependencyNamesAreLookedUpBesideFirst(t *testing.T) {
	for _, row := range []struct {
		name   string
		folder child.ID
		exists []child.ID
		want   child.ID
	}{
		{"db", "", []child.ID{"db"}, "db"},
		{"db", "payments", []child.ID{"payments/db", "db"}, "payments/db"},
		{"db", "payments", []child.ID{"db"}, "db"},
		{"db", "payments", nil, "payments/db"},
		{"other/db", "payments", []child.ID{"payments/other/db"}, "other/db"},
		{"other/db", "payments", nil, "other/db"},
	} {
		if got := Resolve(row.name, row.folder, declared(row.exists...)); got != row.want {
			t.Errorf("Resolve(%s, %s) with %v = %s, want %s", row.name, row.folder, row.exists, got, row.want)
		}
	}
}

func TestDependencyOnItsOwnFolderIsAProblem(t *testing.T) {
	web := decodeOne(t, "payments/eu/web.yaml", "name: web\ndependencies:\n  - payments\n  - payments/eu\n  - root\n  - db\n  - {name: payments/eu/db}\n")

	_, problems := web.Spec("payments/eu", nil, declared("payments", "payments/eu", "root", "payments/eu/db"))

	var got []string
	for _, p := range problems {
		got = append(got, fmt.Sprintf("%d:%d %s %s", p.Line, p.Column, p.Field, p.Reason))
	}
	want := []string{
		"3:5 dependencies[0] a child cannot depend on payments, the folder it stands in",
		"4:5 dependencies[1] a child cannot depend on payments/eu, the folder it stands in",
		"5:5 dependencies[2] a child cannot depend on root, the folder it stands in",
		"7:5 dependencies[4] payments/eu/db is already element 3 of the list",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("problems (-want +got):\n%s", diff)
	}
}

func TestManifestTellsWhereItsFieldsStand(t *testing.T) {
	m := decodeOne(t, "web.yaml", "# one\nname: web\nshutdown:\n  signal: SIGINT\ndependencies:\n  - db\n  - name: cache\n    condition: started\n")

	for field, want := range map[string]string{
		"":                            "2:1",
		"name":                        "2:7",
		"shutdown":                    "3:1",
		"shutdown.signal":             "4:11",
		"shutdown.abort_wait_secs":    "3:1",
		"backoff.max_delay_ms":        "2:1",
		"dependencies[1]":             "7:5",
		"dependencies[1].condition":   "8:16",
		"dependencies[1].restart":     "7:5",
		"dependencies[9].name":        "5:1",
		"environment[2].value.no[0].": "2:1",
	} {
		line, column := m.Position(field)
		if got := fmt.Sprintf("%d:%d", line, column); got != want {
			t.Errorf("Position(%q) = %s, want %s", field, got, want)
		}
	}
	want := []Dependency{{"db", "dependencies[0]", 6, 5}, {"cache", "dependencies[1]", 7, 11}}
	if diff := cmp.Diff(want, m.Dependencies()); diff != "" {
		t.Errorf("Dependencies (-want +got):\n%s", diff)
	}
	if m.Line != 2 || m.Document != 1 {
		t.Errorf("line %d, document %d; want 2 and 1", m.Line, m.Document)
	}
}

func TestFieldsThatNothingActsOnAreNamed(t *testing.T) {
	for text, want := range map[string]string{
		"":                                         "",
		"criticality: optional":                    "",
		"criticality: critical":                    "",
		"dependencies: [db]":                       "",
		"run_as: {user: app}":                      "",
		"secrets: []":                              "",
		"work_role: worker":                        "",
		"readiness: {}":                            "",
		"readiness: {notify: true}":                "",
		"readiness: {tcp: {port: 1}}":              "",
		"health_check: {http: {port: 1}}":          "",
		"health_check: {exec: [x]}":                "",
		"health_check: {heartbeat: true}":          "",
		"restart_limit: {}":                        "",
		"run_as: {umask: \"0027\"}":                "run_as.umask",
		"dependencies: [{name: a, restart: true}]": "",
	} {
		if got := strings.Join(specOf(t, "name: web\n"+text).NotEnforced(), " "); got != want {
			t.Errorf("NotEnforced of %q = %q, want %q", text, got, want)
		}
	}
}

// TestSpecIsAManifest holds the promise that the keys of a Spec are those of a
// manifest: a spec written as JSON is a manifest of the same child.
func TestSpecIsAManifest(t *testing.T) {
	want := specOf(t, strings.NewReplacer("[PATH, HOME, PATH]", "[PATH]").Replace(everyField))
	var fields map[string]any
	encoded, err := json.Marshal(want)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(encoded, &fields); err != nil {
		t.Fatal(err)
	}
	fields["name"] = "worker"
	fields["inherit_environment"] = []string{"PATH"} // written in short
	text, err := json.Marshal(fields)
	if err != nil {
		t.Fatal(err)
	}

	m := decodeOne(t, "payments/worker.json", string(text))
	got, problems := m.Spec("payments", nil, undeclared)

	if diff := cmp.Diff(want, got); diff != "" || len(problems) > 0 {
		t.Errorf("problems %v; spec (-want +got):\n%s", problems, diff)
	}
}

// The hashes are those of the version that gave a child with run_as the whole
// environment in both cases: no child that runs is restarted because that changed.
func TestACleanEnvironmentChangesNoSpecThatIsThere(t *testing.T) {
	for text, want := range map[string]string{
		"run_as: {user: app}":                                   "sha256:fe53a4985a8126b9a3ad40810a3643b84de2db5f0d9b73a58ea25e326528ab19",
		"inherit_environment: true":                             "sha256:28b352544db334a9361f973b6c26ac5ddce902d7c8d981aa8ca192e1b5efca2c",
		"inherit_environment: true\nrun_as: {group: app}":       "sha256:676415816229066504bd29ea699b75b223d075a61c035e0d82fe7e5a5924b858",
		"inherit_environment: false\nrun_as: {user: root}":      specOf(t, "name: web\ncommand: [x]\ninherit_environment: []\nrun_as: {user: root}").Hash(),
		"inherit_environment: [A, B]\nrun_as: {user: \"1000\"}": specOf(t, "name: web\ncommand: [x]\ninherit_environment: [B, A]\nrun_as: {user: 1000}").Hash(),
	} {
		if got := specOf(t, "name: web\ncommand: [x]\n"+text).Hash(); got != want {
			t.Errorf("%q: hash %s, want %s", text, got, want)
		}
	}
}

func TestWholeEnvironmentBesideAUserIsWhatSomebodyWrote(t *testing.T) {
	for text, want := range map[string]bool{
		"run_as: {user: app}":                              false,
		"inherit_environment: true\nrun_as: {user: app}":   true,
		"inherit_environment: false\nrun_as: {user: app}":  false,
		"inherit_environment: [PATH]\nrun_as: {user: app}": false,
		"inherit_environment: true":                        false, // it has it anyway
		"inherit_environment: true\nrun_as: {group: app}":  false,
	} {
		if got := specOf(t, "name: web\n"+text).WholeEnvironment; got != want {
			t.Errorf("%q: whole environment = %v, want %v", text, got, want)
		}
	}

	m := decodeOne(t, "pay/web.yaml", "name: web\nrun_as: {user: app}")
	folder := decodeOne(t, "pay/pay.yaml", "name: pay\nkind: supervisor\ndefaults: {inherit_environment: true}")
	s, problems := m.Spec("pay", []*Manifest{nil, folder}, undeclared)
	if len(problems) > 0 || !s.WholeEnvironment {
		t.Errorf("with the folder's default: %+v, %v; want the whole environment", s, problems)
	}
}

func TestARealTimeSignalHasOneNameInASpec(t *testing.T) {
	specs := map[string]string{}
	for _, name := range []string{"SIGRTMIN+30", "SIGRTMAX", "SIGRTMAX-0"} {
		spec := specOf(t, "name: web\nshutdown: {signal: "+name+"}")

		specs[name] = spec.Shutdown.Signal
	}

	for name, got := range specs {
		if got != "SIGRTMIN+30" {
			t.Errorf("%s is %s in the spec, want SIGRTMIN+30", name, got)
		}
	}
}
