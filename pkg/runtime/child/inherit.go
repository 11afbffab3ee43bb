package child

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
)

// MarshalJSON writes what a manifest says: true, false or a list of names.
func (in InheritEnvironment) MarshalJSON() ([]byte, error) {
	if in.All || len(in.Names) == 0 {
		return json.Marshal(in.All)
	}
	return json.Marshal(in.Names)
}

// UnmarshalJSON reads true, false or a list of names.
func (in *InheritEnvironment) UnmarshalJSON(b []byte) error {
	*in = InheritEnvironment{}
	target := any(&in.All)
	if bytes.HasPrefix(bytes.TrimSpace(b), []byte("[")) {
		target = &in.Names
	}
	if err := json.Unmarshal(b, target); err != nil {
		return fmt.Errorf("inherit_environment: want true, false or a list of names: %w", err)
	}
	return nil
}

// clean are the variables that a child with run_as.user inherits where its manifest
// does not say: where programs are, the language and the time zone. Whatever else
// root has (keys of clouds, agents, libraries to load) is not for another user.
// What is left is what systemd's and sudo's services have.
var clean = []string{
	"LANG", "LANGUAGE", "LC_ADDRESS", "LC_ALL", "LC_COLLATE", "LC_CTYPE", "LC_IDENTIFICATION", "LC_MEASUREMENT", "LC_MESSAGES",
	"LC_MONETARY", "LC_NAME", "LC_NUMERIC", "LC_PAPER", "LC_TELEPHONE", "LC_TIME", "PATH", "TZ",
}

// Inherited is what an attempt gets of the reconciler's environment. It is decided
// here and not in the spec, so that the spec of a manifest that does not say is what
// it always was: its hash is that of the processes that run already.
func (s *Spec) Inherited() InheritEnvironment {
	if s.InheritEnvironment.All && !s.WholeEnvironment && s.RunAs != nil && s.RunAs.User != "" {
		return InheritEnvironment{Names: slices.Clone(clean)}
	}
	return s.InheritEnvironment
}

// ofManager are the variables in which a service manager speaks to one process, not
// to its children: systemd.exec(5), sd_notify(3), sd_listen_fds(3).
var ofManager = []string{
	"NOTIFY_SOCKET", "WATCHDOG_PID", "WATCHDOG_USEC",
	"LISTEN_PID", "LISTEN_PIDFDID", "LISTEN_FDS", "LISTEN_FDNAMES", "FDSTORE",
	"MAINPID", "MAINPIDFDID", "MANAGERPID", "MANAGERPIDFDID", "SYSTEMD_EXEC_PID", "PIDFILE",
	"INVOCATION_ID", "JOURNAL_STREAM", "LOG_NAMESPACE", "MEMORY_PRESSURE_WATCH", "MEMORY_PRESSURE_WRITE",
	"CREDENTIALS_DIRECTORY", "RUNTIME_DIRECTORY", "STATE_DIRECTORY", "CACHE_DIRECTORY", "LOGS_DIRECTORY", "CONFIGURATION_DIRECTORY",
	"TRIGGER_UNIT", "TRIGGER_PATH", "TRIGGER_TIMER_REALTIME_USEC", "TRIGGER_TIMER_MONOTONIC_USEC",
	"MONITOR_SERVICE_RESULT", "MONITOR_EXIT_CODE", "MONITOR_EXIT_STATUS", "MONITOR_INVOCATION_ID", "MONITOR_UNIT",
}

// OfManager reports whether a variable of the reconciler's environment is for the
// reconciler alone, whatever a manifest says: those of the manager that started it,
// and its own (RECONCILER_…). A child that believed them would answer in the
// reconciler's name, or read what was handed to it.
func OfManager(name string) bool {
	return strings.HasPrefix(name, "RECONCILER_") || slices.Contains(ofManager, name)
}
