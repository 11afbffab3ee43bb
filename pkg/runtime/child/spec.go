package child

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
)

// Spec is what a child should be: its manifest after names were resolved,
// shorthands written out and defaults filled in. Its JSON field names are the
// manifest's, so that a path into a Spec is a path into a manifest.
//
// The class tag beside each field says what a change of it does to a running
// child: "live" is applied without a restart, "reload" tells the running
// attempt, "restart" replaces it.
type Spec struct {
	Kind               Kind                `json:"kind" class:"restart"`
	Command            []string            `json:"command,omitempty" class:"restart"` // empty: the executable named like the child
	WorkingDir         string              `json:"working_dir,omitempty" class:"restart"`
	Criticality        Criticality         `json:"criticality,omitempty" class:"live"`
	RestartPolicy      RestartPolicy       `json:"restart_policy,omitempty" class:"live"`
	Dependencies       []Dependency        `json:"dependencies,omitempty" class:"live"` // sorted by ID
	SuccessExitCodes   []int               `json:"success_exit_codes,omitempty" class:"live"`
	WorkRole           string              `json:"work_role,omitempty" class:"live"`
	Suspend            bool                `json:"suspend,omitempty" class:"live"`
	Protect            bool                `json:"protect,omitempty" class:"live"`
	InheritEnvironment InheritEnvironment  `json:"inherit_environment" class:"restart"`
	EnvFiles           []string            `json:"env_files,omitempty" class:"restart"`
	RunAs              *RunAs              `json:"run_as,omitempty" class:"restart"`
	Environment        []EnvVar            `json:"environment,omitempty" class:"restart"`
	Secrets            []Secret            `json:"secrets,omitempty" class:"restart"`
	Schedule           *Schedule           `json:"schedule,omitempty" class:"live"`
	Deadline           Seconds             `json:"deadline_secs,omitempty" class:"live"` // of one attempt; 0: none
	HealthCheck        *HealthCheck        `json:"health_check,omitempty" class:"live"`
	Readiness          *Readiness          `json:"readiness,omitempty" class:"live"`
	ResourceLimits     *ResourceLimits     `json:"resource_limits,omitempty" class:"restart"`
	Shutdown           Shutdown            `json:"shutdown" class:"live"`
	Backoff            Backoff             `json:"backoff" class:"live"`
	RestartLimit       *RestartLimit       `json:"restart_limit,omitempty" class:"live"`
	CommandPermissions *CommandPermissions `json:"command_permissions,omitempty" class:"live"`
	Logs               Logs                `json:"logs" class:"live"`
	Reload             *Reload             `json:"reload,omitempty" class:"live"`
	Hooks              *Hooks              `json:"hooks,omitempty" class:"live"`
	Tags               []string            `json:"tags,omitempty" class:"live"`
	SidecarOf          ID                  `json:"sidecar_of,omitempty" class:"live"`     // resolved: always a whole ID
	Strategy           Strategy            `json:"strategy,omitempty" class:"live"`       // supervisors only
	FailureGroups      []FailureGroup      `json:"failure_groups,omitempty" class:"live"` // supervisors only; sorted by tag

	// WholeEnvironment is true where inherit_environment: true was written beside
	// run_as.user: without it such a child gets a clean environment, see Inherited.
	// It counts from the next start, so that an upgrade from a version that gave
	// everything in both cases restarts nothing.
	WholeEnvironment bool `json:"whole_environment,omitempty" class:"live" manifest:"inherit_environment"`
}

// Hash is the SHA-256 of the whole normalised spec, as "sha256:" and 64
// hexadecimal digits. Equal specs have equal hashes; a field cannot be forgotten.
//
// The hashes of running children were made by other versions, so the hash of a
// manifest may not change with the version: a new field of a Spec, or of what is
// in it, is left out where it is not set. See hashedAsUnenforced.
func (s *Spec) Hash() string {
	b, err := json.Marshal(struct {
		*Spec
		NotEnforced []string `json:"not_enforced,omitempty"` // last, as it was
	}{s, s.pathsOf(hashedAsUnenforced)})
	if err != nil {
		panic("child: a spec is always encodable: " + err.Error())
	}
	sum := sha256.Sum256(b)
	return "sha256:" + hex.EncodeToString(sum[:])
}

// Kind says what runs a child.
type Kind string

// The kinds.
const (
	AsyncWorker    Kind = "async_worker"
	BlockingWorker Kind = "blocking_worker"
	Supervisor     Kind = "supervisor" // a folder: it owns no process
)

// Criticality says what it means for the whole runtime that a child cannot run.
type Criticality string

// The criticalities.
const (
	Optional Criticality = "optional"
	Critical Criticality = "critical" // a critical child that cannot run degrades the runtime
)

// RestartPolicy says after which exits a child is started again.
type RestartPolicy string

// The restart policies.
const (
	Permanent RestartPolicy = "permanent" // after every exit
	Transient RestartPolicy = "transient" // after a failure
	Temporary RestartPolicy = "temporary" // never
)

// Strategy says who else restarts when one child of a supervisor does.
type Strategy string

// The strategies.
const (
	OneForOne  Strategy = "one_for_one"
	OneForAll  Strategy = "one_for_all"
	RestForOne Strategy = "rest_for_one"
)

// Dependency is another child that must have come so far before this one starts.
type Dependency struct {
	ID        ID        `json:"name"` // resolved: always a whole ID
	Condition Condition `json:"condition"`
	Restart   bool      `json:"restart,omitempty"` // restart this child after that one was restarted
}

// Condition is how far a dependency must have come.
type Condition string

// The conditions.
const (
	WhenStarted   Condition = "started"   // its process runs
	WhenReady     Condition = "ready"     // it is ready
	WhenCompleted Condition = "completed" // it ended well
)

// InheritEnvironment says which variables of the reconciler's own environment a
// child gets: all, none, or those named.
type InheritEnvironment struct {
	All   bool
	Names []string
}

// RunAs is the identity of a child's processes.
type RunAs struct {
	User                string   `json:"user,omitempty"` // a name or a number
	Group               string   `json:"group,omitempty"`
	SupplementaryGroups []string `json:"supplementary_groups,omitempty"`
	NoNewPrivs          bool     `json:"no_new_privs,omitempty"`
	Umask               string   `json:"umask,omitempty"` // octal, such as "0027"
}

// EnvVar is one variable of a child's environment. Exactly one of Value and
// SecretRef is set.
type EnvVar struct {
	Name      string  `json:"name"`
	Value     *string `json:"value,omitempty"`
	SecretRef string  `json:"secret_ref,omitempty"` // "${NAME}"
}

// Secret declares a secret that environment variables may refer to.
type Secret struct {
	Name     string `json:"name"`
	Key      string `json:"key"`
	Required bool   `json:"required"`
}

// Probe is the one handler of a health check or of readiness.
type Probe struct {
	Exec      []string   `json:"exec,omitempty"`
	HTTP      *HTTPProbe `json:"http,omitempty"`
	TCP       *TCPProbe  `json:"tcp,omitempty"`
	GRPC      *GRPCProbe `json:"grpc,omitempty"`
	Heartbeat bool       `json:"heartbeat,omitempty"`
	Notify    bool       `json:"notify,omitempty"`
	LogMatch  string     `json:"log_match,omitempty"`
}

// HTTPProbe asks a web server.
type HTTPProbe struct {
	Port       int               `json:"port,omitempty"`
	Path       string            `json:"path,omitempty"`
	Host       string            `json:"host,omitempty"`
	Scheme     string            `json:"scheme,omitempty"`
	Method     string            `json:"method,omitempty"`
	Headers    map[string]string `json:"headers,omitempty"`
	Status     string            `json:"status,omitempty"` // "200-399"
	BodyMatch  string            `json:"body_match,omitempty"`
	UnixSocket string            `json:"unix_socket,omitempty"`
}

// TCPProbe opens a connection.
type TCPProbe struct {
	Port int    `json:"port"`
	Host string `json:"host,omitempty"`
}

// GRPCProbe asks the standard health service.
type GRPCProbe struct {
	Port    int    `json:"port"`
	Host    string `json:"host,omitempty"`
	Service string `json:"service,omitempty"`
}

// HealthCheck is the liveness of a child.
type HealthCheck struct {
	CheckInterval Seconds `json:"check_interval_secs"`
	Timeout       Seconds `json:"timeout_secs"`
	MaxRetries    int     `json:"max_retries"`
	InitialDelay  Seconds `json:"initial_delay_secs"`
	Probe
}

// Readiness says when a child counts as ready.
type Readiness struct {
	CheckInterval    Seconds `json:"check_interval_secs"`
	Timeout          Seconds `json:"timeout_secs"`
	SuccessThreshold int     `json:"success_threshold"`
	FailureThreshold int     `json:"failure_threshold"`
	InitialDelay     Seconds `json:"initial_delay_secs"`
	Deadline         Seconds `json:"deadline_secs,omitempty"` // 0: none
	Probe
}

// ResourceLimits bound what a child may use; 0 means no limit.
type ResourceLimits struct {
	MaxMemoryMB        int64   `json:"max_memory_mb,omitempty"`
	MaxCPUPercent      float64 `json:"max_cpu_percent,omitempty"` // of one core
	MaxFileDescriptors int64   `json:"max_file_descriptors,omitempty"`
	MaxProcesses       int64   `json:"max_processes,omitempty"`
}

// Shutdown is how a child is stopped: Signal, then after GracefulTimeout
// SIGKILL to its whole tree, then after AbortWait it is reported as an orphan.
type Shutdown struct {
	Signal          string  `json:"signal"` // such as "SIGTERM"
	GracefulTimeout Seconds `json:"graceful_timeout_secs"`
	AbortWait       Seconds `json:"abort_wait_secs"`
}

// Backoff is how long a child rests before it is started again: Initial, then
// twice as long each time up to Max, spread by JitterRatio; an attempt that ran
// for ResetAfter begins at Initial again.
type Backoff struct {
	InitialDelay Millis  `json:"initial_delay_ms"`
	MaxDelay     Millis  `json:"max_delay_ms"`
	JitterRatio  float64 `json:"jitter_ratio"`
	ResetAfter   Seconds `json:"reset_after_secs"`
}

// RestartLimit is how many restarts a window of time may hold.
type RestartLimit struct {
	MaxRestarts int     `json:"max_restarts"`
	Window      Seconds `json:"window_secs"`
}

// FailureGroup is the children of one supervisor that carry a tag: they share a
// restart limit of their own. A child that carries several belongs to the first.
type FailureGroup struct {
	Tag          string       `json:"tag"`
	RestartLimit RestartLimit `json:"restart_limit"`
}

// CommandPermissions are what a child may ask of the runtime.
type CommandPermissions struct {
	AllowShutdown  bool     `json:"allow_shutdown"`
	AllowRestart   bool     `json:"allow_restart"`
	AllowedSignals []string `json:"allowed_signals,omitempty"`
}

// Logs bound the captured output of a child.
type Logs struct {
	MaxSizeMB  float64 `json:"max_size_mb"`
	MaxFiles   int     `json:"max_files"`
	Timestamps bool    `json:"timestamps,omitempty"`

	// WhenFull is empty for what every version before this field did: BlockOutput.
	WhenFull WhenFull `json:"when_full,omitempty"`
}

// WhenFull is what becomes of output while the disk of the log is full.
type WhenFull string

// The values of when_full.
const (
	BlockOutput WhenFull = "block" // it waits in a pipe, and then the child does
	DropOutput  WhenFull = "drop"  // it is dropped and counted
)

// Reload says which files a running child must be told about.
type Reload struct {
	Files  []string `json:"files"`
	Signal string   `json:"signal,omitempty"` // empty: restart
}

// Hooks are commands around an attempt; each is one command, split into words.
type Hooks struct {
	PreStart  [][]string `json:"pre_start,omitempty"`
	PostStart [][]string `json:"post_start,omitempty"`
	PreStop   [][]string `json:"pre_stop,omitempty"`
	PostStop  [][]string `json:"post_stop,omitempty"`
	Timeout   Seconds    `json:"timeout_secs"` // of each of them
}

// Origin says where a spec came from.
type Origin struct {
	File       string `json:"file,omitempty"` // relative to the manifests directory, with forward slashes
	Document   int    `json:"document,omitempty"`
	Hash       string `json:"hash,omitempty"`       // of the spec
	Generation uint64 `json:"generation,omitempty"` // counts the changes of the spec, from 1
	Revision   string `json:"revision,omitempty"`   // of the source, where it has one

	// ByRequest is true for a child that somebody put through the control socket:
	// no file declares it, and no plan removes it.
	ByRequest bool `json:"by_request,omitempty"`
}
