package reconcile

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

func TestEveryFieldOfASpecHasANameAndAClass(t *testing.T) {
	for _, f := range specFields {
		if f.name == "" || f.name == "-" {
			t.Errorf("a field of child.Spec has no JSON name: %+v", f)
		}
		switch f.class {
		case ClassLive, ClassReload, ClassRestart:
		default:
			t.Errorf("field %s of child.Spec has the class %q; want live, reload or restart", f.name, f.class)
		}
	}
}

func TestDiffNamesTheFieldsAsTheManifestDoes(t *testing.T) {
	for name, tc := range map[string]struct {
		from, to string
		want     []Difference
	}{
		"equal":            {`{"tags":["a"]}`, `{"tags":["a"]}`, nil},
		"empty is as none": {`{"tags":[]}`, `{}`, nil},
		"a word":           {`{"working_dir":"/a"}`, `{"working_dir":"/b"}`, []Difference{{"working_dir", "/a", "/b", ClassRestart}}},
		"a list of words is one value": {`{"command":["a","<b>"]}`, `{"command":["a","c"]}`,
			[]Difference{{"command", `["a","<b>"]`, `["a","c"]`, ClassRestart}}},
		"a field of a field": {`{"shutdown":{"signal":"SIGTERM","graceful_timeout_secs":5}}`, `{"shutdown":{"signal":"SIGTERM","graceful_timeout_secs":7.5}}`,
			[]Difference{{"shutdown.graceful_timeout_secs", "5", "7.5", ClassLive}}},
		"a whole block appears": {`{}`, `{"restart_limit":{"max_restarts":3,"window_secs":60}}`,
			[]Difference{{"restart_limit", "", `{"max_restarts":3,"window_secs":60}`, ClassLive}}},
		"an inlined handler": {`{"readiness":{"tcp":{"port":1}}}`, `{"readiness":{"tcp":{"port":2}}}`,
			[]Difference{{"readiness.tcp.port", "1", "2", ClassLive}}},
		"a value of the environment is hidden": {`{"environment":[{"name":"A","value":"1"},{"name":"B","value":"2"}]}`, `{"environment":[{"name":"A","value":"1"},{"name":"B","value":"3"}]}`,
			[]Difference{{"environment[1].value", Hidden, Hidden, ClassRestart}}},
		"an empty value is hidden too": {`{"environment":[{"name":"A","value":""}]}`, `{"environment":[{"name":"A","value":"3"}]}`,
			[]Difference{{"environment[0].value", Hidden, Hidden, ClassRestart}}},
		"an element in front is one difference": {`{"environment":[{"name":"B","value":"2"}]}`, `{"environment":[{"name":"A","value":"1"},{"name":"B","value":"2"}]}`,
			[]Difference{{"environment[0]", "", `{"name":"A","value":"(not shown)"}`, ClassRestart}}},
		"an element is gone": {`{"environment":[{"name":"A","value":"1"},{"name":"B","secret_ref":"${B}"}]}`, `{"environment":[{"name":"A","value":"1"}]}`,
			[]Difference{{"environment[1]", `{"name":"B","secret_ref":"${B}"}`, "", ClassRestart}}},
		"a new order": {`{"environment":[{"name":"A","value":"1"},{"name":"B","value":"1"}]}`, `{"environment":[{"name":"B","value":"1"},{"name":"A","value":"1"}]}`,
			[]Difference{{"environment", "A, B", "B, A", ClassRestart}}},
		"the first variable": {`{}`, `{"environment":[{"name":"A","value":"s3cret"}]}`,
			[]Difference{{"environment", "", `[{"name":"A","value":"(not shown)"}]`, ClassRestart}}},
		"two of one name": {`{"environment":[{"name":"A","value":"s3cret"},{"name":"A","value":"s3cret"}]}`, `{"environment":[{"name":"A","value":"s3cret"}]}`,
			[]Difference{{"environment", `[{"name":"A","value":"(not shown)"},{"name":"A","value":"(not shown)"}]`, `[{"name":"A","value":"(not shown)"}]`, ClassRestart}}},
		"a header is hidden": {`{"readiness":{"http":{"headers":{"Authorization":"a"}}}}`, `{"readiness":{"http":{"headers":{"Authorization":"b","Accept":"c"}}}}`,
			[]Difference{{"readiness.http.headers.Accept", "", Hidden, ClassLive}, {"readiness.http.headers.Authorization", Hidden, Hidden, ClassLive}}},
		"a switch": {`{}`, `{"suspend":true}`, []Difference{{"suspend", "", "true", ClassLive}}},
	} {
		t.Run(name, func(t *testing.T) {
			got := Diff(specOf(t, tc.from), specOf(t, tc.to))

			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("Diff(%s, %s) (-want +got):\n%s", tc.from, tc.to, diff)
			}
		})
	}
}

// Both were the whole environment once: an upgrade finds the one where the other is
// in force, and restarts nothing.
func TestAWholeEnvironmentThatSomebodyAsksForIsALiveChangeOfItsField(t *testing.T) {
	silent := specOf(t, `{"inherit_environment":true,"run_as":{"user":"app"}}`)
	said := specOf(t, `{"inherit_environment":true,"run_as":{"user":"app"},"whole_environment":true}`)

	got := Diff(silent, said)

	if len(got) != 1 || got[0].String() != "inherit_environment: none -> true (live)" {
		t.Errorf("differences = %v, want one of inherit_environment that is live", got)
	}
}

func TestDiffIsEmptyExactlyWhenTheHashesAreEqual(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a, b := drawSpec(t, "a"), drawSpec(t, "a")

		if got, want := len(Diff(a, b)) == 0, a.Hash() == b.Hash(); got != want {
			t.Fatalf("no difference = %v, equal hash = %v\n%+v\n%+v", got, want, a, b)
		}
	})
}

func TestDifferenceReadsAsALine(t *testing.T) {
	got := Difference{Field: "suspend", New: "true", Class: ClassLive}.String()

	if want := "suspend: none -> true (live)"; got != want {
		t.Errorf("String() = %q, want %q", got, want)
	}
}

func BenchmarkDiff(b *testing.B) {
	from := specOf(b, `{"command":["a","b"],"tags":["x"],"environment":[{"name":"A","value":"1"}],"shutdown":{"signal":"SIGTERM"},"readiness":{"tcp":{"port":1}}}`)
	to := specOf(b, `{"command":["a","b"],"tags":["y"],"environment":[{"name":"A","value":"1"}],"shutdown":{"signal":"SIGTERM"},"readiness":{"tcp":{"port":1}}}`)
	b.ReportAllocs()
	for b.Loop() {
		if len(Diff(from, to)) != 1 {
			b.Fatal("want one difference")
		}
	}
}
