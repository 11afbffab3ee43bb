package importer

import (
	"bytes"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	systemd "github.com/coreos/go-systemd/v22/unit"
)

// readSystemd makes a manifest of each service. Units name each other with their
// suffix; dependencies on units that are not among the files are left out.
func readSystemd(r *Result, files []File) error {
	oneshots := map[string]bool{}
	for _, f := range files {
		name := filepath.Base(f.Name)
		kind := filepath.Ext(name)
		name = strings.TrimSuffix(name, kind)
		switch {
		case kind != ".service":
			r.note(f.Name, or(kind, name), "only services become children; what a "+or(strings.TrimPrefix(kind, "."), "file without a suffix")+" does was left out")
			continue
		case strings.HasSuffix(name, "@"):
			r.note(f.Name, name, "it is a template: copy the file to a name with an instance, such as "+name+"one.service, and import that")
			continue
		}
		options, err := systemd.DeserializeOptions(bytes.NewReader(f.Text))
		if err != nil {
			return fmt.Errorf("read %s: %w", f.Name, err)
		}
		u := newUnit(name, f, options)
		oneshots[name] = slices.Contains(u.values["Service.Type"], "oneshot")
		u.read()
		r.Manifests = append(r.Manifests, u.m)
	}
	for _, m := range r.Manifests {
		for i, d := range m.Dependencies {
			if oneshots[d.Name] { // systemd waits for their end
				m.Dependencies[i].Condition = "completed"
			}
		}
	}
	return nil
}

// unit is one service while it is read.
type unit struct {
	m        *Manifest
	dir      string
	prefix   string // of a template, or the whole name
	instance string // behind the @
	name     string
	values   map[string][]string // by section and key: "Service.ExecStart"
	order    []string            // the keys, in the order of the file
}

func newUnit(name string, f File, options []*systemd.UnitOption) *unit {
	u := &unit{m: &Manifest{Name: name, Source: f.Name}, dir: f.dir(), name: name, values: map[string][]string{}}
	u.prefix, u.instance, _ = strings.Cut(name, "@")
	for _, o := range options {
		key := o.Section + "." + o.Name
		if !slices.Contains(u.order, key) {
			u.order = append(u.order, key)
		}
		if o.Value == "" {
			u.values[key] = nil // an empty value takes the earlier ones back
			continue
		}
		u.values[key] = append(u.values[key], u.expand(o.Name, o.Value))
	}
	return u
}

// all are the values of a key, which is done with then.
func (u *unit) all(key string) []string {
	u.order = slices.DeleteFunc(u.order, func(k string) bool { return k == key })
	return u.values[key]
}

// last is the value that counts where a key is one; "" without one.
func (u *unit) last(key string) string {
	all := u.all(key)
	if len(all) == 0 {
		return ""
	}
	return strings.TrimSpace(all[len(all)-1])
}

func (u *unit) read() {
	m := u.m
	m.About = u.last("Unit.Description")
	u.commands()
	u.restarts()
	u.dependencies()
	u.identity()
	u.environment()
	u.stopping()
	u.readiness()
	u.limits()
	for _, key := range u.order {
		_, name, _ := strings.Cut(key, ".")
		if strings.HasPrefix(key, "Install.") || strings.HasPrefix(name, "X-") {
			continue // it says when systemd starts it
		}
		m.note(name, leftOut(name))
	}
}

// leftOut says why there is no field for a setting.
func leftOut(name string) string {
	for _, group := range []struct {
		prefixes string
		reason   string
	}{
		{"Documentation Slice Delegate", "it means nothing here"},
		{"Condition Assert", "conditions are not checked; test for it in the command, or in a pre_start hook, which fails the start"},
		{"Standard SyslogIdentifier Syslog LogLevel LogRate LogExtra TTY", "output is kept in the state directory: see `reconciler logs`"},
		{"Protect Private Restrict Capability Ambient SystemCall ReadOnly ReadWrite Inaccessible Lock Memory Deny Secure Bind Root Temporary NoExec Exec Dynamic State Runtime Cache Logs Configuration Keyring Proc Remove IP Socket Device AppArmor SELinux SMACK",
			"there is no sandbox and no directory is made here; the child sees what reconciler sees"},
		{"Limit IO Block Startup CPU Nice OOM Tasks", "there is no such limit here"},
		{"On Success Failure Propagates", "follow `reconciler events` to act on failures"},
		{"Conflicts", "two children cannot exclude each other"},
	} {
		if slices.ContainsFunc(strings.Fields(group.prefixes), func(p string) bool { return strings.HasPrefix(name, p) }) {
			return group.reason
		}
	}
	return "a manifest has nothing like it"
}

// expand fills in the specifiers that the name of the unit decides.
func (u *unit) expand(key, text string) string {
	if !strings.Contains(text, "%") {
		return text
	}
	var b strings.Builder
	for i := 0; i < len(text); i++ {
		if text[i] != '%' || i+1 == len(text) {
			b.WriteByte(text[i])
			continue
		}
		i++
		switch text[i] {
		case '%':
			b.WriteByte('%')
		case 'i', 'I':
			b.WriteString(u.instance)
		case 'n':
			b.WriteString(u.name + ".service")
		case 'N':
			b.WriteString(u.name)
		case 'p', 'P':
			b.WriteString(u.prefix)
		case 't':
			b.WriteString("/run")
		case 'S':
			b.WriteString("/var/lib")
		case 'C':
			b.WriteString("/var/cache")
		case 'L':
			b.WriteString("/var/log")
		case 'E':
			b.WriteString("/etc")
		case 'T':
			b.WriteString("/tmp")
		case 'V':
			b.WriteString("/var/tmp")
		default:
			b.WriteString(text[i-1 : i+1])
			u.m.note(key, fmt.Sprintf("%%%c is filled in by systemd; write the value", text[i]))
		}
	}
	return b.String()
}
