package desired

import (
	"fmt"
	"runtime"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/reconciler-dev/reconciler/pkg/runtime/child"
)

func TestWhatIsNoTextIsRefusedUnread(t *testing.T) {
	for name, row := range map[string]struct {
		data string
		want string
	}{
		"a NUL byte":               {"name: a\ntags: [\x00]", "x.yaml:2:8: the file holds the control character 0x00: is it a manifest? (write control characters as escapes in double quotes)"},
		"a program":                {"\x7fELF\x02\x01\x01", "x.yaml:1:1: the file holds the control character 0x7f: is it a manifest? (write control characters as escapes in double quotes)"},
		"Latin-1":                  {"name: a\n# gr\xfc\xdfe", "x.yaml:2:5: the file is not text in UTF-8 (save it as UTF-8)"},
		"UTF-16":                   {"\xff\xfen\x00a\x00", "x.yaml:1:1: the file is not text in UTF-8 (save it as UTF-8)"},
		"line breaks of old Macs":  {"name: a\rtags: []", "x.yaml:1:8: the file holds the line break U+000D, which programs do not agree about (save it with line feeds; inside a text write the character as an escape in double quotes)"},
		"a line separator":         {"name: a # \u2028tags: []", "x.yaml:1:11: the file holds the line break U+2028, which programs do not agree about (save it with line feeds; inside a text write the character as an escape in double quotes)"},
		"a byte more than allowed": {"# " + strings.Repeat("x", MaxFileSize-1), "x.yaml: the file is larger than 1048576 bytes (split it into several files)"},
		"as many bytes as allowed": {"# " + strings.Repeat("x", MaxFileSize-2), "x.yaml: the file declares nothing (add a manifest, at least name: …, or remove the file)"},
	} {
		t.Run(name, func(t *testing.T) {
			manifests, problems := Decode("x.yaml", []byte(row.data))

			if len(manifests) != 0 || len(problems) != 1 || problems[0].String() != row.want {
				t.Errorf("got %d manifests and %v\nwant the problem %s", len(manifests), problems, row.want)
			}
		})
	}
}

func TestLineBreaksOfWindowsAreLineBreaks(t *testing.T) {
	manifests, problems := Decode("x.yaml", []byte("name: a\r\n---\r\n...\r\n---\r\nname: b\r\ncommand: |\r\n  sleep\r\n  10\r\ncomand: x\r\n"))

	if len(manifests) != 1 || manifests[0].Name != "a" {
		t.Errorf("manifests = %v, want a alone", manifests)
	}
	if len(problems) != 1 || problems[0].String() != "x.yaml:9:1: comand: there is no such field (did you mean command?)" {
		t.Errorf("problems = %v, want that of line 9", problems)
	}
}

// TestBombsAreBounded feeds what is small on disk and large in memory, or slow.
// It counts bytes and not time: the parser is linear in what it allocates.
func TestBombsAreBounded(t *testing.T) {
	const most = 128 << 20
	fill := func(s string) string { return strings.Repeat(s, (MaxFileSize-1000)/len(s)) }
	var laughs strings.Builder
	laughs.WriteString("name: a\na: &a [x, x]\n")
	for c := 'b'; c <= 'z'; c++ {
		fmt.Fprintf(&laughs, "%c: &%c [*%c, *%c, *%c, *%c, *%c, *%c, *%c, *%c]\n", c, c, c-1, c-1, c-1, c-1, c-1, c-1, c-1, c-1)
	}
	for name, row := range map[string]struct{ file, data, want string }{
		"a billion laughs":               {"x.yaml", laughs.String(), "x.yaml:8:28: the aliases of this document stand for more than 1048576 bytes"},
		"one long text, repeated":        {"x.yaml", "name: a\ntags:\n- &x " + strings.Repeat("y", 100_000) + "\n" + strings.Repeat("- *x\n", 10_000), "x.yaml:14:3: the aliases of this document stand for more than 1048576 bytes"},
		"lists in lists":                 {"x.yaml", "name: a\ntags: " + fill("["), "x.yaml:1:1: the document has more than 100000 lines and separators"},
		"fewer lists in lists":           {"x.yaml", "name: a\ntags: " + strings.Repeat("[", 90_000), "not YAML: exceeded max depth of 10000"},
		"nine thousand lists in lists":   {"x.yaml", "name: a\ntags: " + strings.Repeat("[", 9_000) + strings.Repeat("]", 9_000), "x.yaml:2:38: nested deeper than 32 levels"},
		"dashes in dashes":               {"x.yaml", fill("- "), "exceeded max depth"},
		"keys in keys":                   {"x.yaml", fill("? "), "x.yaml:1:1: the document has more than 100000 lines and separators"},
		"depth by aliases":               {"x.yaml", "a: &a " + strings.Repeat("[", 20) + strings.Repeat("]", 20) + "\nb: " + strings.Repeat("[", 20) + "*a" + strings.Repeat("]", 20), "x.yaml:2:24: nested deeper than 32 levels"},
		"a list of everything":           {"x.yaml", "name: a\nsuccess_exit_codes: [" + fill("0,") + "]", "x.yaml:1:1: the document has more than 100000 lines and separators"},
		"a list of much":                 {"x.yaml", "name: a\nsuccess_exit_codes: [" + strings.Repeat("0,", 90_000) + "]", ""},
		"comments":                       {"x.yaml", "name: a\n" + strings.Repeat("#\n", 90_000), ""},
		"one comment a document":         {"x.yaml", fill("---\n#\n"), "x.yaml: the file declares nothing"},
		"many documents":                 {"x.yaml", fill("---\nname: a\n"), "x.yaml: the file has more than 10000 documents"},
		"many broken documents":          {"x.yaml", fill("---\nx\n"), "more problems in this file"},
		"many unknown fields":            {"x.yaml", "name: a\n" + manyKeys(45_000), "more problems in this file"},
		"a key of a megabyte":            {"x.yaml", fill("a") + ": 1", "not YAML"},
		"a key of a megabyte in JSON":    {"x.json", `{"` + fill("a") + `": 1}`, "there is no such field"},
		"a text of a megabyte":           {"x.yaml", "name: " + fill("a"), "has 1047576 characters; at most 63 are allowed"},
		"a number of a megabyte":         {"x.yaml", "name: a\nlogs: {max_files: " + fill("1") + "}", "is not a plain number"},
		"lists in lists in JSON":         {"x.json", `{"name": "a", "tags": ` + fill("["), "x.json:1:54: nested deeper than 32 levels"},
		"a list of everything in JSON":   {"x.json", `{"name": "a", "success_exit_codes": [` + fill("0,") + `0]}`, "the document has more than 100000 values"},
		"many variables of one name":     {"x.yaml", "name: a\nenvironment:\n" + strings.Repeat("- {name: A, value: b}\n", 19_000), "more problems in this file"},
		"a regexp of much":               {"x.yaml", "name: a\nreadiness: {log_match: \"" + fill("(a|b)") + "\"}", "at most 4096 are allowed"},
		"broken at the end":              {"x.yaml", "name: a\n" + strings.Repeat("# comment\n", 6_000) + "tags: [", "not YAML: did not find expected node content"},
		"open quotes at every beginning": {"x.yaml", fill("---\n\"\n"), "more problems in this file"},
	} {
		t.Run(name, func(t *testing.T) {
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			manifests, problems := Decode(row.file, []byte(row.data))
			runtime.ReadMemStats(&after)

			if used := after.TotalAlloc - before.TotalAlloc; used > most {
				t.Errorf("decoding %d bytes took %d MB, want at most %d", len(row.data), used>>20, most>>20)
			}
			if row.want == "" {
				if len(manifests) != 1 {
					t.Errorf("%d manifests, problems %.300v; want one sound manifest", len(manifests), problems)
				}
				return
			}
			if len(problems) == 0 || !strings.Contains(problems[len(problems)-1].String(), row.want) {
				t.Errorf("problems %.300v; want one with %q", problems, row.want)
			}
			for _, p := range problems {
				if len(p.String()) > 1000 {
					t.Errorf("a problem of %d bytes: %.200s…", len(p.String()), p)
				}
			}
		})
	}
}

func manyKeys(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "k%d: \n", i)
	}
	return b.String()
}

func TestProblemsOfOneFileAreCounted(t *testing.T) {
	_, problems := Decode("x.yaml", []byte("name: a\n"+manyKeys(maxProblems+5)))

	if len(problems) != maxProblems+1 {
		t.Fatalf("%d problems, want %d and one that counts the others", len(problems), maxProblems)
	}
	if got, want := problems[maxProblems].String(), "x.yaml: there are more problems in this file (mend the first ones)"; got != want {
		t.Errorf("last problem = %q, want %q", got, want)
	}
}

func FuzzDecode(f *testing.F) {
	for _, seed := range []string{
		everyField, "name: a\n---\nname: [b\n---\nname: c", "%YAML 1.2\n---\nname: a", "a: &a [*a]", "name: a\r\n...\r\n# x",
		"name: root\nkind: supervisor\ndefaults: {backoff: {max_delay_ms: 5}}", `{"name": "a", "tags": ["\ud83d"]}`, "? [a]\n: <<", "--- >\n x\n--- |\n y",
	} {
		f.Add(seed, false)
		f.Add(seed, true)
	}
	f.Fuzz(func(t *testing.T, text string, asJSON bool) {
		file := "payments/x.yaml"
		if asJSON {
			file = "payments/x.json"
		}

		manifests, problems := Decode(file, []byte(text))

		if len(manifests) == 0 && len(problems) == 0 {
			t.Error("neither a manifest nor a problem")
		}
		again, sameProblems := Decode(file, []byte(text))
		if diff := cmp.Diff(problems, sameProblems); diff != "" || len(manifests) != len(again) {
			t.Errorf("the second time %d manifests after %d; problems (-first +second):\n%s", len(again), len(manifests), diff)
		}
		lines := 1 + strings.Count(text, "\n")
		for _, p := range problems {
			if p.Reason == "" || p.Line > lines || p.Line > 0 && p.Column < 1 || strings.ContainsAny(p.String(), "\n\r") {
				t.Errorf("problem %+v of a text of %d lines", p, lines)
			}
		}
		for i := range manifests {
			checkManifest(t, &manifests[i], &again[i])
		}
	})
}

// checkManifest demands of m what holds for every manifest. again is m decoded
// once more.
func checkManifest(t *testing.T, m, again *Manifest) {
	if err := child.CheckName(m.Name); err != nil {
		t.Errorf("a sound manifest with the name %q: %v", m.Name, err)
	}
	s, problems := m.Spec("payments", nil, undeclared)
	other, _ := again.Spec("payments", nil, undeclared)
	if (s == nil) != (len(problems) > 0) {
		t.Fatalf("spec %v with problems %v; want one of them", s, problems)
	}
	if s != nil && s.Hash() != other.Hash() {
		t.Errorf("two hashes of one text: %s and %s", s.Hash(), other.Hash())
	}
}
