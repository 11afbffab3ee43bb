package upgrade

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// Children that have words of their own in the tests.
const (
	lateOnOldShim = "late/one"   // ends with code 7 when its file appears
	lateOnNewShim = "late/two"   // the same
	speaker       = "talk/speak" // says on its notify socket what its file holds
	ticker        = "ticker"     // and a number: prints a numbered line every 20 ms
	tickers       = 5
)

// fields are what children of the fifty have beside a command that sleeps: what a
// manifest of the first release could say, also what that did not enforce.
var fields = map[string]string{
	"plain":         ``,
	"blocking":      `kind: blocking_worker`,
	"service":       `work_role: service`,
	"critical":      `criticality: critical`,
	"transient":     `restart_policy: transient`,
	"temporary":     `restart_policy: temporary`,
	"depends":       `dependencies: [plain, {name: service, condition: started, restart: true}]`,
	"sidecar":       `work_role: sidecar, sidecar_of: plain`,
	"codes":         `success_exit_codes: [0, 3]`,
	"protected":     `protect: true`,
	"suspended":     `suspend: true`,
	"bare":          `inherit_environment: false`,
	"chosen":        `inherit_environment: [PATH, HOME]`,
	"environment":   `environment: [{name: A, value: b}, {name: EMPTY, value: ""}]`,
	"env-file":      `env_files: [ROOT/env]`,
	"secret":        `environment: [{name: T, secret_ref: "${T}"}], secrets: [{name: T, key: token}]`,
	"lives":         `health_check: {exec: ["true"], check_interval_secs: 1}`,
	"is-ready":      `readiness: {exec: ["true"]}`,
	"deadline":      `work_role: job, deadline_secs: 3600`,
	"memory":        `resource_limits: {max_memory_mb: 256}`,
	"limits":        `resource_limits: {max_cpu_percent: 80.5, max_file_descriptors: 1024, max_processes: 100}`,
	"umask":         `run_as: {umask: "0027"}`,
	"no-new-privs":  `run_as: {no_new_privs: true}`,
	"both":          `run_as: {umask: "0077", no_new_privs: true}, resource_limits: {max_memory_mb: 64}`,
	"permitted":     `command_permissions: {allow_restart: true, allowed_signals: [SIGHUP]}`,
	"interrupted":   `shutdown: {signal: SIGINT, graceful_timeout_secs: 3, abort_wait_secs: 1}`,
	"backoff":       `backoff: {initial_delay_ms: 20, max_delay_ms: 30000, jitter_ratio: 0, reset_after_secs: 31}`,
	"limited":       `restart_limit: {max_restarts: 3, window_secs: 60}`,
	"logs":          `logs: {max_size_mb: 0.5, max_files: 2, timestamps: true}`,
	"reload":        `reload: {files: [ROOT/env], signal: SIGHUP}`,
	"reload-anew":   `reload: {files: [ROOT/env]}`,
	"hooks":         `hooks: {pre_start: ["true"], post_start: ["true"], pre_stop: ["true"], post_stop: ["true"]}`,
	"tags":          `tags: [mail, fast]`,
	"directory":     `working_dir: /`,
	"scheduled":     `work_role: job, schedule: {cron: "30 2 29 2 *", time_zone: Europe/Berlin}`,
	"folder/leader": ``,
	"folder/member": `tags: [mail], dependencies: [leader]`,
}

// ofRoot are those that only root can start.
var ofRoot = map[string]string{
	"nobody":       `run_as: {user: nobody}`,
	"nobody-whole": `run_as: {user: nobody, umask: "0027", no_new_privs: true}, inherit_environment: true`,
	"number":       `run_as: {user: 65534, group: 65534, supplementary_groups: [65534]}`,
}

// meansMore are those whose manifest says something that the last release had no
// word for: their hash changes, and nothing else does. The change counts from their
// next start.
var meansMore = map[string]bool{
	"nobody-whole": true, // child.Spec.WholeEnvironment
}

// others are whole manifests.
var others = map[string]string{
	"completed":    `work_role: job, command: ["true"]`,
	"failed":       `restart_policy: temporary, command: ["false"]`,
	"resting":      `command: ["false"], backoff: {initial_delay_ms: 3600000, max_delay_ms: 3600000}`,
	"matching":     `command: [sh, -c, "echo listening on 80; exec sleep 86400"], readiness: {log_match: listening}`,
	lateOnOldShim:  `restart_policy: temporary, command: [SELF, late, ROOT/late-one]`,
	lateOnNewShim:  `restart_policy: temporary, command: [SELF, late, ROOT/late-two]`,
	speaker:        `command: [SELF, speak, ROOT/words], readiness: {notify: true}, health_check: {heartbeat: true, check_interval_secs: 60, timeout_secs: 60}`,
	"talk/refused": `command: [SELF, speak, ROOT/words], readiness: {notify: true}, run_as: {umask: "0027"}`,
}

const folderManifest = `name: folder
kind: supervisor
strategy: one_for_all
restart_limit: {max_restarts: 30, window_secs: 60}
failure_groups: [{tag: mail, restart_limit: {max_restarts: 3, window_secs: 60}}]
defaults: {backoff: {max_delay_ms: 5000}, run_as: {umask: "0027"}}
`

// declare writes the manifests of all children, and returns their ids.
func declare(root, self string) ([]string, error) {
	manifests := map[string]string{}
	sleeps := func(all map[string]string) {
		for id, text := range all {
			manifests[id] = `command: [sleep, "86400"], ` + text
		}
	}
	sleeps(fields)
	if os.Getuid() == 0 {
		sleeps(ofRoot)
	}
	for id, text := range others {
		manifests[id] = text
	}
	for i := range tickers {
		manifests[fmt.Sprint(ticker, i)] = `command: [SELF, tick]`
	}
	ids := make([]string, 0, len(manifests))
	for id, text := range manifests {
		ids = append(ids, id)
		text = strings.NewReplacer("ROOT", root, "SELF", self).Replace(text)
		text = fmt.Sprintf("{name: %s, %s}\n", filepath.Base(id), text)
		if err := write(filepath.Join(root, "manifests", id+".yaml"), text); err != nil {
			return nil, err
		}
	}
	for name, text := range map[string]string{
		"manifests/folder/folder.yaml": folderManifest, "env": "FROM=file\n", "words": "first", "secrets/token": "canary",
	} {
		if err := write(filepath.Join(root, name), text); err != nil {
			return nil, err
		}
	}
	return ids, nil
}

func write(path, text string) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	return os.WriteFile(path, []byte(text), 0o600)
}
