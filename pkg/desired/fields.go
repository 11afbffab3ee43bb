package desired

import "github.com/reconciler-dev/reconciler/pkg/runtime/child"

// The types of this file are the one list of the manifest's fields. Everything
// else is read from their tags: which keys are known, what the JSON Schema says,
// which values are refused and what holds when a field is not written.
//
//	json        the key; child.Spec has a field of the same key
//	jsonschema  required, enum, default, minimum, maximum, minLength, maxLength, pattern, minItems
//	for         "worker" or "supervisor" where the other one may not have it
//	about       one line for people who write manifests
//	hint        what to do when pattern does not match
//
// A nil pointer, slice or map is a field that was not written.

// manifestFields is a decoded document as it was written.
type manifestFields struct {
	Name string      `json:"name" jsonschema:"required,minLength=1,maxLength=63,pattern=^[A-Za-z_][A-Za-z0-9_-]*$" hint:"begin with a letter or _, then use letters, digits, _ and - only" about:"What the child is called; its id is this name behind its folders."`
	Kind *child.Kind `json:"kind" jsonschema:"enum=async_worker,enum=blocking_worker,enum=supervisor,default=async_worker" about:"What runs it. A supervisor is a folder: it owns no process."`

	Command      command        `json:"command" jsonschema:"minItems=1" for:"worker" about:"The program and its arguments: a list, or one string that is split as a shell splits words (no shell runs). Without it, the executable named like the child."`
	Dependencies dependencyList `json:"dependencies" for:"worker" about:"Children that must have come so far before this one starts: names beside it, or ids."`
	WorkRole     *string        `json:"work_role" jsonschema:"enum=service,enum=worker,enum=job,enum=sidecar,enum=supervisor" about:"A pack of defaults; supervisor is the role of folders, the others are those of workers. Whatever is written wins."`
	SidecarOf    *string        `json:"sidecar_of" jsonschema:"minLength=1" for:"worker" about:"The child that a sidecar (work_role: sidecar) belongs to: a name beside it, or an id."`
	Suspend      *bool          `json:"suspend" jsonschema:"default=false" for:"worker" about:"Declared, but kept stopped."`
	Protect      *bool          `json:"protect" jsonschema:"default=false" for:"worker" about:"A vanished manifest does not remove the child; only the remove command does."`
	Schedule     *schedule      `json:"schedule" for:"worker" about:"When a job runs. Without it, once it is declared."`
	Deadline     *child.Seconds `json:"deadline_secs" jsonschema:"minimum=0.01" for:"worker" about:"How many seconds one attempt may run, for jobs. Then it is ended, and has failed (timed_out). Without it, for ever."`
	HealthCheck  *healthCheck   `json:"health_check" for:"worker" about:"Liveness: after max_retries failures in a row the attempt is replaced."`
	Readiness    *readiness     `json:"readiness" for:"worker" about:"When the child counts as ready. Without a handler: once it runs."`
	Reload       *reload        `json:"reload" for:"worker" about:"Files the running child must be told about."`
	Hooks        *hooks         `json:"hooks" for:"worker" about:"Commands around an attempt."`
	Tags         []string       `json:"tags" jsonschema:"minLength=1,maxLength=63,pattern=^[A-Za-z0-9_][A-Za-z0-9_./:=-]*$" hint:"begin with a letter, a digit or _, then use letters, digits and _ . / : = - only" about:"Words to select children by."`

	inheritable

	Strategy      *child.Strategy  `json:"strategy" jsonschema:"enum=one_for_one,enum=one_for_all,enum=rest_for_one,default=one_for_one" for:"supervisor" about:"Who else restarts when one child of the folder does."`
	FailureGroups failureGroupList `json:"failure_groups" jsonschema:"minItems=1" for:"supervisor" about:"Children that share a restart limit of their own, by tag; the restarts of one group use up nobody else's."`
	Defaults      *inheritable     `json:"defaults" for:"supervisor" about:"Inherited by all children of the folder and of the folders below that do not say otherwise; the nearest folder wins."`
}

// inheritable are the fields that a folder's defaults may set for its children:
// those that say how children run, not which and what. Sections are inherited
// field by field, environment and secrets name by name, other lists whole.
type inheritable struct {
	WorkingDir         *string              `json:"working_dir" jsonschema:"pattern=^[^~]" hint:"write an absolute path, or one that begins at the folder of the manifest" for:"worker" about:"The directory it starts in. A relative path begins at the folder of the manifest."`
	Criticality        *child.Criticality   `json:"criticality" jsonschema:"enum=optional,enum=critical,default=optional" for:"worker" about:"A critical child that cannot run degrades the whole runtime."`
	RestartPolicy      *child.RestartPolicy `json:"restart_policy" jsonschema:"enum=permanent,enum=transient,enum=temporary,default=permanent" for:"worker" about:"After which exits it is started again: permanent: all, transient: failures, temporary: none."`
	SuccessExitCodes   []int                `json:"success_exit_codes" jsonschema:"minItems=1,minimum=0,maximum=255" for:"worker" about:"Exit codes that mean success. Everything else, and every signal that was not asked for, is a failure. Default 0."`
	InheritEnvironment *inheritEnvironment  `json:"inherit_environment" for:"worker" about:"Which variables of the reconciler's environment it gets: true (all), false (none), or a list of names. Default true; with run_as.user a clean list: PATH, LANG, LANGUAGE, LC_* and TZ. Those of a service manager (NOTIFY_SOCKET, LISTEN_FDS …) and RECONCILER_* never pass."`
	EnvFiles           []string             `json:"env_files" jsonschema:"pattern=^[^~]" hint:"write absolute paths, or such that begin at the folder of the manifest" for:"worker" about:"Files of KEY=value lines. Relative paths begin at the folder of the manifest."`
	RunAs              *runAs               `json:"run_as" for:"worker" about:"The identity of its processes."`
	Environment        environment          `json:"environment" for:"worker" about:"Variables of its environment."`
	Secrets            secretList           `json:"secrets" for:"worker" about:"Secrets that environment variables may refer to."`
	ResourceLimits     *resourceLimits      `json:"resource_limits" for:"worker" about:"What it may use."`
	Shutdown           *shutdown            `json:"shutdown" for:"worker" about:"How it is stopped: signal, then SIGKILL to its whole tree."`
	Backoff            *backoff             `json:"backoff" about:"How long it rests before it is started again; the rest doubles each time. A supervisor's is its own, for when it failed as a whole."`
	RestartLimit       *restartLimit        `json:"restart_limit" about:"How many restarts a window of time may hold; beyond it a child is quarantined, a supervisor fails upward. None by default."`
	CommandPermissions *commandPermissions  `json:"command_permissions" for:"worker" about:"What the child may ask of the runtime."`
	Logs               *logs                `json:"logs" for:"worker" about:"Bounds of its captured output."`
}

type dependency struct {
	Name      string           `json:"name" jsonschema:"required" about:"A name beside the child, or an id such as payments/db."`
	Condition *child.Condition `json:"condition" jsonschema:"enum=started,enum=ready,enum=completed,default=ready" about:"How far it must have come."`
	Restart   *bool            `json:"restart" jsonschema:"default=false" about:"Restart this child after that one was restarted."`
}

type failureGroup struct {
	Tag          string        `json:"tag" jsonschema:"required,minLength=1,maxLength=63,pattern=^[A-Za-z0-9_][A-Za-z0-9_./:=-]*$" hint:"write one of the children's tags" about:"The children of the folder that carry this tag. A child that carries several belongs to the first, by alphabet."`
	RestartLimit *restartLimit `json:"restart_limit" jsonschema:"required" about:"How many restarts of the group a window of time may hold; beyond it, the group is quarantined."`
}

type runAs struct {
	User                *account  `json:"user" about:"A name or a number. It has the group and the supplementary groups of that user, and HOME, USER, LOGNAME and SHELL."`
	Group               *account  `json:"group" about:"A name or a number, instead of the user's own group; needed for the number of a user that this machine does not know."`
	SupplementaryGroups []account `json:"supplementary_groups" about:"Names or numbers, besides the groups that the user has."`
	NoNewPrivs          *bool     `json:"no_new_privs" jsonschema:"default=false" about:"Its processes can gain no privileges, not even by a set-user-id program."`
	Umask               *string   `json:"umask" jsonschema:"pattern=^0?[0-7][0-7][0-7]$" hint:"write an octal number in quotes, such as \"0027\"" about:"An octal number in quotes."`
}

type envVar struct {
	Name      string  `json:"name" jsonschema:"required,minLength=1,pattern=^[A-Za-z_.-][A-Za-z0-9_.-]*$" hint:"use letters, digits and _ . - only, and no digit first" about:"The variable."`
	Value     *string `json:"value" jsonschema:"oneof_required=value" about:"Its value. Exactly one of value and secret_ref is set."`
	SecretRef *string `json:"secret_ref" jsonschema:"oneof_required=secret_ref,pattern=^\\$\\{[A-Za-z_][A-Za-z0-9_]*\\}$" hint:"write ${NAME}, where NAME is declared under secrets" about:"A declared secret, as ${NAME}."`
}

type secret struct {
	Name     string `json:"name" jsonschema:"required,minLength=1,pattern=^[A-Za-z_][A-Za-z0-9_]*$" hint:"begin with a letter or _, then use letters, digits and _ only" about:"What secret_ref calls it."`
	Key      string `json:"key" jsonschema:"required,minLength=1" about:"Its file, as a path below the directory of run --secrets."`
	Required *bool  `json:"required" jsonschema:"default=true" about:"Without it the child does not start. false: without it the variable is not set."`
}

// handlers are the ways to probe that liveness and readiness share.
type handlers struct {
	Exec command    `json:"exec" jsonschema:"minItems=1" about:"A command that exits with 0."`
	HTTP *httpProbe `json:"http" about:"A web server that answers well."`
	TCP  *tcpProbe  `json:"tcp" about:"A port that accepts a connection."`
	GRPC *grpcProbe `json:"grpc" about:"The standard gRPC health service."`
}

type httpProbe struct {
	Port       *int              `json:"port" jsonschema:"minimum=1,maximum=65535" about:"Its port; without unix_socket it is required."`
	Path       *string           `json:"path" jsonschema:"pattern=^/,default=/" hint:"begin it with /" about:"The path of the request."`
	Host       *string           `json:"host" jsonschema:"minLength=1,default=127.0.0.1" about:"Where it listens."`
	Scheme     *string           `json:"scheme" jsonschema:"enum=http,enum=https,default=http" about:"http or https."`
	Method     *string           `json:"method" jsonschema:"enum=GET,enum=HEAD,enum=POST,enum=PUT,enum=OPTIONS,default=GET" about:"The method of the request."`
	Headers    map[string]string `json:"headers" about:"Headers of the request."`
	Status     *string           `json:"status" jsonschema:"minLength=1,default=200-399" about:"Statuses that are well: codes and ranges, such as 200-299 or 200\\,204."`
	BodyMatch  *string           `json:"body_match" jsonschema:"minLength=1,maxLength=4096,format=regex" about:"A regular expression that the body must match."`
	UnixSocket *string           `json:"unix_socket" jsonschema:"pattern=^/" hint:"write an absolute path" about:"Ask through this socket instead of a port."`
}

type tcpProbe struct {
	Port int     `json:"port" jsonschema:"required,minimum=1,maximum=65535" about:"Its port."`
	Host *string `json:"host" jsonschema:"minLength=1,default=127.0.0.1" about:"Where it listens."`
}

type grpcProbe struct {
	Port    int     `json:"port" jsonschema:"required,minimum=1,maximum=65535" about:"Its port."`
	Host    *string `json:"host" jsonschema:"minLength=1,default=127.0.0.1" about:"Where it listens."`
	Service *string `json:"service" about:"The service to ask for; without it, the server as a whole."`
}

type healthCheck struct {
	CheckInterval *child.Seconds `json:"check_interval_secs" jsonschema:"minimum=0.01,default=10" about:"Seconds between checks."`
	Timeout       *child.Seconds `json:"timeout_secs" jsonschema:"minimum=0.01,default=5" about:"Seconds until a check without an answer has failed."`
	MaxRetries    *int           `json:"max_retries" jsonschema:"minimum=1,maximum=1000000,default=3" about:"Failures in a row until the attempt is replaced."`
	InitialDelay  *child.Seconds `json:"initial_delay_secs" jsonschema:"minimum=0,default=0" about:"Seconds until the first check."`
	handlers
	Heartbeat *bool `json:"heartbeat" about:"Count missing WATCHDOG=1 messages."`
}

type readiness struct {
	CheckInterval    *child.Seconds `json:"check_interval_secs" jsonschema:"minimum=0.01,default=5" about:"Seconds between checks."`
	Timeout          *child.Seconds `json:"timeout_secs" jsonschema:"minimum=0.01,default=3" about:"Seconds until a check without an answer has failed."`
	SuccessThreshold *int           `json:"success_threshold" jsonschema:"minimum=1,maximum=1000000,default=1" about:"Successes in a row until it is ready."`
	FailureThreshold *int           `json:"failure_threshold" jsonschema:"minimum=1,maximum=1000000,default=1" about:"Failures in a row until it is not ready."`
	InitialDelay     *child.Seconds `json:"initial_delay_secs" jsonschema:"minimum=0,default=0" about:"Seconds until the first check."`
	Deadline         *child.Seconds `json:"deadline_secs" jsonschema:"minimum=0.01" about:"Not ready by then: the attempt failed. None by default."`
	handlers
	Notify   *bool   `json:"notify" about:"Wait for READY=1."`
	LogMatch *string `json:"log_match" jsonschema:"minLength=1,maxLength=4096,format=regex" about:"A regular expression that a line of its output must match; a line without an end, such as a prompt, counts once nothing has followed it for half a second."`
}

type resourceLimits struct {
	MaxMemoryMB        *int64   `json:"max_memory_mb" jsonschema:"minimum=1,maximum=1073741824" about:"Memory of its whole tree, in MiB."`
	MaxCPUPercent      *float64 `json:"max_cpu_percent" jsonschema:"minimum=0.1,maximum=1000000" about:"Processor time, in percent of one core."`
	MaxFileDescriptors *int64   `json:"max_file_descriptors" jsonschema:"minimum=1,maximum=1073741824" about:"Open files of one process."`
	MaxProcesses       *int64   `json:"max_processes" jsonschema:"minimum=1,maximum=4194304" about:"Processes and threads of its whole tree."`
}

type shutdown struct {
	Signal          *signal        `json:"signal" jsonschema:"default=SIGTERM" about:"What asks it to end; it goes to the process group of the main process. What has left that group is ended by SIGKILL with the rest of the tree. SIGRTMIN+3 and its like, up to SIGRTMIN+30 (or SIGRTMAX-n), have glibc's numbers, 34 to 64."`
	GracefulTimeout *child.Seconds `json:"graceful_timeout_secs" jsonschema:"minimum=0,default=5" about:"Seconds from the signal to SIGKILL."`
	AbortWait       *child.Seconds `json:"abort_wait_secs" jsonschema:"minimum=0,default=1" about:"Seconds from SIGKILL until it is reported as an orphan."`
}

type backoff struct {
	InitialDelay *child.Millis  `json:"initial_delay_ms" jsonschema:"minimum=0,default=10" about:"Milliseconds of the first rest; 0: it never rests."`
	MaxDelay     *child.Millis  `json:"max_delay_ms" jsonschema:"minimum=0,default=60000" about:"Milliseconds of the longest rest."`
	JitterRatio  *float64       `json:"jitter_ratio" jsonschema:"minimum=0,maximum=1,default=0.2" about:"How far chance spreads a rest, from 0 to 1."`
	ResetAfter   *child.Seconds `json:"reset_after_secs" jsonschema:"minimum=0,default=30" about:"An attempt that ran so many seconds begins at the first rest again."`
}

type restartLimit struct {
	MaxRestarts *int           `json:"max_restarts" jsonschema:"minimum=1,maximum=1000000,default=10" about:"Restarts that the window may hold."`
	Window      *child.Seconds `json:"window_secs" jsonschema:"minimum=0.01,default=60" about:"Seconds of the window."`
}

type commandPermissions struct {
	AllowShutdown  *bool    `json:"allow_shutdown" jsonschema:"default=false" about:"It may ask to shut the whole tree down."`
	AllowRestart   *bool    `json:"allow_restart" jsonschema:"default=false" about:"It may ask to be restarted."`
	AllowedSignals []signal `json:"allowed_signals" about:"Signals that it may ask to be sent."`
}

type logs struct {
	MaxSizeMB  *float64 `json:"max_size_mb" jsonschema:"minimum=0.001,maximum=1048576,default=10" about:"Size at which a file is rotated, in MiB."`
	MaxFiles   *int     `json:"max_files" jsonschema:"minimum=1,maximum=10000,default=5" about:"Files that are kept."`
	Timestamps *bool    `json:"timestamps" jsonschema:"default=false" about:"Put the time before each line."`

	WhenFull *child.WhenFull `json:"when_full" jsonschema:"enum=block,enum=drop,default=block" about:"What becomes of output while the disk of the log is full. block: it waits, and with it the child, once a pipe of 64 KiB is full too. drop: it is dropped, the log says where and how much, and the child goes on. Counts from the next start of the child."`
}

type reload struct {
	Files  []string `json:"files" jsonschema:"required,minItems=1,pattern=^[^~]" hint:"write absolute paths, or such that begin at the folder of the manifest" about:"Files that are watched, by content; folders, which stand for the files directly in them, and patterns in the last name, such as /etc/nginx/*.conf. Hidden files, and those that end with ~, do not count. What is being written is read when it is closed and quiet. Relative paths begin at the folder of the manifest."`
	Signal *signal  `json:"signal" about:"What tells it; without it, a restart."`
}

type hooks struct {
	PreStart  []command `json:"pre_start" about:"Before its process starts. If one fails, the start has failed."`
	PostStart []command `json:"post_start" about:"After its process has started. It is ready when they are done; if one fails, it is replaced."`
	PreStop   []command `json:"pre_stop" about:"Before it is asked to end, within its grace."`
	PostStop  []command `json:"post_stop" about:"After its process has ended, before it is started again. SERVICE_RESULT, EXIT_CODE and EXIT_STATUS tell how, as systemd's do."`

	Timeout *child.Seconds `json:"timeout_secs" jsonschema:"minimum=0.01,default=60" about:"How long each hook may take. Then it is killed, and has failed."`
}
