package desired

import (
	"flag"
	"fmt"
	"maps"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/reconciler-dev/reconciler/pkg/runtime/child"
)

var update = flag.Bool("update", false, "write the generated parts of docs/manifest.md")

const referenceFile = "../../docs/manifest.md"

// enforcers says of every field of a manifest who sees to it. A field that is in
// the list of child/enforced.go is told as not enforced instead.
var enforcers = map[string]string{
	"name":                "the reading of the directory: the child's id is its folders and this name",
	"kind":                "the runtime: a supervisor is a folder and has no process; both kinds of workers are processes",
	"command":             "the shim: it is executed as it is, no shell runs",
	"dependencies":        "the runtime: it starts a child when its dependencies have come so far, and stops it before them",
	"work_role":           "the reading of the directory: it fills in what nobody wrote",
	"sidecar_of":          "the runtime: the sidecar runs while its primary does",
	"suspend":             "the runtime: the child is stopped and kept so",
	"protect":             "the reconcile loop: it does not remove the child with its manifest",
	"schedule":            "the runtime, which starts a run when it is due",
	"deadline_secs":       "the runtime, which ends an attempt that takes longer",
	"health_check":        "the runtime, which asks, and replaces the attempt",
	"readiness":           "the runtime, which asks; dependants wait for it",
	"reload":              "the reconciler, which watches the files",
	"hooks":               "the shim runs them, the runtime waits for them",
	"tags":                "selection on the command line; failure groups",
	"working_dir":         "the shim; a folder that is not there is a failed start",
	"criticality":         "the runtime's health",
	"restart_policy":      "the runtime, at every exit",
	"success_exit_codes":  "the runtime, at every exit",
	"inherit_environment": "the runtime, at every start",
	"env_files":           "the runtime, at every start; a file that cannot be read, or that another user could have written for a child that stays root, is a failed start",
	"run_as":              "the shim, by the kernel; without the right to change the user it is a failed start",
	"environment":         "the runtime, at every start",
	"secrets":             "the runtime, at every start, from the directory of `run --secrets`; a changed one restarts the child",
	"resource_limits":     "the kernel: cgroups and limits of processes",
	"shutdown":            "the runtime decides, the shim signals",
	"backoff":             "the runtime, after every exit that is followed by a start",
	"restart_limit":       "the runtime, at every restart",
	"command_permissions": "the runtime, for what the child itself asks",
	"logs":                "the shim, which writes the files",
	"strategy":            "the runtime, at every restart in the folder",
	"defaults":            "the reading of the directory",
	"failure_groups":      "the runtime, at every restart of a child with the tag",
}

func TestReferenceOfTheManifestIsThatOfTheCode(t *testing.T) {
	raw, err := os.ReadFile(referenceFile)
	if err != nil {
		t.Fatal(err)
	}
	text := string(raw)
	want := text
	for name, part := range map[string]string{"fields": fieldTable(t), "sections": sectionTables(), "roles": roleTable()} {
		want = replacePart(t, want, name, part)
	}
	if *update {
		if err := os.WriteFile(referenceFile, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if diff := cmp.Diff(want, text); diff != "" {
		t.Errorf("docs/manifest.md is not what the code says; run go test ./pkg/desired -run Reference -update (-code +page):\n%s", diff)
	}
}

// replacePart puts text between the marks of a generated part.
func replacePart(t *testing.T, page, name, text string) string {
	t.Helper()
	begin, end := "<!-- begin "+name+", made by go test ./pkg/desired -run Reference -update -->\n", "<!-- end "+name+" -->"
	before, rest, ok1 := strings.Cut(page, begin)
	_, after, ok2 := strings.Cut(rest, end)
	if !ok1 || !ok2 {
		t.Fatalf("docs/manifest.md has no part %s", name)
	}
	return before + begin + text + end + after
}

// fieldTable are the fields of a manifest itself.
func fieldTable(t *testing.T) string {
	var b strings.Builder
	b.WriteString("| field | of | type | default | allowed | change | meaning | who enforces it |\n|---|---|---|---|---|---|---|---|\n")
	classes := map[string]string{"name": "another child", "defaults": "as the field it sets"}
	for i := range reflect.TypeFor[child.Spec]().NumField() {
		f := reflect.TypeFor[child.Spec]().Field(i)
		classes[key(f)] = f.Tag.Get("class")
	}
	main := reflect.TypeFor[manifestFields]()
	for _, f := range layouts()[main].fields {
		by, ok := enforcers[f.name]
		if !ok {
			t.Errorf("the reference does not say who enforces %s; add it to enforcers in reference_test.go", f.name)
		}
		switch {
		case !child.IsEnforced(f.name):
			by = "nobody yet: condition `NotEnforced`"
		}
		of := map[string]string{"": "all", "worker": "workers", "supervisor": "folders"}[f.role]
		field := main.FieldByIndex(f.index)
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s | %s | %s | %s | %s |\n", f.name, of, typeText(field.Type), defaultText(f.rules),
			allowedText(f.rules), classes[f.name], cell(field.Tag.Get("about")), by)
	}
	return b.String()
}

// sectionTables are the fields of the sections, in the order in which the
// manifest first names them.
func sectionTables() string {
	var b strings.Builder
	done := map[reflect.Type]bool{reflect.TypeFor[inheritable](): true}
	var visit func(path string, t reflect.Type)
	visit = func(path string, t reflect.Type) {
		for _, f := range layouts()[t].fields {
			field := t.FieldByIndex(f.index)
			section, full := bare(field.Type), join(path, f.name)
			if section.Kind() != reflect.Struct || len(layouts()[section].names()) == 0 || done[section] || section == reflect.TypeFor[inheritEnvironment]() {
				continue
			}
			done[section] = true
			fmt.Fprintf(&b, "### %s\n\n%s\n\n", full, field.Tag.Get("about"))
			b.WriteString("| field | type | default | allowed | meaning |\n|---|---|---|---|---|\n")
			for _, inner := range layouts()[section].fields {
				x := section.FieldByIndex(inner.index)
				about := cell(x.Tag.Get("about"))
				if !child.IsEnforced(join(full, inner.name)) {
					about += " **Not enforced yet.**"
				}
				fmt.Fprintf(&b, "| `%s` | %s | %s | %s | %s |\n", inner.name, typeText(x.Type), defaultText(inner.rules), allowedText(inner.rules), about)
			}
			b.WriteByte('\n')
			visit(full, section)
		}
	}
	visit("", reflect.TypeFor[manifestFields]())
	return b.String()
}

// roleTable is what each role stands for.
func roleTable() string {
	var b strings.Builder
	b.WriteString("| role | of | meaning | defaults |\n|---|---|---|---|\n")
	for _, role := range slices.Sorted(maps.Keys(packs)) {
		var values []string
		var visit func(path string, v reflect.Value)
		visit = func(path string, v reflect.Value) {
			for _, f := range layouts()[v.Type()].fields {
				switch inner := v.FieldByIndex(f.index); {
				case isUnset(inner):
				case sections[bare(inner.Type())]:
					visit(join(path, f.name), inner.Elem())
				default:
					values = append(values, fmt.Sprintf("`%s: %s`", join(path, f.name), strings.Trim(string(plainJSON(inner.Interface())), `"`)))
				}
			}
		}
		visit("", reflect.ValueOf(packs[role].defaults))
		of := map[string]string{"worker": "workers", "supervisor": "folders"}[packs[role].holder]
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s |\n", role, of, packs[role].about, strings.Join(values, ", "))
	}
	return b.String()
}

// typeText is a type of fields.go for people.
func typeText(t reflect.Type) string {
	switch t {
	case reflect.TypeFor[command]():
		return "list of texts, or one text"
	case reflect.TypeFor[*account](), reflect.TypeFor[account]():
		return "text or number"
	case reflect.TypeFor[*inheritEnvironment]():
		return "true, false or list of texts"
	case reflect.TypeFor[dependencyList]():
		return "list of names or sections"
	}
	switch t.Kind() {
	case reflect.Pointer:
		return typeText(t.Elem())
	case reflect.Slice:
		return "list of " + plural(typeText(t.Elem()))
	case reflect.Map:
		return "mapping of texts"
	case reflect.Struct:
		return "section"
	case reflect.Bool:
		return "true or false"
	case reflect.String:
		return "text"
	case reflect.Float64:
		return "number"
	}
	if t == reflect.TypeFor[child.Seconds]() || t == reflect.TypeFor[child.Millis]() {
		return "number"
	}
	return "whole number"
}

func plural(name string) string {
	if strings.HasSuffix(name, "texts") {
		return "commands"
	}
	if strings.Contains(name, " or ") || strings.Contains(name, ",") {
		return name
	}
	return name + "s"
}

func defaultText(r rules) string {
	switch {
	case r.required:
		return "required"
	case r.preset != "":
		return "`" + r.preset + "`"
	}
	return ""
}

// allowedText is what the tags allow.
func allowedText(r rules) string {
	var parts []string
	switch {
	case r.enum != nil:
		return "`" + strings.Join(r.enum, "`, `") + "`"
	case r.min != nil && r.max != nil:
		parts = append(parts, plain(*r.min)+" to "+plain(*r.max))
	case r.min != nil:
		parts = append(parts, "at least "+plain(*r.min))
	}
	if r.maxLength > 0 {
		parts = append(parts, fmt.Sprintf("at most %d characters", r.maxLength))
	}
	if r.minItems > 0 {
		parts = append(parts, "not empty")
	} else if r.minLength > 0 && r.pattern == nil {
		parts = append(parts, "not empty")
	}
	if r.pattern != nil {
		parts = append(parts, "`"+cell(r.pattern.String())+"`")
	}
	return strings.Join(parts, ", ")
}

// cell is a text that can stand in a cell of a table.
func cell(s string) string { return strings.ReplaceAll(strings.ReplaceAll(s, "|", `\|`), "\n", " ") }
