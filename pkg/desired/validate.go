package desired

import (
	"fmt"
	"io/fs"
	"maps"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/reconciler-dev/reconciler/pkg/runtime/child"
)

// This file holds the rules between the fields of one section. What a field
// must keep by itself stands in its tags.

// dependencyList are the dependencies of a child.
type dependencyList []dependency

func (l *dependencyList) check(c *checker) {
	unique(c, *l, func(d dependency) (string, string) { return d.Name, "" })
}

// environment is a list of variables.
type environment []envVar

func (l *environment) check(c *checker) {
	unique(c, *l, func(v envVar) (string, string) { return v.Name, ".name" })
}

// secretList is a list of secrets.
type secretList []secret

func (l *secretList) check(c *checker) {
	unique(c, *l, func(s secret) (string, string) { return s.Name, ".name" })
}

// failureGroupList are the failure groups of a folder.
type failureGroupList []failureGroup

func (l *failureGroupList) check(c *checker) {
	unique(c, *l, func(g failureGroup) (string, string) { return g.Tag, ".tag" })
}

// unique reports the elements of a list that have the name of an earlier one.
// nameOf also says at which field of the element the name stands.
func unique[E any](c *checker, list []E, nameOf func(E) (name, field string)) {
	first := make(map[string]int, len(list))
	for i, e := range list {
		name, field := nameOf(e)
		if j, ok := first[name]; ok {
			c.problem(fmt.Sprintf("[%d]%s", i, field), fmt.Sprintf("%s is already element %d of the list", quoted(name), j), "keep one of them")
			continue
		}
		first[name] = i
	}
}

func (v *envVar) check(c *checker) {
	switch {
	case v.Value != nil && v.SecretRef != nil:
		c.problem("secret_ref", "value and secret_ref exclude each other", "keep one of them")
	case v.Value == nil && v.SecretRef == nil:
		c.problem("", "has neither value nor secret_ref", `add one of them; value: "" is an empty variable`)
	}
}

func (s *secret) check(c *checker) {
	if s.Key != "" && (s.Key == "." || !fs.ValidPath(s.Key)) {
		c.problem("key", quoted(s.Key)+" is no path below the secrets directory", "write one such as workers/api_token, without .. and without / at its ends")
	}
}

func (b *backoff) check(c *checker) {
	if b.InitialDelay != nil && b.MaxDelay != nil && *b.InitialDelay > *b.MaxDelay {
		c.problem("initial_delay_ms", "is larger than max_delay_ms", "make max_delay_ms at least as large")
	}
}

func (s *shutdown) check(c *checker) {
	if s.Signal != nil && *s.Signal == "SIGSTOP" {
		c.problem("signal", "SIGSTOP suspends a process, it never ends one", "write SIGTERM, SIGINT, SIGQUIT or SIGKILL")
	}
}

func (r *reload) check(c *checker) {
	if r.Signal != nil && (*r.Signal == "SIGKILL" || *r.Signal == "SIGSTOP") {
		c.problem("signal", string(*r.Signal)+" tells a process nothing", "write SIGHUP, or remove it for a restart")
	}
	for _, file := range r.Files {
		if folder := path.Dir(file); strings.ContainsAny(folder, "*?") {
			c.problem("files", quoted(file)+" is a pattern of folders; only the last name may be one", "name each folder")
		}
	}
}

func (h *healthCheck) check(c *checker) {
	named := h.named()
	if h.Heartbeat != nil && *h.Heartbeat {
		named = append(named, "heartbeat")
	}
	if len(named) == 0 {
		c.problem("", "has no handler", "add exactly one of exec, http, tcp, grpc and heartbeat: true")
	}
	atMostOne(c, named)
}

// check lets a readiness without a handler pass: then the child is ready once
// it runs.
func (r *readiness) check(c *checker) {
	named := r.named()
	if r.Notify != nil && *r.Notify {
		named = append(named, "notify")
	}
	if r.LogMatch != nil {
		named = append(named, "log_match")
		checkRegexp(c, "log_match", *r.LogMatch)
	}
	atMostOne(c, named)
}

// named are the handlers that were written.
func (h *handlers) named() []string {
	var names []string
	for name, written := range map[string]bool{"exec": h.Exec != nil, "http": h.HTTP != nil, "tcp": h.TCP != nil, "grpc": h.GRPC != nil} {
		if written {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

func atMostOne(c *checker, named []string) {
	if len(named) > 1 {
		c.problem(named[1], "is a second handler beside "+named[0]+"; exactly one is allowed", "keep one of them")
	}
}

func (p *httpProbe) check(c *checker) {
	switch {
	case p.Port == nil && p.UnixSocket == nil:
		c.problem("port", "is required", "add port: …, or unix_socket: …")
	case p.Port != nil && p.UnixSocket != nil:
		c.problem("unix_socket", "port and unix_socket exclude each other", "keep one of them")
	}
	for _, name := range slices.Sorted(maps.Keys(p.Headers)) {
		if !headerName.MatchString(name) {
			c.problem("headers."+safe(name), quoted(name)+" is not the name of a header", "use letters, digits and - only")
		} else if strings.IndexFunc(p.Headers[name], isControl) >= 0 {
			c.problem("headers."+safe(name), "the value of a header has one line and no control characters", "remove the line breaks and the like")
		}
	}
	if p.Path != nil {
		checkPath(c, *p.Path)
	}
	checkHost(c, p.Host)
	if p.UnixSocket != nil && len(*p.UnixSocket) > maxSocketPath {
		c.problem("unix_socket", fmt.Sprintf("is %d bytes long; a socket has a path of at most %d", len(*p.UnixSocket), maxSocketPath), "listen at a shorter path (unix(7))")
	}
	if p.BodyMatch != nil {
		checkRegexp(c, "body_match", *p.BodyMatch)
		p.checkBody(c)
	}
	if p.Status != nil && !validStatuses(*p.Status) {
		c.problem("status", quoted(*p.Status)+" holds no statuses from 100 to 599", `write codes and ranges such as "200-399" or "200,204"`)
	}
}

// headerName is a token of RFC 9110, section 5.6.2.
var headerName = regexp.MustCompile("^[!#$%&'*+.^_`|~0-9A-Za-z-]+$")

func checkRegexp(c *checker, field, pattern string) {
	if _, err := regexp.Compile(pattern); err != nil {
		c.problem(field, strings.TrimPrefix(err.Error(), "error parsing regexp: "), "write a regular expression as Go's regexp package reads it (RE2)")
	}
}

// validStatuses reports whether s is a list of HTTP statuses and ranges of them.
func validStatuses(s string) bool {
	for _, part := range strings.Split(s, ",") {
		low, high, isRange := strings.Cut(strings.TrimSpace(part), "-")
		if !isRange {
			high = low
		}
		from, err1 := strconv.Atoi(low)
		to, err2 := strconv.Atoi(high)
		if err1 != nil || err2 != nil || from < 100 || to > 599 || from > to {
			return false
		}
	}
	return true
}

func (f *manifestFields) check(c *checker) {
	f.checkRole(c)
	isSidecar := f.WorkRole != nil && *f.WorkRole == "sidecar"
	switch {
	case isSidecar && f.SidecarOf == nil && !f.isSupervisor():
		c.problem("work_role", "a sidecar belongs to another child, and none is named", "add sidecar_of: NAME")
	case !isSidecar && f.SidecarOf != nil:
		c.problem("sidecar_of", "is a field of sidecars", "add work_role: sidecar, or remove it")
	}
}

func (f *manifestFields) isSupervisor() bool { return f.Kind != nil && *f.Kind == child.Supervisor }
