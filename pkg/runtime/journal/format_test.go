package journal

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/reconciler-dev/reconciler/pkg/runtime/machine"
)

// formats are what this package writes: a record with every field set, the record of
// a child that is gone, and an entry of the journal with every field set. They are
// written with a line for each field, so that a change of one is one line.
func formats(t *testing.T) []byte {
	t.Helper()
	var entry Entry
	set(reflect.ValueOf(&entry).Elem())
	var text bytes.Buffer
	text.Write(header())
	enc := json.NewEncoder(&text)
	enc.SetIndent("", " ")
	for _, v := range []any{full(), gone("payments/old", 7), entry} {
		must(t, enc.Encode(v))
	}
	return text.Bytes()
}

func golden(t *testing.T, name string) []byte {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", name))
	must(t, err)
	return text
}

// A difference that is no new field means that other versions would misread it: then
// version rises, and what the versions before it wrote is still read.
func TestRecordsAndJournalKeepTheirFormat(t *testing.T) {
	text := formats(t)

	if os.Getenv("UPDATE") != "" {
		must(t, os.WriteFile("testdata/formats.golden", text, 0o600))
	}

	if diff := cmp.Diff(string(golden(t, "formats.golden")), string(text)); diff != "" {
		t.Errorf("-golden +now (UPDATE=1 writes it anew):\n%s", diff)
	}
}

// notKept is what the first release wrote and nobody wants to know any more.
var notKept = map[string]bool{
	".spec.not_enforced": true, // derived, see child.Spec.NotEnforced
}

// TestWhatTheFirstReleaseRecordedIsReadWhole decodes what it wrote and encodes it
// again: each value must still be there.
func TestWhatTheFirstReleaseRecordedIsReadWhole(t *testing.T) {
	first, rest, _ := bytes.Cut(golden(t, "formats-first-release.golden"), []byte("\n"))
	if want := strings.TrimSpace(string(header())); string(first) != want {
		t.Errorf("header %q, this version reads %q", first, want)
	}
	dec := json.NewDecoder(bytes.NewReader(rest))
	for _, into := range []any{&machine.Record{}, &machine.Record{}, &Entry{}} {
		var text json.RawMessage
		must(t, dec.Decode(&text))
		must(t, json.Unmarshal(text, into))
		again, err := json.Marshal(into)
		must(t, err)

		was, is := values(t, text), values(t, again)

		if len(was) < 3 {
			t.Errorf("%T: the golden file has only %v", into, was)
		}
		for path, value := range was {
			if is[path] != value && !isNotKept(path) {
				t.Errorf("%T%s was %s, is read as %q", into, path, value, is[path])
			}
		}
	}
}

func isNotKept(path string) bool {
	for p := range notKept {
		if strings.HasPrefix(path, p) {
			return true
		}
	}
	return false
}

// values are all values within a JSON text, by path.
func values(t *testing.T, text []byte) map[string]string {
	t.Helper()
	var v any
	must(t, json.Unmarshal(text, &v))
	found := map[string]string{}
	collect(found, "", v)
	return found
}

func collect(found map[string]string, path string, v any) {
	switch v := v.(type) {
	case map[string]any:
		for key, value := range v {
			collect(found, path+"."+key, value)
		}
	case []any:
		for i, value := range v {
			collect(found, fmt.Sprintf("%s[%d]", path, i), value)
		}
	default:
		found[path] = fmt.Sprintf("%v", v)
	}
}
