package hack

import (
	"fmt"
	"path"
	"slices"
	"strings"
)

const module = "github.com/reconciler-dev/reconciler"

// floor says what one package may import besides the standard library: packages
// of ours, relative to the module, and modules of others.
type floor struct {
	ours   []string
	others []string

	// pure packages may not import what touches the world, see impureImports.
	pure bool
}

const (
	xsys     = "golang.org/x/sys"
	logr     = "github.com/go-logr/logr"
	fsnotify = "github.com/fsnotify/fsnotify"
)

// floors is the whole of our import graph as it may be. The package that is not
// here has no place yet.
var floors = map[string]floor{
	"internal/pidns":          {others: []string{xsys}},
	"internal/testuser":       {others: []string{xsys}},
	"internal/dirlock":        {ours: []string{"internal/private"}, others: []string{xsys}},
	"internal/private":        {ours: []string{"internal/trust"}, others: []string{xsys}},
	"internal/peercred":       {ours: []string{"internal/trust"}, others: []string{xsys}},
	"internal/trust":          {others: []string{xsys}},
	"internal/regular":        {others: []string{xsys}},
	"internal/writers":        {others: []string{xsys}},
	"hack/attacks":            {},
	"hack/vulncheck":          {},
	"hack/apicheck":           {others: []string{"golang.org/x/exp", "golang.org/x/tools"}},
	"hack/upgrade":            {},
	"hack/mutate":             {ours: []string{"hack/internal/mutants", "internal/pidns"}},
	"hack/internal/mutants":   {ours: []string{"internal/pidns"}, others: []string{"go.yaml.in/yaml/v3"}},
	"internal/crontab":        {others: []string{"github.com/netresearch/go-cron"}},
	"internal/account":        {},
	"internal/envfile":        {pure: true},
	"internal/harmless":       {others: []string{"go.yaml.in/yaml/v3", "sigs.k8s.io/yaml"}},
	"pkg/runtime/child":       {pure: true},
	"pkg/runtime/machine":     {pure: true, ours: []string{"pkg/runtime/child"}},
	"pkg/runtime/logs":        {ours: []string{"internal/private", "internal/regular", "internal/trust", "pkg/runtime/child"}, others: []string{xsys}},
	"pkg/runtime/shim":        {ours: []string{"internal/peercred", "internal/private", "internal/regular", "internal/trust", "pkg/runtime/child", "pkg/runtime/logs"}, others: []string{xsys}},
	"pkg/runtime/journal":     {ours: []string{"internal/private", "internal/regular", "pkg/runtime/child", "pkg/runtime/machine"}, others: []string{xsys, fsnotify}},
	"pkg/runtime/task":        {ours: []string{"pkg/runtime/child", "pkg/runtime/machine"}},
	"docs":                    {pure: true},
	"pkg/runtime/runtimetest": {ours: []string{"pkg/runtime/child", "pkg/runtime/machine"}},
	"internal/regular/regulartest": {
		others: []string{xsys},
	},
	"pkg/runtime/probe": {
		ours:   []string{"pkg/runtime/child", "pkg/runtime/machine", "pkg/runtime/logs"},
		others: []string{xsys, "google.golang.org/grpc"},
	},
	"pkg/runtime/scenarios": {},
	"pkg/runtime/handletest": {
		ours:   []string{"docs", "pkg/runtime", "pkg/runtime/child", "pkg/runtime/journal", "pkg/runtime/machine"},
		others: []string{"github.com/google/go-cmp"},
	},
	"pkg/runtime": {
		ours: []string{"internal/account", "internal/dirlock", "internal/crontab", "internal/envfile", "internal/private", "internal/regular", "internal/trust", "internal/writers",
			"pkg/runtime/child", "pkg/runtime/machine", "pkg/runtime/shim", "pkg/runtime/journal",
			"pkg/runtime/logs", "pkg/runtime/probe", "pkg/runtime/task"},
		others: []string{xsys, logr},
	},
	"pkg/desired": {
		ours: []string{"internal/crontab", "internal/trust", "internal/writers", "pkg/runtime/child"},
		others: []string{xsys, logr, fsnotify, "sigs.k8s.io/yaml", "go.yaml.in/yaml/v3",
			"github.com/kballard/go-shellquote", "github.com/invopop/jsonschema", "github.com/pb33f/ordered-map"},
	},
	"pkg/desired/requests": {ours: []string{"internal/private", "pkg/desired", "pkg/runtime/child"}},
	"pkg/reconcile": {
		ours:   []string{"pkg/runtime/child", "pkg/runtime", "pkg/runtime/machine", "pkg/desired"},
		others: []string{logr},
	},
	"pkg/metrics": {
		ours:   []string{"pkg/runtime/child", "pkg/runtime/machine"},
		others: []string{"github.com/prometheus/client_golang"},
	},
	"pkg/status": {
		ours:   []string{"pkg/runtime/child", "pkg/desired"},
		others: []string{xsys, logr, "github.com/invopop/jsonschema"},
	},
	"pkg/control": {ours: []string{"pkg/runtime/child", "pkg/desired", "pkg/status"}},
	"pkg/control/client": {
		ours: []string{"internal/peercred", "pkg/runtime/child", "pkg/status", "pkg/control"},
	},
	"pkg/control/server": {
		ours: []string{"internal/account", "internal/private", "pkg/runtime/child", "pkg/runtime/machine", "pkg/runtime/logs", "pkg/runtime/journal", "pkg/runtime",
			"pkg/desired", "pkg/status", "pkg/reconcile", "pkg/control"},
		others: []string{xsys, logr, "golang.org/x/time"},
	},
}

// The command puts everything together: it may import all but the parsers and
// watchers that belong to desired. It prints YAML and reads none, but for what the
// importer reads of others and writes as manifests.
var notForCommand = []string{fsnotify, "go.yaml.in/yaml/v3"}

// writesYAML is the one package of the command that may use a parser's types.
const writesYAML = "cmd/reconciler/internal/importer"

// impureImports are what pure code may not touch: the kernel, other processes,
// locks, cancellation and logs.
var impureImports = []string{
	"os", "os/exec", "os/signal", "net", "net/http", "sync", "sync/atomic", "context",
	"log", "log/slog", "syscall", "time/tzdata", logr, fsnotify,
}

// pkg is what we need of one package in the output of go list.
type pkg struct {
	ImportPath string
	Imports    []string // without those of its tests
}

// breaches says, a line each, which imports break a floor.
func breaches(pkgs []pkg) []string {
	var found []string
	for _, p := range pkgs {
		name := strings.TrimPrefix(p.ImportPath, module+"/")
		if name == "hack" {
			continue
		}
		f, known := floors[name]
		command := strings.HasPrefix(name, "cmd/")
		if !known && !command {
			found = append(found, name+": has no floor; give it a line in floors_test.go")
			continue
		}
		for _, imp := range p.Imports {
			if name == writesYAML && imp == "go.yaml.in/yaml/v3" {
				continue
			}
			if why := refuses(f, command, imp); why != "" {
				found = append(found, fmt.Sprintf("%s imports %s: %s", name, imp, why))
			}
		}
	}
	return found
}

// refuses says why a package on this floor may not import imp; "" if it may.
func refuses(f floor, command bool, imp string) string {
	ours, isOurs := strings.CutPrefix(imp, module+"/")
	switch {
	case command:
		if within(imp, notForCommand) {
			return "only pkg/desired may"
		}
		return ""
	case isOurs:
		if !slices.Contains(f.ours, ours) {
			return "that is not on a floor below"
		}
		return ""
	case f.pure && slices.Contains(impureImports, imp):
		return "the package is pure"
	case isStandard(imp) || within(imp, f.others):
		return ""
	}
	return "the module is not for this floor"
}

func isStandard(imp string) bool {
	first, _, _ := strings.Cut(imp, "/")
	return !strings.Contains(first, ".")
}

// within reports whether imp is one of the modules or a package inside one.
func within(imp string, modules []string) bool {
	return slices.ContainsFunc(modules, func(m string) bool {
		return imp == m || strings.HasPrefix(imp, path.Clean(m)+"/")
	})
}
