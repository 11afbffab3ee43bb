package harmless

import (
	"bytes"
	"encoding/json"
	"os"
	"strings"
	"testing"
	"testing/iotest"
	"unicode"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"
)

// hostile is one of everything that is not to reach a terminal, with words between.
const hostile = "a\x1b[31mb\x07\x7f\u009b31m\u0085\u202e\u2066\u200e\u200f\u2028\u2029\u200b\u00ad\ufeff\U000e0041\x80\x9b\xff::set-output name=x::y\r\n::error::z\x1b]0;title\x07"

func hasControls(s string) bool {
	for i, r := range s {
		if r != '\n' && r != '\t' && !unicode.IsGraphic(r) || r == utf8.RuneError && !strings.HasPrefix(s[i:], "\uFFFD") {
			return true
		}
	}
	return false
}

func TestWhatIsNotGraphicIsEscapedForEachTarget(t *testing.T) {
	for name, got := range map[string]string{
		"Text": Text(hostile), "Lines": Lines(hostile), "GitHub": GitHub(hostile, hostile), "Property": Property(hostile),
	} {
		if hasControls(got) || !strings.Contains(got, `\x1b[31mb`) || !strings.Contains(got, `\u202e`) || !strings.Contains(got, `\x9b`) {
			t.Errorf("%s: %q", name, got)
		}
	}
	for name, one := range map[string]string{"Text": Text(hostile), "GitHub": GitHub(hostile, hostile), "Property": Property(hostile)} {
		if strings.ContainsAny(one, "\n\r") {
			t.Errorf("%s has several lines: %q", name, one)
		}
	}
	if got := Property("a:b,c%d"); got != "a%3Ab%2Cc%25d" {
		t.Errorf("Property() = %q", got)
	}
}

func TestOrdinaryTextStaysAsItIs(t *testing.T) {
	for _, s := range []string{"", "payments/worker", "größer 日本語 👍🏽 e\u0301 \u00a0 → … “x” \uFFFD", `C:\dir\new`} {
		if Text(s) != s || Lines(s+"\n\t") != s+"\n\t" {
			t.Errorf("Text(%q) = %q, Lines() = %q", s, Text(s), Lines(s+"\n\t"))
		}
	}
	if got := Text("at\tmain.go"); got != "at main.go" {
		t.Errorf("a tab became %q", got)
	}
}

func TestJSONAndYAMLKeepTheirValueWithoutControls(t *testing.T) {
	type list struct {
		Texts map[string]string `json:"texts"`
		Empty []string          `json:"empty"`
		N     int               `json:"n"`
	}
	in := list{Texts: map[string]string{"plain": "no", "hostile": strings.ToValidUTF8(hostile, "\uFFFD"), "turned \u202e": "\u202e", "high": "\U000e0041"}, Empty: []string{}, N: 3}
	text, err := json.MarshalIndent(in, "", "  ")
	if err != nil {
		t.Fatal(err)
	}

	asJSON := JSON(text)
	asYAML, err := YAML(in)
	if err != nil {
		t.Fatal(err)
	}

	var fromJSON, fromYAML list
	if err := json.Unmarshal(asJSON, &fromJSON); err != nil {
		t.Errorf("%v in %s", err, asJSON)
	}
	if err := yaml.Unmarshal(asYAML, &fromYAML); err != nil {
		t.Errorf("%v in %s", err, asYAML)
	}
	for name, want := range in.Texts {
		if fromJSON.Texts[name] != want || fromYAML.Texts[name] != want {
			t.Errorf("%q: JSON %q, YAML %q, want %q", name, fromJSON.Texts[name], fromYAML.Texts[name], want)
		}
	}
	if hasControls(string(asJSON)) || hasControls(string(asYAML)) {
		t.Errorf("controls are left:\n%q\n%q", asJSON, asYAML)
	}
}

func TestYAMLOfOrdinaryValuesIsThatOfKubernetes(t *testing.T) {
	got, err := YAML(map[string]any{"b": []string{"x", "no"}, "a": "e\u0301"})

	if want := "a: e\u0301\nb:\n- x\n- \"no\"\n"; err != nil || string(got) != want {
		t.Errorf("%q, %v; want %q", got, err, want)
	}
}

func TestWriterLetsPassOnlyWhatIsMarked(t *testing.T) {
	text := Own("\x1b[31m") + "red\t" + hostile + Own("\x1b[0m") + "\x00 ü\n"
	var want bytes.Buffer
	w := NewWriter(&want)
	if _, err := w.Write([]byte(text)); err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(want.String(), "\x1b[31mred\ta") || !strings.HasSuffix(want.String(), "\x1b[0m\\x00 ü\n") {
		t.Errorf("written: %q", want.String())
	}
	if rest := strings.ReplaceAll(strings.ReplaceAll(want.String(), "\x1b[31mred", ""), "\x1b[0m", ""); hasControls(rest) {
		t.Errorf("controls passed: %q", rest)
	}

	// The same byte by byte: neither a character nor a mark is torn.
	var torn bytes.Buffer
	w = NewWriter(&torn)
	for _, b := range []byte(text) {
		if _, err := w.Write([]byte{b}); err != nil {
			t.Fatal(err)
		}
	}
	if torn.String() != want.String() {
		t.Errorf("byte by byte:\n%q\nwant\n%q", torn.String(), want.String())
	}
}

func TestAMarkThatSomebodyElseMadeIsNone(t *testing.T) {
	forged := strings.Replace(Own("\x1b[31m"), marker[1:], strings.Repeat("A", len(marker)-1), 1)
	var b bytes.Buffer

	_, err := NewWriter(&b).Write([]byte(forged + "red\n"))

	if err != nil || hasControls(b.String()) || !strings.HasSuffix(b.String(), "\\x1b[31mred\n") {
		t.Errorf("written: %q, %v", b.String(), err)
	}
}

func TestFlushWritesWhatNeverBecameWhole(t *testing.T) {
	for _, text := range []string{"x\xe2\x82", "x" + marker[:5], "x" + marker + "\x05ab"} {
		var b bytes.Buffer
		w := NewWriter(&b)
		_, err := w.Write([]byte(text))
		if err == nil {
			err = w.Flush()
		}

		if err != nil || len(b.String()) <= 1 || hasControls(b.String()) {
			t.Errorf("%q: %q, %v", text, b.String(), err)
		}
	}
}

func TestAWriterSaysWhatItsFileSays(t *testing.T) {
	w := NewWriter(iotest.TruncateWriter(os.Stderr, 0))

	if NewWriter(w) != w || File(w) != nil || File(NewWriter(os.Stdout)) != os.Stdout {
		t.Error("a writer around a writer, or a file behind one, is another one")
	}
}

func FuzzWriter(f *testing.F) {
	f.Add([]byte(hostile), 3)
	f.Add([]byte("\xf0\x9f\x91"), 1)
	f.Fuzz(func(t *testing.T, text []byte, cut int) {
		var b bytes.Buffer
		w := NewWriter(&b)
		cut = min(max(cut, 0), len(text))
		for _, part := range [][]byte{text[:cut], text[cut:]} {
			if _, err := w.Write(part); err != nil {
				t.Fatal(err)
			}
		}
		if err := w.Flush(); err != nil || hasControls(b.String()) {
			t.Errorf("%q became %q, %v", text, b.String(), err)
		}
	})
}
