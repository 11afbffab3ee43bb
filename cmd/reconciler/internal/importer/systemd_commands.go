package importer

import (
	"fmt"
	"regexp"
	"strings"
)

// commands are the process and what runs around it.
func (u *unit) commands() {
	kind := or(u.last("Service.Type"), "simple")
	main := u.split("Service.ExecStart")
	switch kind {
	case "forking":
		u.m.note("Type", "forking: a child must stay in the foreground; look for an option of the program such as --no-daemon or -F")
		u.all("Service.PIDFile")
	case "dbus":
		u.m.note("Type", "dbus: it counts as ready once it runs")
	case "notify", "notify-reload":
		u.m.Readiness = &probe{Notify: true}
	}
	if kind == "oneshot" && len(main) > 1 { // they run one after the other
		u.m.hooks().PreStart = append(u.m.hooks().PreStart, main[:len(main)-1]...)
		main = main[len(main)-1:]
	}
	if len(main) > 0 {
		u.m.Command = main[0]
	}
	if kind == "oneshot" && u.last("Service.RemainAfterExit") == "yes" {
		u.m.note("RemainAfterExit", "what ended well is Completed; children that need it say condition: completed")
	}
	u.hook("Service.ExecStartPre", func(h *hooks) *[]command { return &h.PreStart })
	u.hook("Service.ExecStartPost", func(h *hooks) *[]command { return &h.PostStart })
	u.hook("Service.ExecStop", func(h *hooks) *[]command { return &h.PreStop })
	u.hook("Service.ExecStopPost", func(h *hooks) *[]command { return &h.PostStop })
	if reload := u.last("Service.ExecReload"); reload != "" {
		u.m.note("ExecReload", "a manifest names the files that a reload is for: see the field reload; by hand: `reconciler signal`")
	}
}

func (u *unit) hook(key string, list func(*hooks) *[]command) {
	for _, line := range u.split(key) {
		all := list(u.m.hooks())
		*all = append(*all, line)
	}
}

// prefixes of a command line, as systemd.service(5) lists them.
const execPrefixes = "@-:+!|"

// split are the commands of a key, each as its words.
func (u *unit) split(key string) []command {
	_, name, _ := strings.Cut(key, ".")
	var all []command
	for _, line := range u.all(key) {
		bare := strings.TrimLeft(line, execPrefixes)
		used := line[:len(line)-len(bare)]
		if strings.ContainsAny(used, "-") {
			u.m.note(name, "a leading - (its failure does not count) was left out")
		}
		if strings.ContainsAny(used, "+!@|") {
			u.m.note(name, "the prefix "+used+" was left out")
		}
		if !strings.Contains(used, ":") {
			bare = variablesOf(bare)
		}
		split, err := words(bare)
		if err != nil || len(split) == 0 {
			u.m.note(name, fmt.Sprintf("%q cannot be split into words and was left out", line))
			continue
		}
		if strings.Contains(used, "@") && len(split) > 1 {
			split = append(split[:1], split[2:]...) // the second word is argv[0]
		}
		if hasVariables(split) {
			split = withVariables(split)
		}
		all = append(all, split)
	}
	return all
}

var unitVariable = regexp.MustCompile(`\$\$|\$(\{[A-Za-z_][A-Za-z0-9_]*\}|[A-Za-z_][A-Za-z0-9_]*)`)

// variablesOf marks the variables of a command line; $$ is a dollar sign.
func variablesOf(line string) string {
	return unitVariable.ReplaceAllStringFunc(line, func(v string) string {
		if v == "$$" {
			return "$"
		}
		return mark + v[1:]
	})
}
