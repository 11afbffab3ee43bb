package cli

import (
	"encoding/json"
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"sigs.k8s.io/yaml"

	"github.com/reconciler-dev/reconciler/cmd/reconciler/internal/importer"
	"github.com/reconciler-dev/reconciler/pkg/control"
	"github.com/reconciler-dev/reconciler/pkg/desired"
	"github.com/reconciler-dev/reconciler/pkg/runtime/child"
	"github.com/reconciler-dev/reconciler/pkg/runtime/journal"
	"github.com/reconciler-dev/reconciler/pkg/runtime/machine"
	"github.com/reconciler-dev/reconciler/pkg/status"
)

// hostile is what others may write: sequences for a terminal in C0 and in C1, as
// characters and as bytes, a title, text that runs backwards or hides, bytes that are
// no UTF-8, ends of lines, and commands for the runner of a pipeline.
const hostile = "x\x1b[31mred\x7f\u009b31m\u0085\u202eback\u2066\u200f\u2028\u200b\x80\x9b\xff\x1b]0;title\x07\r\n::set-output name=a::b\n::error::boo"

// valid is hostile as JSON can hold it.
var valid = strings.ToValidUTF8(hostile, "\uFFFD")

// dirty says what is not harmless in output; "" if all is. Annotations are lines that
// begin with two colons, as ours do.
func dirty(output string, annotations bool) string {
	for i, r := range output {
		if r != '\n' && r != '\t' && !unicode.IsGraphic(r) || r == utf8.RuneError && !strings.HasPrefix(output[i:], "\uFFFD") {
			return "a control at " + strings.ToValidUTF8(output[max(0, i-20):min(len(output), i+20)], "?")
		}
	}
	for line := range strings.Lines(output) {
		ours := annotations && (strings.HasPrefix(line, "::error file=") || strings.HasPrefix(line, "::warning file=") || strings.HasPrefix(line, "::notice file="))
		if strings.HasPrefix(strings.TrimLeft(line, " \t"), "::") && !ours {
			return "a command to the runner: " + line
		}
	}
	return ""
}

// spoil puts hostile into every text that v can reach.
func spoil(v reflect.Value) {
	switch v.Kind() {
	case reflect.String:
		v.SetString(valid)
	case reflect.Pointer:
		if v.IsNil() {
			v.Set(reflect.New(v.Type().Elem()))
		}
		spoil(v.Elem())
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 1, 1))
		spoil(v.Index(0))
	case reflect.Struct:
		if v.Type() == reflect.TypeFor[time.Time]() {
			v.Set(reflect.ValueOf(today))
			return
		}
		for i := range v.NumField() {
			if v.Type().Field(i).IsExported() {
				spoil(v.Field(i))
			}
		}
	}
}

// hostileWorld is one in which everything that may be hostile is: names of files,
// manifests, what children printed and said, the journal, and the reconciler's answers.
func hostileWorld(t *testing.T) *world {
	w := newWorld(t)
	w.manifest("good.yaml", "name: good\ncommand: [\"sleep\", \"\\e[31m\\u202e\\x9b\"]\n")
	w.running()
	w.manifest("good.yaml", "name: good\ncommand: [\"sleep\", \"\\e[32m\\u202e\\x9b\\n::error::y\"]\n")
	w.manifest("a\x1b[31m\u202e\u009b\x9b\n::error::boo.yaml", "name: bad\n\"\\e[31m\\n::set-output name=a::b\": 1\nkind: \"\\x9b\\u202e\"\n")
	w.manifest("second.yaml", "name: \"\\e[31m\"\n")
	spoilt := func(c *status.Child) {
		kept := *c
		spoil(reflect.ValueOf(c).Elem())
		c.SchemaVersion, c.ID, c.Captured = kept.SchemaVersion, kept.ID, status.Complete
	}
	w.child("good", spoilt)
	w.child("rests", func(c *status.Child) { spoilt(c); c.Phase = child.BackingOff })
	w.child("stands", func(c *status.Child) {
		spoilt(c)
		c.Phase, c.Hold = child.Stopped, &child.Hold{}
		spoil(reflect.ValueOf(c.Hold).Elem())
	})
	w.child("waits", func(c *status.Child) { spoilt(c); c.Phase = child.Pending })
	w.child("root", func(c *status.Child) { spoilt(c); c.Kind = child.Supervisor })
	w.runtime(func(r *status.Runtime) {
		kept := *r
		spoil(reflect.ValueOf(r).Elem())
		r.SchemaVersion, r.State, r.ValidUntil = kept.SchemaVersion, kept.State, kept.ValidUntil
		r.Problems = []desired.Problem{{File: valid, Field: valid, Reason: valid, Hint: valid, Child: "good"}}
	})
	var exit child.Exit
	spoil(reflect.ValueOf(&exit).Elem())
	w.happened(today,
		machine.Fact{Kind: machine.ChildExited, Child: "good", Attempt: 2, Reason: valid, Words: child.Words(valid), Exit: &exit, Correlation: valid, Cause: child.Cause{RequestedBy: valid, Reason: valid}},
		machine.Fact{Kind: machine.OperationChanged, Child: "good", From: valid, To: valid, Reason: valid})
	w.printed("good", hostile+"\n")
	return w
}

// hostileAnswers are those of a reconciler that another user has put in its place.
func hostileAnswers() map[string]func() (int, any) {
	answer := func(v any) func() (int, any) {
		spoil(reflect.ValueOf(v).Elem())
		return always(200, v)
	}
	all := map[string]func() (int, any){
		"GET /v1/health": answer(&control.Health{}), "GET /v1/state": answer(&status.Runtime{}),
		"GET /v1/children": answer(&control.Children{}), "GET /v1/children/good": answer(&status.Child{}),
		"POST /v1/reconcile": answer(&control.Pass{}), "POST /v1/shutdown": answer(&control.ShutdownReport{}),
		"DELETE /v1/children/good": answer(&control.Outcome{}),
		"GET /v1/children/bad":     always(500, control.ErrorBody{Error: control.Error{Code: valid, Message: valid, Hint: valid}}),
	}
	for _, verb := range []string{"restart", "pause", "resume", "quarantine", "signal"} {
		all["POST /v1/children/good/"+verb] = answer(&control.Outcome{})
		all["POST /v1/children/bad/"+verb] = all["GET /v1/children/bad"]
	}
	return all
}

// hostileRuns are lines for every verb, with every form of output.
func hostileRuns(t *testing.T) map[string][][]string {
	file := filepath.Join(t.TempDir(), "f\x1b[31m\u202e\n::error::x")
	if err := os.WriteFile(file, []byte("name: \"\\e[31m\"\nservices: {\"\\u202e\": {command: \"a\\e[31m\\u202e\\n::error::x\"}}\nprocesses: {a: {command: \"\\e\\u202e\"}}\n[program:\x1b[31m\u202e]\ncommand=\x1b[31m\x9b\u202e\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	unit := filepath.Join(t.TempDir(), "a.service")
	if err := os.WriteFile(unit, []byte("[Unit]\nDescription=\x1b[31m\u202e\n[Service]\nExecStart=/bin/sh -c '\x1b[31m\u202e'\nEnvironment=\"A=\u202e\x1b\"\nOdd=\x1b[31m\u009b\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	runs := map[string][][]string{
		"get":        {{"--all"}, {"-o", "wide", "--all"}, {"-o", "json"}, {"-o", "yaml"}, {"-o", "name"}, {"good", "-o", "json"}, {"good", "-o", "yaml"}, {"-o", "jsonpath={[*].failure.reason}"}, {"-o", "jsonpath=" + hostile}, {"-o", hostile}, {hostile}, {"-l", hostile}},
		"describe":   {{"good"}, {"good", "-o", "json"}, {"good", "-o", "yaml"}, {hostile}},
		"why":        {{"good"}, {"rests"}, {"stands"}, {"waits"}, {"root"}, {"good", "-o", "json"}, {hostile}},
		"tree":       {{}, {"-o", "json"}, {"--graph"}, {hostile}},
		"top":        {{"--once"}, {"--sort", hostile}},
		"logs":       {{hostile}, {"good", "waits", "--since", hostile}},
		"events":     {{}, {"-o", "wide"}, {"-o", "json"}, {"-c", hostile}, {"--since", hostile}},
		"health":     {{}, {"-o", "json"}, {"-o", hostile}},
		"wait":       {{"good", "--timeout", "100ms"}, {"bad", "--timeout", "100ms"}, {hostile, "--timeout", "100ms"}},
		"reconcile":  {{}},
		"shutdown":   {{}, {"-o", "json"}},
		"validate":   {{}, {"-o", "json"}, {"-o", "github"}, {"-o", "sarif"}, {hostile}},
		"diff":       {{}, {"-o", "json"}, {"-o", "github"}, {hostile}},
		"import":     {{hostile, file}},
		"schema":     {{}, {hostile}},
		"version":    {{}},
		"run":        {{"--on-exit", hostile}, {hostile}},
		"shim":       {{hostile}},
		"docs":       {{hostile}},
		"help":       {{hostile}},
		"completion": {{hostile}, {"bash"}},
		hostile:      {{}},
	}
	for _, verb := range []string{"restart", "pause", "resume", "quarantine", "signal", "remove"} {
		runs[verb] = [][]string{{"good"}, {"bad"}, {"good", "-o", "json"}, {"good", "bad", hostile}, {"good", "--reason", hostile}}
	}
	for _, format := range importer.Formats() {
		runs["import"] = append(runs["import"], []string{format, file}, []string{format, unit})
	}
	return runs
}

func TestNoVerbPassesOnWhatAnotherOneWroteAsItIs(t *testing.T) {
	w := hostileWorld(t)
	w.daemon(hostileAnswers())
	runs := hostileRuns(t)
	for _, verb := range New(w.opts).Commands() {
		if _, known := runs[verb.Name()]; !known {
			t.Errorf("%s is not played: give it its lines in hostileRuns", verb.Name())
		}
	}
	for _, verb := range slices.Sorted(maps.Keys(runs)) {
		for _, args := range runs[verb] {
			got := w.run(append([]string{verb}, args...)...)

			if why := dirty(got.Out, slices.Contains(args, "github")); why != "" {
				t.Errorf("%q %q: standard output has %q", verb, args, why)
			}
			if why := dirty(got.Err, false); why != "" {
				t.Errorf("%q %q: standard error has %q", verb, args, why)
			}
			if got.Out+got.Err == "" {
				t.Errorf("%q %q printed nothing: what was looked at?", verb, args)
			}
		}
	}
}

func TestOutputForProgramsKeepsItsValue(t *testing.T) {
	w := hostileWorld(t)

	asJSON, asYAML := w.run("get", "good", "-o", "json"), w.run("get", "good", "-o", "yaml")

	var fromJSON, fromYAML status.Child
	if err := json.Unmarshal([]byte(asJSON.Out), &fromJSON); err != nil {
		t.Fatalf("%v in %s", err, asJSON.Out)
	}
	if err := yaml.Unmarshal([]byte(asYAML.Out), &fromYAML); err != nil {
		t.Fatalf("%v in %s", err, asYAML.Out)
	}
	for form, c := range map[string]status.Child{"json": fromJSON, "yaml": fromYAML} {
		if c.Failure.Reason != valid || c.LastExit.LogTail[0] != valid || c.Tags[0] != valid {
			t.Errorf("%s: %q, %q, %q; want %q", form, c.Failure.Reason, c.LastExit.LogTail[0], c.Tags[0], valid)
		}
	}
	var problems []desired.Problem
	out := w.run("validate", "-o", "json").Out
	if err := json.Unmarshal([]byte(out), &problems); err != nil || !slices.ContainsFunc(problems, func(p desired.Problem) bool { return strings.Contains(p.File, "a\x1b[31m\u202e\u009b") }) {
		t.Errorf("%v: the name of the file is not in %s", err, out)
	}
	var item journal.Item
	line, _, _ := strings.Cut(w.run("events", "-o", "json").Out, "\n")
	if err := json.Unmarshal([]byte(line), &item.Entry); err != nil || item.Reason != valid {
		t.Errorf("%v: the reason is %q in %s", err, item.Reason, line)
	}
}

func TestColoursAreOurOwn(t *testing.T) {
	w := hostileWorld(t)
	w.child("crashes", func(c *status.Child) { c.Phase = child.FailedPhase })

	got := w.run("get", "--color", "always")

	if !strings.Contains(got.Out, "\x1b[31mFailed\x1b[0m") {
		t.Errorf("Failed is not red: %q", got.Out)
	}
	if rest := strings.NewReplacer("\x1b[31mFailed\x1b[0m", "", "\x1b[33mBackoff\x1b[0m", "", "\x1b[33mPending\x1b[0m", "").Replace(got.Out); dirty(rest, false) != "" {
		t.Errorf("other sequences: %q", rest)
	}
}

func TestOutputThatIsNoTerminalsIsPassedOnByteByByte(t *testing.T) {
	w := hostileWorld(t)

	got := w.run("logs", "good")

	if got.Out != hostile+"\n" {
		t.Errorf("%q, want what the child printed", got.Out)
	}
}

// TestEverythingIsPrintedByOneOfOurFunctions keeps a new verb from printing past them.
func TestEverythingIsPrintedByOneOfOurFunctions(t *testing.T) {
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	looked := 0
	for _, name := range files {
		if strings.HasSuffix(name, "_test.go") || name == "tell.go" {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(file, func(n ast.Node) bool {
			s, ok := n.(*ast.SelectorExpr)
			if !ok {
				return true
			}
			looked++
			of, _ := s.X.(*ast.Ident)
			printing := strings.HasPrefix(s.Sel.Name, "Print") || strings.HasPrefix(s.Sel.Name, "Fprint") || s.Sel.Name == "WriteString" || s.Sel.Name == "Stdout" || s.Sel.Name == "Stderr"
			if of != nil && printing && (of.Name == "fmt" || of.Name == "io" || of.Name == "os") {
				t.Errorf("%s uses %s.%s: print by tell, write, writeJSON, writeYAML or a table", name, of.Name, s.Sel.Name)
			}
			return true
		})
	}
	if looked == 0 {
		t.Error("no source was looked at")
	}
}
