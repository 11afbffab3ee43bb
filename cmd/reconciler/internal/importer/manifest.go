package importer

import (
	"slices"

	"go.yaml.in/yaml/v3"
)

// Manifest is one child in the order in which people write manifests.
type Manifest struct {
	Name               string       `yaml:"name"`
	Command            []string     `yaml:"command,omitempty,flow"`
	WorkingDir         string       `yaml:"working_dir,omitempty"`
	RestartPolicy      string       `yaml:"restart_policy,omitempty"`
	Dependencies       []dependency `yaml:"dependencies,omitempty"`
	SuccessExitCodes   []int        `yaml:"success_exit_codes,omitempty,flow"`
	Suspend            bool         `yaml:"suspend,omitempty"`
	InheritEnvironment inherited    `yaml:"inherit_environment,omitempty,flow"`
	EnvFiles           []string     `yaml:"env_files,omitempty"`
	RunAs              *runAs       `yaml:"run_as,omitempty"`
	Environment        []variable   `yaml:"environment,omitempty"`
	HealthCheck        *probe       `yaml:"health_check,omitempty"`
	Readiness          *probe       `yaml:"readiness,omitempty"`
	ResourceLimits     *limits      `yaml:"resource_limits,omitempty"`
	Shutdown           *shutdown    `yaml:"shutdown,omitempty"`
	Backoff            *backoff     `yaml:"backoff,omitempty"`
	RestartLimit       *restarts    `yaml:"restart_limit,omitempty"`
	Logs               *logs        `yaml:"logs,omitempty"`
	Hooks              *hooks       `yaml:"hooks,omitempty"`
	Tags               []string     `yaml:"tags,omitempty,flow"`

	Folder string   `yaml:"-"` // "" is the root
	Source string   `yaml:"-"` // what it was made from: "supervisord.conf, [program:web]"
	About  string   `yaml:"-"` // what the source says of it
	Notes  []Note   `yaml:"-"`
	remove []string // top-level fields that did not pass the check
}

// Note says what could not be carried over, or must be looked at, and why.
type Note struct {
	Where  string // the manifest's id, or a place in the source; "" within a manifest
	Field  string // as the source calls it
	Reason string
}

// String is the note on one line.
func (n Note) String() string {
	text := n.Field + ": " + n.Reason
	if n.Where != "" {
		text = n.Where + ": " + text
	}
	return text
}

type dependency struct {
	Name      string `yaml:"name"`
	Condition string `yaml:"condition,omitempty"`
	Restart   bool   `yaml:"restart,omitempty"`
}

// inherited is a list of names, or everything.
type inherited []string

var everything = inherited{"*"} // no variable is called so

// MarshalYAML writes what a manifest says.
func (in inherited) MarshalYAML() (any, error) {
	if slices.Equal(in, everything) {
		return true, nil
	}
	return []string(in), nil
}

// inherit passes a variable to a child whose environment would be clean.
func (m *Manifest) inherit(name string) {
	switch {
	case m.RunAs == nil || m.RunAs.User == "":
		return
	case m.InheritEnvironment == nil:
		m.InheritEnvironment = inherited{"PATH", "LANG", "TZ"}
	}
	m.InheritEnvironment = append(m.InheritEnvironment, name)
}

type runAs struct {
	User                string   `yaml:"user,omitempty"`
	Group               string   `yaml:"group,omitempty"`
	SupplementaryGroups []string `yaml:"supplementary_groups,omitempty,flow"`
	NoNewPrivs          bool     `yaml:"no_new_privs,omitempty"`
	Umask               string   `yaml:"umask,omitempty"`
}

type variable struct {
	Name  string `yaml:"name"`
	Value string `yaml:"value"`
}

// probe is a health_check or a readiness; the fields of the other one stay unset.
type probe struct {
	CheckInterval    float64    `yaml:"check_interval_secs,omitempty"`
	Timeout          float64    `yaml:"timeout_secs,omitempty"`
	MaxRetries       int        `yaml:"max_retries,omitempty"`
	SuccessThreshold int        `yaml:"success_threshold,omitempty"`
	FailureThreshold int        `yaml:"failure_threshold,omitempty"`
	InitialDelay     float64    `yaml:"initial_delay_secs,omitempty"`
	Deadline         float64    `yaml:"deadline_secs,omitempty"`
	Exec             []string   `yaml:"exec,omitempty,flow"`
	HTTP             *httpProbe `yaml:"http,omitempty"`
	TCP              *tcpProbe  `yaml:"tcp,omitempty"`
	Heartbeat        bool       `yaml:"heartbeat,omitempty"`
	Notify           bool       `yaml:"notify,omitempty"`
	LogMatch         string     `yaml:"log_match,omitempty"`
}

type httpProbe struct {
	Port    int               `yaml:"port,omitempty"`
	Path    string            `yaml:"path,omitempty"`
	Host    string            `yaml:"host,omitempty"`
	Scheme  string            `yaml:"scheme,omitempty"`
	Headers map[string]string `yaml:"headers,omitempty"`
}

type tcpProbe struct {
	Port int    `yaml:"port"`
	Host string `yaml:"host,omitempty"`
}

type limits struct {
	MaxMemoryMB        int64   `yaml:"max_memory_mb,omitempty"`
	MaxCPUPercent      float64 `yaml:"max_cpu_percent,omitempty"`
	MaxFileDescriptors int64   `yaml:"max_file_descriptors,omitempty"`
	MaxProcesses       int64   `yaml:"max_processes,omitempty"`
}

type shutdown struct {
	Signal          string   `yaml:"signal,omitempty"`
	GracefulTimeout *float64 `yaml:"graceful_timeout_secs,omitempty"`
}

type backoff struct {
	InitialDelay *float64 `yaml:"initial_delay_ms,omitempty"`
	MaxDelay     *float64 `yaml:"max_delay_ms,omitempty"`
}

type restarts struct {
	MaxRestarts int     `yaml:"max_restarts"`
	Window      float64 `yaml:"window_secs"`
}

type logs struct {
	MaxSizeMB float64 `yaml:"max_size_mb,omitempty"`
	MaxFiles  int     `yaml:"max_files,omitempty"`
}

type hooks struct {
	PreStart  []command `yaml:"pre_start,omitempty"`
	PostStart []command `yaml:"post_start,omitempty"`
	PreStop   []command `yaml:"pre_stop,omitempty"`
	PostStop  []command `yaml:"post_stop,omitempty"`
}

// command is a list of words that is written on one line.
type command []string

// MarshalYAML is the list between brackets.
func (c command) MarshalYAML() (any, error) {
	var n yaml.Node
	if err := n.Encode([]string(c)); err != nil {
		return nil, err
	}
	n.Style = yaml.FlowStyle
	return &n, nil
}

// ID is the id of the child.
func (m *Manifest) ID() string {
	if m.Folder == "" {
		return m.Name
	}
	return m.Folder + "/" + m.Name
}

// File is where m stands below the directory of manifests.
func (m *Manifest) File() string { return m.ID() + ".yaml" }

func (m *Manifest) note(field, reason string) {
	m.Notes = append(m.Notes, Note{Field: field, Reason: reason})
}

func (m *Manifest) runAs() *runAs {
	if m.RunAs == nil {
		m.RunAs = &runAs{}
	}
	return m.RunAs
}

func (m *Manifest) shutdown() *shutdown {
	if m.Shutdown == nil {
		m.Shutdown = &shutdown{}
	}
	return m.Shutdown
}

func (m *Manifest) limits() *limits {
	if m.ResourceLimits == nil {
		m.ResourceLimits = &limits{}
	}
	return m.ResourceLimits
}

func (m *Manifest) logs() *logs {
	if m.Logs == nil {
		m.Logs = &logs{}
	}
	return m.Logs
}

func (m *Manifest) hooks() *hooks {
	if m.Hooks == nil {
		m.Hooks = &hooks{}
	}
	return m.Hooks
}

// setEnvironment adds a variable, in the place of an earlier one of its name.
func (m *Manifest) setEnvironment(name, value string) {
	for i := range m.Environment {
		if m.Environment[i].Name == name {
			m.Environment[i].Value = value
			return
		}
	}
	m.Environment = append(m.Environment, variable{name, value})
}
