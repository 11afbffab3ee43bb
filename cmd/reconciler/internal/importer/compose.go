package importer

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

func readCompose(r *Result, files []File) error {
	for _, f := range files {
		top, err := parseYAML(f)
		if err != nil {
			return err
		}
		if !top.left["services"] {
			return fmt.Errorf("read %s: it has no services: is it a file of Docker Compose?", f.Name)
		}
		c := composeFile{result: r, file: f, project: top.text("name")}
		top.each("services", func(name string, s *section) { c.service(name, s) })
		for _, key := range top.rest() {
			if key != "version" && !strings.HasPrefix(key, "x-") {
				r.note(f.Name, key, or(composeTop[key], "it is of Docker"))
			}
		}
	}
	return nil
}

var composeTop = map[string]string{
	"include":  "included files are not followed: name them on the command line too",
	"networks": "children share the network of the host",
	"volumes":  "children see the file system of the host",
	"secrets":  "nothing was copied: name a file under env_files, or declare secrets in the manifests",
	"configs":  "children read files of the host",
}

// composeFile is one file of Docker Compose while it is read.
type composeFile struct {
	result  *Result
	file    File
	project string
}

// composeLeft are keys that are told with a reason; "" means: not told.
var composeLeft = map[string]string{
	"ports": "it listens on the host itself: check that its ports do not clash", "expose": "",
	"volumes": "it sees the file system of the host: check the paths", "volumes_from": "it sees the file system of the host",
	"networks": "children share the network of the host: other services are at localhost", "network_mode": "", "links": "other services are at localhost",
	"container_name": "", "hostname": "", "init": "", "stdin_open": "", "tty": "there is no terminal", "pull_policy": "", "platform": "", "labels": "",
	"secrets": "nothing was copied: name a file under env_files, or declare secrets in the manifest",
	"configs": "put the file where the child reads it",
	"cap_add": "there is no sandbox here", "cap_drop": "there is no sandbox here", "privileged": "there is no sandbox here",
	"read_only": "there is no sandbox here", "security_opt": "there is no sandbox here", "extends": "it was not followed: write out what it extends",
	"develop": "", "annotations": "",
}

func (c composeFile) service(name string, s *section) {
	where := fmt.Sprintf("%s, services.%s", c.file.Name, name)
	m := &Manifest{Name: name, Source: where}
	image, build := s.text("image"), s.get("build")
	if !c.command(m, s) {
		c.result.note(where, or(image, "build"), "without a command it needs its image, and there are no containers here: it was left out")
		return
	}
	if image != "" || build != nil {
		m.note(or(image, "build"), "its command ran in this image: the program and its files must be on this host")
	}
	m.WorkingDir = c.plain(m, "working_dir", s.text("working_dir"))
	c.restarts(m, s)
	c.dependencies(m, s.get("depends_on"))
	c.identity(m, s)
	m.environment(s.get("environment"))
	c.variables(m)
	c.envFiles(m, s.get("env_file"))
	c.health(m, s)
	c.stop(m, s)
	c.limits(m, s)
	c.logging(m, s.sub("logging"))
	m.Tags = s.list("profiles")
	if len(m.Tags) > 0 {
		m.note("profiles", "they became tags: the child runs whatever the profile")
	}
	for _, key := range s.rest() {
		if !strings.HasPrefix(key, "x-") {
			noteLeft(m, key, composeLeft)
		}
	}
	c.result.Manifests = append(c.result.Manifests, m)
}

// command is the entrypoint with the command behind it, as Docker joins them.
func (c composeFile) command(m *Manifest, s *section) bool {
	var all []string
	for _, key := range []string{"entrypoint", "command"} {
		switch v := s.get(key).(type) {
		case string:
			w, err := words(marked(v))
			if err != nil {
				m.note(key, fmt.Sprintf("%q cannot be split into words", v))
				continue
			}
			all = append(all, w...)
		case []any:
			for _, word := range list(v) {
				all = append(all, marked(word))
			}
		}
	}
	if len(all) == 0 {
		return false
	}
	if hasVariables(all) {
		m.note("command", "compose fills its variables in from the shell and .env; here a shell does, from the environment of the child")
		all = withVariables(all)
	}
	m.Command = all
	return true
}

// composeVariable is what compose interpolates: $NAME, ${NAME}, ${NAME:-default}.
var composeVariable = regexp.MustCompile(`\$\$|\$(\{[A-Za-z_][A-Za-z0-9_]*(?:(:?[-?+])([^}]*))?\}|[A-Za-z_][A-Za-z0-9_]*)`)

// marked marks the variables; $$ is a dollar sign.
func marked(s string) string {
	return composeVariable.ReplaceAllStringFunc(s, func(v string) string {
		if v == "$$" {
			return "$"
		}
		if v[1] != '{' {
			v = "${" + v[1:] + "}" // one word, unlike a shell's
		}
		return mark + v[1:]
	})
}

// plain is a value outside of the command: a variable becomes its default, and is
// left out where it has none.
func (c composeFile) plain(m *Manifest, key, s string) string {
	return composeVariable.ReplaceAllStringFunc(s, func(v string) string {
		if v == "$$" {
			return "$"
		}
		parts := composeVariable.FindStringSubmatch(v)
		if parts[2] == "-" || parts[2] == ":-" {
			m.note(key, v+" became its default")
			return parts[3]
		}
		m.note(key, v+" is filled in by compose from the shell and .env: write the value")
		return ""
	})
}

// variables fills in what has a default. A variable that only the shell or .env
// knows is inherited from where reconciler was started.
func (c composeFile) variables(m *Manifest) {
	m.Environment = slices.DeleteFunc(m.Environment, func(v variable) bool {
		for _, parts := range composeVariable.FindAllStringSubmatch(v.Value, -1) {
			if parts[0] != "$$" && parts[2] != "-" && parts[2] != ":-" {
				m.inherit(v.Name)
				m.note("environment "+v.Name, parts[0]+" is filled in by compose from the shell and .env: set "+v.Name+" where reconciler is started, or in a file of env_files")
				return true
			}
		}
		return false
	})
	for i := range m.Environment {
		v := &m.Environment[i]
		v.Value = c.plain(m, "environment "+v.Name, v.Value)
	}
}

// restarts: without restart, compose starts nothing again.
func (c composeFile) restarts(m *Manifest, s *section) {
	restart := s.text("restart")
	policy := s.sub("deploy").sub("restart_policy")
	if condition := policy.text("condition"); condition != "" {
		restart = map[string]string{"any": "always", "none": "no"}[condition]
		if condition == "on-failure" {
			restart = condition
		}
	}
	name, tries, _ := strings.Cut(restart, ":")
	switch name {
	case "always", "unless-stopped":
		m.RestartPolicy = "permanent"
	case "on-failure":
		m.RestartPolicy = "transient"
		if tries != "" {
			m.note("restart", restart+": it is started again without an end; restart_limit gives up after so many restarts in a time")
		}
	default:
		m.RestartPolicy = "temporary"
	}
}

func (c composeFile) dependencies(m *Manifest, v any) {
	for _, name := range list(v) {
		m.Dependencies = append(m.Dependencies, dependency{Name: name, Condition: "started"})
	}
	conditions, _ := v.(map[string]any)
	newSection(map[string]any{"": conditions}).each("", func(name string, s *section) {
		d := dependency{Name: name, Restart: s.flag("restart")}
		switch s.text("condition") {
		case "service_healthy":
		case "service_completed_successfully":
			d.Condition = "completed"
		default:
			d.Condition = "started"
		}
		m.Dependencies = append(m.Dependencies, d)
	})
}

func (c composeFile) identity(m *Manifest, s *section) {
	if user, group, _ := strings.Cut(c.plain(m, "user", s.text("user")), ":"); user != "" {
		m.runAs().User, m.runAs().Group = user, group
		m.note("user", "in a container this user may have been another one than on this host")
	}
	if groups := s.list("group_add"); len(groups) > 0 {
		m.runAs().SupplementaryGroups = groups
	}
}

func (c composeFile) envFiles(m *Manifest, v any) {
	all, isList := v.([]any)
	if !isList {
		all = []any{v}
	}
	for _, e := range all {
		path := text(e)
		if long, ok := e.(map[string]any); ok {
			path = text(long["path"])
			if text(long["required"]) == "false" {
				m.note("env_file", path+" may be missing for compose; the child does not start without it")
			}
		}
		if path = c.plain(m, "env_file", path); path != "" {
			m.EnvFiles = append(m.EnvFiles, absolute(c.file.dir(), path))
		}
	}
}

// health: compose calls a service healthy, and waits for that, by the same check.
func (c composeFile) health(m *Manifest, s *section) {
	h := s.sub("healthcheck")
	test := list(h.get("test"))
	if _, isText := h.values["test"].(string); isText {
		test = append([]string{"CMD-SHELL"}, test...)
	}
	if len(test) < 2 || test[0] == "NONE" || h.flag("disable") {
		return
	}
	p := probe{Exec: test[1:], CheckInterval: 30, Timeout: 30, MaxRetries: 3}
	if test[0] == "CMD-SHELL" {
		p.Exec = shellCommand(strings.ReplaceAll(test[1], "$$", "$"))
	} else if test[0] != "CMD" {
		p.Exec = test
	}
	c.span(m, h, "interval", &p.CheckInterval)
	c.span(m, h, "timeout", &p.Timeout)
	c.span(m, h, "start_period", &p.InitialDelay)
	if n := h.number("retries"); n >= 1 && n <= 1_000_000 {
		p.MaxRetries = int(n)
	}
	ready := p
	ready.MaxRetries, ready.FailureThreshold, ready.InitialDelay = 0, p.MaxRetries, 0
	m.Readiness = &ready
	m.note("healthcheck", "it became readiness: compose only reports an unhealthy service; under health_check the child is replaced too")
}

// span reads a duration such as 1m30s into seconds.
func (c composeFile) span(m *Manifest, s *section, key string, to *float64) {
	value := s.text(key)
	if value == "" {
		return
	}
	d, err := time.ParseDuration(value)
	if err != nil || d < 0 {
		m.note(key, fmt.Sprintf("%q is no duration", value))
		return
	}
	*to = d.Seconds()
}

// stop: compose waits for ten seconds.
func (c composeFile) stop(m *Manifest, s *section) {
	grace := 10.0
	c.span(m, s, "stop_grace_period", &grace)
	m.shutdown().GracefulTimeout = &grace
	m.shutdown().Signal = signalName(s.text("stop_signal"))
}

func (c composeFile) limits(m *Manifest, s *section) {
	deploy := s.sub("deploy")
	at := deploy.sub("resources").sub("limits")
	for _, v := range []struct{ key, value string }{{"mem_limit", s.text("mem_limit")}, {"deploy.resources.limits.memory", at.text("memory")}} {
		if v.value != "" {
			m.memory(v.key, v.value)
		}
	}
	if cpus := max(s.number("cpus"), at.number("cpus")); cpus > 0 {
		m.limits().MaxCPUPercent = cpus * 100
	}
	if pids := max(s.number("pids_limit"), at.number("pids")); pids > 0 && pids < 1<<31 {
		m.limits().MaxProcesses = int64(pids)
	}
	limits := s.sub("ulimits")
	if files := max(limits.number("nofile"), limits.sub("nofile").number("hard")); files > 0 && files < 1<<31 {
		m.limits().MaxFileDescriptors = int64(files)
	}
	if n := max(deploy.number("replicas"), s.number("scale")); n > 1 {
		m.note("replicas", fmt.Sprintf("%v: a manifest is one process; copy it under other names", n))
	}
	rest := slices.DeleteFunc(limits.rest(), func(key string) bool { return key == "nofile" })
	if len(rest) > 0 {
		m.note("ulimits", strings.Join(rest, ", ")+": there are no such limits here")
	}
}

func (c composeFile) logging(m *Manifest, s *section) {
	if driver := s.text("driver"); driver != "" && driver != "json-file" && driver != "local" {
		m.note("logging", driver+": output is kept in the state directory: see `reconciler logs`")
	}
	o := s.sub("options")
	if n, ok := bytesOf(o.text("max-size")); ok && n > 0 {
		m.logs().MaxSizeMB = max(float64(n)/(1<<20), 0.001)
	}
	if n, err := strconv.Atoi(o.text("max-file")); err == nil {
		m.logs().MaxFiles = n
	}
}
