package desired

import (
	"strings"
	"unicode"
)

// synonyms are what other supervisors, and habit, call our fields and values.
var synonyms = map[string]string{
	"args": "command", "cmd": "command", "entrypoint": "command", "exec": "command", "execstart": "command", "run": "command", "program": "command",
	"cwd": "working_dir", "directory": "working_dir", "dir": "working_dir", "chdir": "working_dir", "workdir": "working_dir", "workingdirectory": "working_dir",
	"env": "environment", "envfrom": "env_files", "envfile": "env_files", "environmentfile": "env_files",
	"dependson": "dependencies", "after": "dependencies", "requires": "dependencies",
	"restart": "restart_policy", "autorestart": "restart_policy", "maxrestarts": "restart_limit",
	"liveness": "health_check", "livenessprobe": "health_check", "healthcheck": "health_check", "readinessprobe": "readiness",
	"user": "run_as", "group": "run_as", "uid": "run_as", "gid": "run_as", "umask": "run_as",
	"limits": "resource_limits", "resources": "resource_limits", "stop": "shutdown", "stopsignal": "shutdown",
	"autostart": "suspend", "disabled": "suspend", "exitcodes": "success_exit_codes", "labels": "tags", "type": "kind", "children": "defaults",
	"interval": "check_interval_secs", "intervalsecs": "check_interval_secs", "period": "check_interval_secs", "periodseconds": "check_interval_secs",
	"timeout": "timeout_secs", "timeoutseconds": "timeout_secs", "retries": "max_retries", "failurethreshold": "max_retries",
	"initialdelayseconds": "initial_delay_secs", "httpget": "http", "tcpsocket": "tcp", "memory": "max_memory_mb", "cpu": "max_cpu_percent",

	"always": "permanent", "unlessstopped": "permanent", "true": "permanent", "onfailure": "transient", "never": "temporary", "no": "temporary", "false": "temporary",
	"healthy": "ready", "servicehealthy": "ready", "servicestarted": "started", "servicecompletedsuccessfully": "completed", "succeeded": "completed",
	"oneforone": "one_for_one", "async": "async_worker", "worker": "async_worker", "service": "async_worker", "process": "async_worker", "blocking": "blocking_worker", "folder": "supervisor", "required": "critical",
}

// wrongSection hints at fields that exist, but elsewhere.
var wrongSection = map[string]string{
	"health_check.notify": "notify is for readiness; for liveness write heartbeat: true", "health_check.log_match": "log_match is for readiness",
	"readiness.heartbeat": "heartbeat is for health_check; for readiness write notify: true",
}

// meant is the hint for an unknown field of the section at path.
func meant(key, path string, known []string) string {
	if hint := wrongSection[join(path, key)]; hint != "" {
		return hint
	}
	return didYouMean(key, known)
}

// longest is the length of a word for which others are suggested. Nothing longer
// is near to a word of ours, and the work is quadratic.
const longest = 64

// didYouMean is a hint that names the known word that is nearest to s; "" if
// none is near.
func didYouMean(s string, known []string) string {
	if len(s) > longest {
		return ""
	}
	plain := squash(s)
	best, nearest := "", 3
	for _, k := range known {
		if k == synonyms[plain] {
			return "did you mean " + k + "?"
		}
		if d := distance(plain, squash(k)); d < nearest && d*3 <= max(len(k), 3) {
			best, nearest = k, d
		}
	}
	if best == "" {
		return ""
	}
	return "did you mean " + best + "?"
}

// squash makes restart_policy, restartPolicy and Restart-Policy the same.
func squash(s string) string {
	return strings.Map(func(r rune) rune {
		if r == '_' || r == '-' || r == ' ' {
			return -1
		}
		return unicode.ToLower(r)
	}, s)
}

// distance is how many characters must be put in, taken out, replaced or
// swapped with the next one to make b of a (optimal string alignment).
func distance(a, b string) int {
	before, row, next := make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		next[0] = i + 1
		for j := range len(b) {
			if a[i] == b[j] {
				next[j+1] = row[j]
			} else {
				next[j+1] = 1 + min(row[j], row[j+1], next[j])
			}
			if i > 0 && j > 0 && a[i] == b[j-1] && a[i-1] == b[j] {
				next[j+1] = min(next[j+1], 1+before[j-1])
			}
		}
		before, row, next = row, next, before
	}
	return row[len(b)]
}
