package importer

import (
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// readPebble puts layers one over the other, as Pebble does in the order of their
// names on the command line, and makes a manifest of each service.
func readPebble(r *Result, files []File) error {
	p := pebble{result: r, services: map[string]layered{}, checks: map[string]layered{}}
	for _, f := range files {
		top, err := parseYAML(f)
		if err != nil {
			return err
		}
		if err := p.overlay(f, top, "services", p.services); err != nil {
			return err
		}
		if err := p.overlay(f, top, "checks", p.checks); err != nil {
			return err
		}
		for _, key := range top.rest() {
			switch key {
			case "summary", "description":
			case "log-targets":
				r.note(f.Name, key, "output is kept in the state directory, not sent on: see `reconciler logs -f`")
			default:
				r.note(f.Name, key, "a manifest has nothing like it")
			}
		}
	}
	for _, name := range slices.Sorted(maps.Keys(p.services)) {
		p.service(name, p.services[name])
	}
	p.before()
	for _, name := range slices.Sorted(maps.Keys(p.checks)) {
		if !p.used[name] {
			r.note(p.checks[name].source, name, "no service is restarted by this check: write it under readiness or health_check of the child that it is of")
		}
	}
	return nil
}

// layered is one service or check, as the last layers left it.
type layered struct {
	source string
	values map[string]any
}

type pebble struct {
	result           *Result
	services, checks map[string]layered
	befores          map[string][]string // by service: who waits for it
	used             map[string]bool     // checks that belong to a service
}

// overlay puts the entries of one layer over those of the earlier ones: "replace"
// takes the place of the earlier one, "merge" of its fields.
func (p *pebble) overlay(f File, top *section, key string, into map[string]layered) error {
	var wrong error
	top.each(key, func(name string, s *section) {
		source := fmt.Sprintf("%s, %s.%s", f.Name, key, name)
		before, exists := into[name]
		switch override := s.text("override"); {
		case override == "replace" || !exists && override == "merge":
			into[name] = layered{source, s.values}
		case override == "merge":
			values := maps.Clone(before.values)
			for k, v := range s.values {
				values[k] = merged(values[k], v)
			}
			into[name] = layered{before.source + " and " + source, values}
		case wrong == nil:
			wrong = fmt.Errorf("read %s: %s.%s: override: want merge or replace", f.Name, key, name)
		}
	})
	return wrong
}

// merged is a field of two layers: lists are joined, mappings put over each other.
func merged(below, above any) any {
	switch above := above.(type) {
	case []any:
		if list, ok := below.([]any); ok {
			return append(slices.Clone(list), above...)
		}
	case map[string]any:
		if m, ok := below.(map[string]any); ok {
			m = maps.Clone(m)
			maps.Copy(m, above)
			return m
		}
	}
	return above
}

var pebbleLeft = map[string]string{
	"override": "", "summary": "", "description": "",
	"backoff-factor":    "a rest doubles",
	"workload":          "there are no workloads here",
	"on-check-failure":  "only restart can be carried over",
	"working-directory": "it is called working-dir",
}

func (p *pebble) service(name string, from layered) {
	s := newSection(from.values)
	m := &Manifest{Name: name, Source: from.source, About: s.text("summary")}
	// What stands in brackets at the end are default arguments.
	command, err := words(strings.NewReplacer(" [ ", " ", " ]", "").Replace(s.text("command") + " "))
	if err != nil || len(command) == 0 {
		m.note("command", "it cannot be split into words; the child runs the program of its name until you write one")
	}
	m.Command = command
	if s.text("startup") != "enabled" {
		m.Suspend = true
		m.note("startup", "it is not enabled, which became suspend: true; to start it, take that line out")
	}
	m.environment(s.get("environment"))
	m.WorkingDir = s.text("working-dir")
	p.identity(m, s)
	p.restarts(m, s)
	p.dependencies(m, s)
	grace := p.duration(m, s, "kill-delay", 5*time.Second)
	m.shutdown().GracefulTimeout = ptr(grace.Seconds())
	s.each("on-check-failure", func(string, *section) {})
	actions, _ := from.values["on-check-failure"].(map[string]any)
	for _, check := range slices.Sorted(maps.Keys(actions)) {
		p.check(m, check, text(actions[check]))
	}
	s.noteRest(m, pebbleLeft)
	p.result.Manifests = append(p.result.Manifests, m)
}

func (p *pebble) identity(m *Manifest, s *section) {
	if user := or(s.text("user"), s.text("user-id")); user != "" {
		m.runAs().User = user
		m.InheritEnvironment = everything // as pebble does, but for HOME and USER
	}
	if group := or(s.text("group"), s.text("group-id")); group != "" {
		m.runAs().Group = group
	}
	for _, key := range []string{"user-id", "group-id"} {
		s.get(key) // is done with when there is a name
	}
}

// restarts: Pebble starts a service again whatever its end was.
func (p *pebble) restarts(m *Manifest, s *section) {
	success, failure := or(s.text("on-success"), "restart"), or(s.text("on-failure"), "restart")
	for key, action := range map[string]string{"on-success": success, "on-failure": failure} {
		if action != "restart" && action != "ignore" {
			m.note(key, action+": the end of one child ends no other; it is not started again")
		}
	}
	slices.SortFunc(m.Notes, func(a, b Note) int { return strings.Compare(a.String(), b.String()) })
	switch {
	case failure != "restart":
		m.RestartPolicy = "temporary"
	case success != "restart":
		m.RestartPolicy = "transient"
	default:
		m.RestartPolicy = "permanent"
	}
	first := p.duration(m, s, "backoff-delay", 500*time.Millisecond)
	most := p.duration(m, s, "backoff-limit", 30*time.Second)
	m.Backoff = &backoff{InitialDelay: ptr(float64(first.Milliseconds())), MaxDelay: ptr(float64(max(first, most).Milliseconds()))}
}

func (p *pebble) duration(m *Manifest, s *section, key string, otherwise time.Duration) time.Duration {
	value := s.text(key)
	if value == "" {
		return otherwise
	}
	d, err := time.ParseDuration(value)
	if err != nil || d < 0 {
		m.note(key, fmt.Sprintf("%q is no duration", value))
		return otherwise
	}
	return d
}

// dependencies: "requires" alone orders nothing for Pebble, "after" alone needs
// nothing.
func (p *pebble) dependencies(m *Manifest, s *section) {
	after, requires := s.list("after"), s.list("requires")
	for _, name := range slices.Compact(slices.Sorted(slices.Values(append(slices.Clone(after), requires...)))) {
		m.Dependencies = append(m.Dependencies, dependency{Name: name, Condition: "started"})
		if !slices.Contains(requires, name) {
			m.note("after", name+" was only an order of starts; now it is waited for until it runs")
		}
	}
	for _, name := range s.list("before") {
		if p.befores == nil {
			p.befores = map[string][]string{}
		}
		p.befores[name] = append(p.befores[name], m.Name)
	}
}

// before turns "before" around, once all services are known.
func (p *pebble) before() {
	for _, m := range p.result.Manifests {
		for _, name := range p.befores[m.Name] {
			d := dependency{Name: name, Condition: "started"}
			if !slices.Contains(m.Dependencies, d) {
				m.Dependencies = append(m.Dependencies, d)
				m.note("before", name+" said that it comes before this one; now it is waited for until it runs")
			}
		}
	}
}

// check makes the check that restarts a service its health_check.
func (p *pebble) check(m *Manifest, name, action string) {
	from, exists := p.checks[name]
	if !exists || action != "restart" {
		m.note("on-check-failure", fmt.Sprintf("%s: %s cannot be carried over", name, action))
		return
	}
	if m.HealthCheck != nil {
		m.note("on-check-failure", name+": there is one health_check; this one was left out")
		return
	}
	if p.used == nil {
		p.used = map[string]bool{}
	}
	p.used[name] = true
	s := newSection(from.values)
	h := &probe{CheckInterval: p.duration(m, s, "period", 10*time.Second).Seconds(), Timeout: p.duration(m, s, "timeout", 3*time.Second).Seconds(),
		MaxRetries: whole(s.number("threshold"), 3)}
	http, tcp, exec := s.sub("http"), s.sub("tcp"), s.sub("exec")
	switch {
	case http.text("url") != "":
		h.HTTP = httpOf(http)
	case tcp.number("port") > 0:
		h.TCP = &tcpProbe{Port: whole(tcp.number("port"), 0), Host: tcp.text("host")}
	case exec.text("command") != "":
		h.Exec, _ = words(exec.text("command"))
	}
	if h.HTTP == nil && h.TCP == nil && len(h.Exec) == 0 {
		m.note("checks."+name, "it has no handler that could be carried over")
		return
	}
	m.HealthCheck = h
}

func httpOf(s *section) *httpProbe {
	u, err := url.Parse(s.text("url"))
	if err != nil || u.Hostname() == "" {
		return nil
	}
	h := &httpProbe{Scheme: u.Scheme, Host: u.Hostname(), Path: or(u.RequestURI(), "/"), Port: map[string]int{"https": 443}[u.Scheme]}
	if h.Port == 0 {
		h.Port = 80
	}
	if port, err := strconv.Atoi(u.Port()); err == nil {
		h.Port = port
	}
	headers, _ := s.get("headers").(map[string]any)
	for name, value := range headers {
		if h.Headers == nil {
			h.Headers = map[string]string{}
		}
		h.Headers[name] = text(value)
	}
	return h
}
