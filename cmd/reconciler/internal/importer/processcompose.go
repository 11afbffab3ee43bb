package importer

import (
	"fmt"
	"math"
	"regexp"
	"strconv"
	"strings"
)

func readProcessCompose(r *Result, files []File) error {
	for _, f := range files {
		top, err := parseYAML(f)
		if err != nil {
			return err
		}
		if !top.left["processes"] {
			return fmt.Errorf("read %s: it has no processes: is it a file of process-compose?", f.Name)
		}
		c := processCompose{result: r, file: f, global: top.get("environment"), shell: []string{"bash", "-c"}}
		if shell := top.sub("shell"); shell.text("shell_command") != "" {
			c.shell = []string{shell.text("shell_command"), or(shell.text("shell_argument"), "-c")}
		}
		top.each("processes", func(name string, s *section) { c.process(name, s) })
		for _, key := range top.rest() {
			if reason, known := processComposeTop[key]; !known || reason != "" {
				r.note(f.Name, key, or(reason, "it is of process-compose"))
			}
		}
	}
	return nil
}

var processComposeTop = map[string]string{
	"version": "", "log_level": "", "log_length": "", "is_strict": "", "is_tui_disabled": "", "disable_env_expansion": "", "ordered_shutdown": "",
	"log_location": "output is kept in the state directory: see `reconciler logs`", "log_configuration": "output is kept in the state directory: see `reconciler logs`",
	"vars":     "templates are not filled in: write the values",
	"env_cmds": "values of the environment are not made by commands: set them where reconciler is started, or under env_files",
	"extends":  "it was not followed: name the other file on the command line too",
}

// processCompose is one file of process-compose while it is read.
type processCompose struct {
	result *Result
	file   File
	global any
	shell  []string
}

var processComposeLeft = map[string]string{
	"description": "", "namespace": "", "is_foreground": "", "disable_ansi_colors": "", "is_disabled": "",
	"is_tty": "there is no terminal", "is_elevated": "see run_as", "vars": "templates are not filled in: write the values",
	"log_location":           "output is kept in the state directory: see `reconciler logs`",
	"log_configuration":      "output is kept in the state directory: see `reconciler logs`",
	"disable_dot_env":        "",
	"is_dotenv_disabled":     "",
	"launch_timeout_seconds": "it is about daemons",
	"schedule":               "it is not started by the clock",
	"watch":                  "it is not restarted when a file changes: see the field reload",
}

func (c processCompose) process(name string, s *section) {
	m := &Manifest{Name: name, Source: fmt.Sprintf("%s, processes.%s", c.file.Name, name), About: s.text("description")}
	if entrypoint := s.list("entrypoint"); len(entrypoint) > 0 {
		m.Command = entrypoint
	} else if command := s.text("command"); command != "" {
		if m.Command = shellCommand(command); m.Command[0] == "sh" && len(m.Command) == 3 && m.Command[2] == strings.TrimSpace(command) {
			m.Command = []string{c.shell[0], c.shell[1], strings.TrimSpace(command)}
		}
	}
	if strings.Contains(strings.Join(m.Command, " "), "{{") {
		m.note("command", "templates are not filled in: write the values")
	}
	m.WorkingDir = absolute(c.file.dir(), or(s.text("working_dir"), "."))
	m.environment(c.global)
	m.environment(s.get("environment"))
	if file := s.text("env_file"); file != "" {
		m.EnvFiles = []string{absolute(c.file.dir(), file)}
	}
	if namespace := s.text("namespace"); namespace != "" {
		m.Tags = []string{namespace}
	}
	if s.flag("disabled") {
		m.Suspend = true
		m.note("disabled", "true became suspend: true; to start it, take that line out")
	}
	if s.flag("is_daemon") {
		m.note("is_daemon", "a child must stay in the foreground")
	}
	if n := s.number("replicas"); n > 1 {
		m.note("replicas", fmt.Sprintf("%v: a manifest is one process; copy it under other names", n))
	}
	c.availability(m, s.sub("availability"))
	c.dependencies(m, s)
	c.shutdown(m, s.sub("shutdown"))
	if p := c.probe(m, "readiness_probe", s.sub("readiness_probe")); p != nil {
		p.MaxRetries = 0
		m.Readiness = p
	} else if line := s.text("ready_log_line"); line != "" {
		m.Readiness = &probe{LogMatch: regexp.QuoteMeta(line)}
	}
	if p := c.probe(m, "liveness_probe", s.sub("liveness_probe")); p != nil {
		p.SuccessThreshold, p.FailureThreshold = 0, 0
		m.HealthCheck = p
	}
	s.noteRest(m, processComposeLeft)
	c.result.Manifests = append(c.result.Manifests, m)
}

// availability: without a word, process-compose starts nothing again.
func (c processCompose) availability(m *Manifest, s *section) {
	switch restart := or(s.text("restart"), "no"); restart {
	case "always":
		m.RestartPolicy = "permanent"
	case "on_failure":
		m.RestartPolicy = "transient"
	case "exit_on_failure":
		m.RestartPolicy = "temporary"
		m.note("availability.restart", "exit_on_failure: the end of one child ends no other")
	default:
		m.RestartPolicy = "temporary"
	}
	if rest := s.number("backoff_seconds"); rest > 0 {
		m.Backoff = &backoff{InitialDelay: ptr(rest * 1000), MaxDelay: ptr(rest * 1000)}
	}
	if n := s.number("max_restarts"); n >= 1 {
		m.note("availability.max_restarts", fmt.Sprintf("%v: restarts are counted within a time here: see restart_limit", n))
	}
	if s.flag("exit_on_end") || s.flag("exit_on_skipped") {
		m.note("availability.exit_on_end", "the end of one child ends no other")
	}
}

func (c processCompose) dependencies(m *Manifest, s *section) {
	s.each("depends_on", func(name string, on *section) {
		d := dependency{Name: name}
		switch condition := on.text("condition"); condition {
		case "process_healthy", "process_log_ready":
		case "process_completed_successfully":
			d.Condition = "completed"
		case "process_completed":
			d.Condition = "completed"
			m.note("depends_on "+name, "process_completed: it must end well now")
		default:
			d.Condition = "started"
		}
		m.Dependencies = append(m.Dependencies, d)
	})
}

func (c processCompose) shutdown(m *Manifest, s *section) {
	grace := or(s.text("timeout_seconds"), "10")
	if n, err := strconv.ParseFloat(grace, 64); err == nil {
		m.shutdown().GracefulTimeout = &n
	}
	m.shutdown().Signal = signalName(s.text("signal"))
	if line := s.text("command"); line != "" {
		m.hooks().PreStop = []command{shellCommand(line)}
	}
	if s.flag("parent_only") {
		m.note("shutdown.parent_only", "the whole process tree is stopped all the same")
	}
}

// probe reads a probe; its defaults are those of Kubernetes.
func (c processCompose) probe(m *Manifest, key string, s *section) *probe {
	if len(s.values) == 0 {
		return nil
	}
	p := &probe{
		InitialDelay: s.number("initial_delay_seconds"), CheckInterval: orNumber(s.number("period_seconds"), 10),
		Timeout: orNumber(s.number("timeout_seconds"), 1), SuccessThreshold: whole(s.number("success_threshold"), 1),
		FailureThreshold: whole(s.number("failure_threshold"), 3),
	}
	p.MaxRetries = p.FailureThreshold
	if command := s.sub("exec").text("command"); command != "" {
		p.Exec = shellCommand(command)
		return p
	}
	get := s.sub("http_get")
	port, err := strconv.Atoi(get.text("port"))
	if err != nil {
		m.note(key, "it has no exec.command and no http_get.port that is a number")
		return nil
	}
	p.HTTP = &httpProbe{Port: port, Path: get.text("path"), Host: get.text("host"), Scheme: strings.ToLower(get.text("scheme"))}
	return p
}

func orNumber(n, otherwise float64) float64 {
	if n <= 0 {
		return otherwise
	}
	return n
}

// whole is n where a manifest may count so far.
func whole(n float64, otherwise int) int {
	if n < 1 || n > 1_000_000 || n != math.Trunc(n) {
		return otherwise
	}
	return int(n)
}
