package cli

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/reconciler-dev/reconciler/internal/harmless"
	"github.com/reconciler-dev/reconciler/pkg/control"
	"github.com/reconciler-dev/reconciler/pkg/runtime/child"
	"github.com/reconciler-dev/reconciler/pkg/status"
)

func TestVerbsOfOthersAreToldWhatToDoInstead(t *testing.T) {
	w := newWorld(t)
	for verb, want := range map[string]string{
		"ps": "`reconciler get`", "stop": "`reconciler pause CHILD`", "start": "`reconciler resume CHILD`", "delete": "remove the manifest",
		"apply": "put a manifest into", "kill": "--signal", "rollout": "`reconciler restart CHILD`", "down": "`reconciler shutdown`",
	} {
		got := w.run(verb)

		if got.Code != Usage || !strings.Contains(got.Err, want) || strings.Contains(got.Err, "did you mean") {
			t.Errorf("%s = %+v; want code 2 and a message with %q", verb, got, want)
		}
	}
}

func TestWhatIsToldInsteadIsThere(t *testing.T) {
	verbs := map[string]bool{}
	for _, c := range New(Options{}).Commands() {
		verbs[c.Name()] = true
	}
	named := regexp.MustCompile("`reconciler ([a-z]+)")
	var seen []string
	for _, e := range elsewhere {
		for _, m := range named.FindAllStringSubmatch(e.instead, -1) {
			if !verbs[m[1]] {
				t.Errorf("instead of %v: there is no verb %s", e.verbs, m[1])
			}
		}
		for _, verb := range e.verbs {
			if verbs[verb] || slices.Contains(seen, verb) {
				t.Errorf("%s is a verb of ours, or is listed twice", verb)
			}
			seen = append(seen, verb)
		}
	}
}

func TestAChildThatIsNotThereHasNoHeaders(t *testing.T) {
	got := three(t).run("get", "wbe")

	if got.Out != "" || got.Code != NoSuchChild || !strings.Contains(got.Err, "did you mean web?") {
		t.Errorf("get wbe = %+v; want no data, code 4 and a suggestion", got)
	}
}

func TestTheLastPartOfAnIDIsEnoughToBeSuggested(t *testing.T) {
	got := three(t).run("describe", "workr")

	if got.Code != NoSuchChild || !strings.Contains(got.Err, "did you mean payments/worker?") {
		t.Errorf("describe workr = %+v; want code 4 and payments/worker", got)
	}
}

func TestATemplateForKubectlsListIsToldOfOurs(t *testing.T) {
	got := three(t).run("get", "-o", "jsonpath={.items[*].child_id}")

	if got.Code != Usage || got.Out != "" || !strings.Contains(got.Err, "write [*] for .items[*]") {
		t.Errorf("get = %+v; want code 2 and how to write it", got)
	}
}

func TestDiffWithADirectoryThatIsNotThereIsAnError(t *testing.T) {
	w := newWorld(t)
	w.running()

	got, allowed := w.run("diff", filepath.Join(t.TempDir(), "manifsets")), w.run("diff", "/nowhere", "--allow-empty")

	if got.Code != diffError || !strings.Contains(got.Err, "manifsets") || strings.Contains(got.Err, "--help") {
		t.Errorf("diff = %+v; want code 2, which directory, and no way to the help", got)
	}
	if allowed.Code == diffError {
		t.Errorf("diff --allow-empty = %+v; want what an empty directory would do", allowed)
	}
}

func TestCommandsSelectWithoutATag(t *testing.T) {
	folder, a, b := childIn("shop", child.Running, "True"), childIn("shop/a", child.Running, "True"), childIn("shop/b", child.Running, "True")
	folder.Kind, b.Tags = child.Supervisor, []string{"mail"}
	w := newWorld(t)
	d := w.daemon(map[string]func() (int, any){
		"GET /v1/children":               always(200, control.Children{Children: []status.Child{folder, a, b}}),
		"POST /v1/children/shop/a/pause": accepted("shop/a", "pause"),
	})

	got := w.run("pause", "-l", "!mail")

	if got.Code != 0 || got.Out != "shop/a: paused\n" {
		t.Errorf("pause -l '!mail' = %+v; want shop/a alone: %v", got, d.requests())
	}
}

func TestASignalThatIsNotThereIsWrongUse(t *testing.T) {
	got := newWorld(t).run("signal", "web", "--signal", "FOO")

	if got.Code != Usage || !strings.Contains(got.Err, "the signals are SIGABRT") {
		t.Errorf("signal FOO = %+v; want code 2 and the signals", got)
	}
}

func TestWhatIsClosedToTheUserIsNotPermitted(t *testing.T) {
	err := &os.PathError{Op: "open", Path: ".reconciler/journal", Err: os.ErrPermission}

	if got := Code(err); got != NotPermitted {
		t.Errorf("code of %v is %d, want 5", err, got)
	}
}

func TestLogsSinceATime(t *testing.T) {
	w := newWorld(t)
	w.printed("web", "2020-01-01T10:00:00.000000000Z old\n2020-01-01T11:00:00.000000000Z new\n")
	w.printed("worker", "plain\n")

	timed, plain, wrong := w.run("logs", "web", "--since", "2020-01-01T10:30:00Z"), w.run("logs", "worker", "--since", "2020-01-01T10:30:00Z"), w.run("logs", "web", "--since", "soon")

	if want := (result{Out: "2020-01-01T11:00:00.000000000Z new\n"}); timed != want {
		t.Errorf("logs --since = %+v, want %+v", timed, want)
	}
	if plain.Out != "plain\n" || !strings.Contains(plain.Err, "the lines have no times") {
		t.Errorf("logs --since of lines without times = %+v; want them, and that it is said", plain)
	}
	if wrong.Code != Usage {
		t.Errorf("logs --since soon = %+v, want code 2", wrong)
	}
}

func TestWhyOfAFolderNamesWhatIsInTroubleInIt(t *testing.T) {
	w := newWorld(t)
	w.runtime(nil)
	w.child("shop", func(c *status.Child) { c.Kind = child.Supervisor })
	w.child("shop/db", func(c *status.Child) {
		c.Phase, c.PID, c.Conditions = child.FailedPhase, nil, nil
	})
	w.child("shop/migrate", func(c *status.Child) {
		c.Phase, c.PID, c.Conditions = child.Completed, nil, nil
	})

	got := w.run("why", "shop")

	if !strings.Contains(got.Out, "shop/db is Failed") || strings.Contains(got.Out, "nothing is wrong") || strings.Contains(got.Out, "migrate") {
		t.Errorf("why shop = %+v; want shop/db, which failed, and not shop/migrate, which is done", got)
	}
}

func TestProgressStaysOnOneLineOfTheTerminal(t *testing.T) {
	var out strings.Builder
	p := &progress{w: harmless.NewWriter(&out), terminal: true, width: func() int { return 20 }}

	p.say([]string{"web"}, []string{"web (3s left)", "payments/worker (4s left)"})

	if want := "\r\x1b[Kwaiting for web (3…"; out.String() != want {
		t.Errorf("progress = %q, want %q", out.String(), want)
	}
}
