package desired

import (
	"bytes"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/reconciler-dev/reconciler/pkg/runtime/child"
)

// hashed are manifests of workers that between them use every field.
var hashed = []string{
	`{name: worker}`,
	`{name: worker, command: sleep 1000}`,
	`{name: worker, kind: blocking_worker, work_role: service, criticality: critical, restart_policy: temporary}`,
	`{name: worker, work_role: job, schedule: {cron: "30 2 * * *", time_zone: Europe/Berlin, missed: run_once, overlap: queue}, deadline_secs: 600}`,
	`{name: worker, work_role: sidecar, sidecar_of: web}`,
	`{name: worker, dependencies: [cache, {name: payments/db, condition: started, restart: true}], success_exit_codes: [3, 0], tags: [b, a]}`,
	`{name: worker, suspend: true, protect: true, inherit_environment: false}`,
	`{name: worker, inherit_environment: [PATH, HOME], environment: [{name: A, value: b}, {name: C, value: ""}], env_files: [/etc/z, /etc/a]}`,
	`{name: worker, environment: [{name: T, secret_ref: "${T}"}], secrets: [{name: T, key: k}, {name: O, key: o, required: false}]}`,
	`{name: worker, run_as: {user: app}}`,
	`{name: worker, run_as: {user: 1000, group: app, supplementary_groups: [video, audio]}}`,
	`{name: worker, run_as: {umask: "0027"}}`,
	`{name: worker, run_as: {no_new_privs: true}}`,
	`{name: worker, run_as: {user: app, umask: "0077", no_new_privs: true}, command_permissions: {}}`,
	`{name: worker, resource_limits: {max_memory_mb: 256}}`,
	`{name: worker, resource_limits: {max_cpu_percent: 80.5, max_file_descriptors: 1024, max_processes: 100}, run_as: {umask: "0022"}}`,
	`{name: worker, command_permissions: {allow_shutdown: true, allow_restart: true, allowed_signals: [SIGUSR1, SIGHUP]}}`,
	`{name: worker, health_check: {http: {port: 8080, headers: {X-A: b}, status: "203", body_match: "ok+"}, max_retries: 4}, readiness: {tcp: {port: 1}}}`,
	`{name: worker, health_check: {exec: [a, b], initial_delay_secs: 6}, readiness: {log_match: "listening on .*", deadline_secs: 60}}`,
	`{name: worker, health_check: {heartbeat: true}, readiness: {notify: true}}`,
	`{name: worker, health_check: {grpc: {port: 1, service: s, host: h}}, readiness: {http: {unix_socket: /run/a}}}`,
	`{name: worker, shutdown: {signal: SIGINT, graceful_timeout_secs: 12, abort_wait_secs: 0.25}, backoff: {initial_delay_ms: 20, max_delay_ms: 30000, jitter_ratio: 0, reset_after_secs: 31}}`,
	`{name: worker, restart_limit: {max_restarts: 11, window_secs: 61}, logs: {max_size_mb: 0.5, max_files: 6, timestamps: true}}`,
	`{name: worker, reload: {files: [/etc/b, /etc/a], signal: SIGHUP}, working_dir: /srv}`,
	`{name: worker, hooks: {pre_start: ["./migrate --all", [./a, b c]], post_start: [x], pre_stop: [y], post_stop: [z], timeout_secs: 61}}`,
	everyField,
}

// hashesOf is the list of manifests with their hashes, and at its end that of a
// folder without a manifest.
func hashesOf(t *testing.T) []byte {
	var text bytes.Buffer
	for _, manifest := range hashed {
		first, _, _ := strings.Cut(strings.TrimSpace(manifest), "\n")
		fmt.Fprintf(&text, "%s %s\n", specOf(t, manifest).Hash(), first)
	}
	fmt.Fprintf(&text, "%s folder\n", folderSpec().Hash())
	return text.Bytes()
}

// The golden file was written by the first release. What differs from it is changed
// for every running child at an upgrade.
func TestManifestsKeepTheirHashInEveryVersion(t *testing.T) {
	golden, err := os.ReadFile("testdata/hashes-first-release.golden")
	if err != nil {
		t.Fatal(err)
	}

	got := hashesOf(t)

	was, is := strings.Split(string(golden), "\n"), strings.Split(string(got), "\n")
	if len(was) != len(is) {
		t.Fatalf("%d hashes, the golden file has %d", len(is), len(was))
	}
	for i := range was {
		if was[i] != is[i] {
			t.Errorf("the hash of a manifest changed\n was %s\n  is %s", was[i], is[i])
		}
	}
}

func TestWhatIsEnforcedIsNoPartOfASpec(t *testing.T) {
	with := specOf(t, "name: web\nrun_as: {umask: \"0027\"}")

	fields := with.NotEnforced()

	if len(fields) != 1 || fields[0] != "run_as.umask" || child.IsEnforced("run_as.umask") || !child.IsEnforced("command") {
		t.Errorf("not enforced: %v, want run_as.umask", fields)
	}
}

func TestAFullLogThatBlocksIsNoChangeAndOneThatDropsIs(t *testing.T) {
	without := specOf(t, "name: web\nlogs: {max_files: 6}")

	blocks := specOf(t, "name: web\nlogs: {max_files: 6, when_full: block}")
	drops := specOf(t, "name: web\nlogs: {max_files: 6, when_full: drop}")

	if blocks.Hash() != without.Hash() || without.Logs.WhenFull != "" {
		t.Errorf("when_full: block, which is what every version does, changes the hash: without it %+v, with it %+v", without.Logs, blocks.Logs)
	}
	if drops.Logs.WhenFull != child.DropOutput || drops.Hash() == without.Hash() {
		t.Errorf("when_full: drop gives %+v, and a hash that is another: %v", drops.Logs, drops.Hash() != without.Hash())
	}
}
