package importer

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"gopkg.in/ini.v1"
)

func readSupervisord(r *Result, files []File) error {
	for _, f := range files {
		if err := readSupervisordFile(r, f); err != nil {
			return err
		}
	}
	return nil
}

func readSupervisordFile(r *Result, f File) error {
	cfg, err := ini.LoadSources(ini.LoadOptions{
		AllowPythonMultilineValues: true, SpaceBeforeInlineComment: true, PreserveSurroundedQuote: true,
		KeyValueDelimiters: "=:", AllowBooleanKeys: true,
	}, f.Text)
	if err != nil {
		return fmt.Errorf("read %s: %w", f.Name, err)
	}
	s := supervisord{result: r, file: f, group: map[string]string{}}
	for _, sec := range cfg.Sections() {
		if kind, name, ok := strings.Cut(sec.Name(), ":"); ok && kind == "group" {
			for member := range strings.SplitSeq(sec.Key("programs").Value(), ",") {
				s.group[strings.TrimSpace(member)] = name
			}
		} else if sec.Name() == "supervisord" {
			s.global = keysOf(sec)
		}
	}
	for _, sec := range cfg.Sections() {
		s.section(sec.Name(), keysOf(sec))
	}
	return nil
}

// keysOf are the values of a section as they were written.
func keysOf(sec *ini.Section) map[string]string {
	keys := map[string]string{}
	for _, k := range sec.Keys() {
		keys[strings.TrimSpace(k.Name())] = k.Value()
	}
	return keys
}

// supervisord is one file of supervisord while it is read.
type supervisord struct {
	result *Result
	file   File
	group  map[string]string // of each program
	global map[string]string // [supervisord]
}

func (s *supervisord) section(name string, keys map[string]string) {
	where := fmt.Sprintf("%s, [%s]", s.file.Name, name)
	kind, program, _ := strings.Cut(name, ":")
	switch kind {
	case "program":
		s.program(program, where, keys)
	case "group", "DEFAULT":
	case "supervisord":
		for _, key := range sortedKeys(keys) {
			if key == "user" || key == "umask" || key == "directory" || key == "childlogdir" {
				s.result.note(where, key, "it is of supervisord itself; run reconciler as that user, or add run_as to the manifests")
			}
		}
	case "include":
		s.result.note(where, "files", "included files are not followed: name them on the command line too")
	case "eventlistener":
		s.result.note(where, program, "there is no protocol of supervisord's events here; follow `reconciler events -f -o json` instead")
	case "fcgi-program":
		s.result.note(where, program, "a FastCGI socket is not opened for a child; let a web server or spawn-fcgi open it")
	default: // unix_http_server, supervisorctl, rpcinterface…: how to talk to supervisord
		s.result.note(where, name, "it is about talking to supervisord; reconciler is asked through its own command line")
	}
}

// program makes a manifest for each process of a program.
func (s *supervisord) program(name, where string, keys map[string]string) {
	count, err := strconv.Atoi(strings.TrimSpace(or(keys["numprocs"], "1")))
	if err != nil || count < 1 || count > maxInstances {
		s.result.note(where, "numprocs", fmt.Sprintf("%q is no number from 1 to %d; one process was imported", keys["numprocs"], maxInstances))
		count = 1
	}
	start, err := strconv.Atoi(strings.TrimSpace(or(keys["numprocs_start"], "0")))
	if err != nil {
		start = 0
	}
	for i := range count {
		p := program{supervisord: s, name: name, number: start + i, count: count, keys: keys,
			m: &Manifest{Name: name, Folder: s.group[name], Source: where}}
		p.read()
		s.result.Manifests = append(s.result.Manifests, p.m)
	}
}

// maxInstances bounds what one number in a file can make.
const maxInstances = 1000

// program is one process of a [program:…].
type program struct {
	*supervisord
	name   string
	number int
	count  int
	keys   map[string]string
	m      *Manifest
}

// supervisordQuiet are keys that mean nothing here, or what happens here anyhow.
var supervisordQuiet = map[string]string{
	"numprocs": "", "numprocs_start": "", "redirect_stderr": "", "stopasgroup": "", "killasgroup": "", "process_name": "",
	"stdout_logfile":          "output is kept in the state directory: see `reconciler logs`",
	"stderr_logfile":          "standard error goes with standard output: see `reconciler logs`",
	"stderr_logfile_maxbytes": "standard error goes with standard output",
	"stderr_logfile_backups":  "standard error goes with standard output",
	"stdout_syslog":           "output is kept in the state directory, not sent to syslog",
	"stderr_syslog":           "output is kept in the state directory, not sent to syslog",
	"priority":                "it orders starts without waiting for anything; say what waits for what under dependencies",
	"startsecs":               "a process counts as started once it runs; say under readiness when it is ready",
	"startretries":            "it is started again for ever, ever more slowly; restart_limit gives up after so many restarts in a time",
	"serverurl":               "there is no such server here",
	"stdout_capture_maxbytes": "there are no process communication events here",
	"stderr_capture_maxbytes": "there are no process communication events here",
	"stdout_events_enabled":   "there are no process log events here: see `reconciler logs -f`",
	"stderr_events_enabled":   "there are no process log events here: see `reconciler logs -f`",
}

func (p *program) read() {
	m := p.m
	if p.count > 1 {
		m.Name = p.expand("process_name", or(p.keys["process_name"], "%(program_name)s_%(process_num)02d"))
		if m.Name == "" {
			m.Name = fmt.Sprintf("%s_%02d", p.name, p.number)
		}
	}
	p.command()
	m.WorkingDir = absolute(p.file.dir(), p.value("directory"))
	p.restarts()
	p.stop()
	if user := p.value("user"); user != "" {
		m.runAs().User = user
		m.InheritEnvironment = everything
		m.note("user", "HOME, USER, LOGNAME and SHELL are those of this user; supervisord leaves its own")
	}
	if umask := p.value("umask"); umask != "" {
		m.runAs().Umask = fmt.Sprintf("%04s", umask)
	}
	p.environment(p.global["environment"])
	p.environment(p.value("environment"))
	p.logs()
	for _, key := range sortedKeys(p.keys) {
		noteLeft(m, key, supervisordQuiet)
	}
}

// value is a key as it is meant for this process; it is done with then.
func (p *program) value(key string) string {
	raw, ok := p.keys[key]
	if !ok {
		return ""
	}
	p.keys = without(p.keys, key)
	return p.expand(key, strings.TrimSpace(raw))
}

// expression is %(name)s with the format that Python allows it.
var expression = regexp.MustCompile(`%\((\w+)\)(0?\d*)([sd])|%%`)

// expand fills in the expressions of supervisord. One that only its running
// process knows leaves nothing, with a note.
func (p *program) expand(key, text string) string {
	unknown := ""
	out := expression.ReplaceAllStringFunc(text, func(e string) string {
		if e == "%%" {
			return "%"
		}
		parts := expression.FindStringSubmatch(e)
		value, ok := p.expression(parts[1], parts[2])
		if !ok {
			unknown = e
		}
		return value
	})
	if unknown != "" {
		p.m.note(key, unknown+" is filled in by supervisord when it starts; write the value")
		return ""
	}
	return out
}

func (p *program) expression(name, width string) (string, bool) {
	switch name {
	case "program_name":
		return p.name, true
	case "group_name":
		return or(p.group[p.name], p.name), true
	case "process_num":
		n, _ := strconv.Atoi(strings.TrimPrefix(width, "0"))
		if strings.HasPrefix(width, "0") && n < 10 {
			return fmt.Sprintf("%0*d", n, p.number), true
		}
		return strconv.Itoa(p.number), true
	case "numprocs":
		return strconv.Itoa(p.count), true
	case "here":
		return p.file.dir(), p.file.dir() != ""
	}
	return "", false
}

// envExpression is a variable of supervisord's environment.
var envExpression = regexp.MustCompile(`%\(ENV_(\w+)\)s`)

// command needs a shell only for variables of the environment.
func (p *program) command() {
	raw := strings.TrimSpace(p.keys["command"])
	p.keys = without(p.keys, "command")
	line := p.expand("command", envExpression.ReplaceAllString(raw, mark+"{$1}"))
	command, err := words(line)
	if err != nil || len(command) == 0 {
		p.m.note("command", fmt.Sprintf("%q cannot be split into words; the child runs the program of its name until you write one", raw))
		return
	}
	if hasVariables(command) {
		command = withVariables(command)
	}
	p.m.Command = command
}
