package child

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestIDsThatCouldLeaveTheirFolderAreRefused(t *testing.T) {
	for _, s := range []string{"", "/", "a/", "/a", "a//b", "..", "a/../b", ".", "a b", "a\x00b", "1a", "-a", "ä", strings.Repeat("a", 64), strings.Repeat("a/", 32) + "a"} {
		if id, err := ParseID(s); err == nil {
			t.Errorf("ParseID(%q) = %q, want an error", s, id)
		}
	}
	for _, s := range []string{"a", "_a", "payments/worker-1", strings.Repeat("a", 63), strings.Repeat("a/", 31) + "a"} {
		if id, err := ParseID(s); err != nil || string(id) != s {
			t.Errorf("ParseID(%q) = %q, %v; want it as it is", s, id, err)
		}
	}
}

func TestPartsOfAnID(t *testing.T) {
	id := Join("a/b", "c")
	if id.Name() != "c" || id.Folder() != "a/b" || id.Path() != "/a/b/c" {
		t.Errorf("name %q, folder %q, path %q of %q", id.Name(), id.Folder(), id.Path(), id)
	}
	if root := Join("", "c"); root.Folder() != "" || root.Name() != "c" {
		t.Errorf("folder %q, name %q of %q", root.Folder(), root.Name(), root)
	}
}

func TestKeysAreOrderedByIncarnationFirst(t *testing.T) {
	at := func(incarnation uint64, g Generation) Key {
		return Key{ID: "a", Incarnation: incarnation, Generation: g}
	}
	old, next, reborn := at(1, 7), at(1, 8), at(2, 0)
	if !old.OlderThan(next) || !next.OlderThan(reborn) || reborn.OlderThan(old) || old.OlderThan(old) {
		t.Error("want a#1.7 < a#1.8 < a#2.0, and none older than itself")
	}
}

func TestKeysReadAsTheyAreWritten(t *testing.T) {
	for _, k := range []Key{
		{ID: "a", Incarnation: 1},
		{ID: "payments/worker", Incarnation: 7, Generation: 3},
		{ID: "payments/worker", Incarnation: 7, Generation: 3, Role: PreStop, Run: 2},
	} {
		if got, ok := ParseKey(k.String()); !ok || got != k {
			t.Errorf("ParseKey(%q) = %v, %v", k, got, ok)
		}
	}
	for _, s := range []string{"", "a", "a#", "a#1", "a#1.x", "a#1.2:", "a#1.2:pre_stop", "a#1.2:pre_stop.x", "a#1.2:pre_stop.0x", "a#01.2"} {
		if got, ok := ParseKey(s); ok {
			t.Errorf("ParseKey(%q) = %v, want nothing", s, got)
		}
	}
	if k := (Key{ID: "a", Generation: 3, Role: PreStop, Run: 2}); k.Attempt() != (Key{ID: "a", Generation: 3}) || k.OlderThan(k) || !k.OlderThan(Key{ID: "a", Generation: 3, Role: PreStop, Run: 3}) {
		t.Errorf("%v: attempt %v", k, k.Attempt())
	}
}

func TestDurationsAreNumbersInTheirUnit(t *testing.T) {
	var s Seconds
	if err := json.Unmarshal([]byte("1.5"), &s); err != nil || s.Duration() != 1500*time.Millisecond {
		t.Errorf("1.5 s = %v, %v", s.Duration(), err)
	}
	var m Millis
	if err := json.Unmarshal([]byte("10"), &m); err != nil || m.Duration() != 10*time.Millisecond {
		t.Errorf("10 ms = %v, %v", m.Duration(), err)
	}
	for _, bad := range []string{"-1", "1e300", `"1"`} {
		if err := json.Unmarshal([]byte(bad), &s); err == nil {
			t.Errorf("%s was taken for a duration: %v", bad, s)
		}
	}
}

func TestInheritEnvironmentReadsLikeAManifest(t *testing.T) {
	for text, want := range map[string]InheritEnvironment{
		"true": {All: true}, "false": {}, `["PATH","HOME"]`: {Names: []string{"PATH", "HOME"}},
	} {
		var got InheritEnvironment
		if err := json.Unmarshal([]byte(text), &got); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", text, diff)
		}
		if back, err := json.Marshal(got); err != nil || string(back) != text {
			t.Errorf("written again: %s, %v; want %s", back, err, text)
		}
	}
	var in InheritEnvironment
	if err := json.Unmarshal([]byte(`"yes"`), &in); err == nil {
		t.Errorf("a string was taken: %+v", in)
	}
}

func TestEveryFieldChangesTheHash(t *testing.T) {
	seen := map[string]string{(&Spec{}).Hash(): "no field"}
	typ := reflect.TypeFor[Spec]()
	for i := range typ.NumField() {
		var s Spec
		fill(reflect.ValueOf(&s).Elem().Field(i))
		h := s.Hash()
		if other, ok := seen[h]; ok {
			t.Errorf("a spec with %s has the hash of one with %s", typ.Field(i).Name, other)
		}
		seen[h] = typ.Field(i).Name
	}
}

// fill sets v to something that is not zero.
func fill(v reflect.Value) {
	switch v.Kind() {
	case reflect.String:
		v.SetString("x")
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Int, reflect.Int64:
		v.SetInt(int64(time.Second))
	case reflect.Float64:
		v.SetFloat(0.5)
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fill(v.Elem())
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 1, 1))
		fill(v.Index(0))
	case reflect.Map:
		v.Set(reflect.MakeMap(v.Type()))
	case reflect.Struct:
		for i := range v.NumField() {
			fill(v.Field(i))
		}
	}
}

func TestAChildOfAnotherUserInheritsOnlyWhatItsManifestSays(t *testing.T) {
	app, all := &RunAs{User: "app"}, InheritEnvironment{All: true}
	cleaned := InheritEnvironment{Names: clean}
	named := InheritEnvironment{Names: []string{"AWS_PROFILE"}}
	for name, row := range map[string]struct {
		spec Spec
		want InheritEnvironment
	}{
		"nothing said":             {Spec{InheritEnvironment: all, RunAs: app}, cleaned},
		"true said":                {Spec{InheritEnvironment: all, RunAs: app, WholeEnvironment: true}, all},
		"false said":               {Spec{RunAs: app}, InheritEnvironment{}},
		"names said":               {Spec{InheritEnvironment: named, RunAs: app}, named},
		"root said":                {Spec{InheritEnvironment: all, RunAs: &RunAs{User: "root"}}, cleaned},
		"a group only":             {Spec{InheritEnvironment: all, RunAs: &RunAs{Group: "app"}}, all},
		"the reconciler's own":     {Spec{InheritEnvironment: all}, all},
		"nothing said, with umask": {Spec{InheritEnvironment: all, RunAs: &RunAs{Umask: "0027"}}, all},
	} {
		if diff := cmp.Diff(row.want, row.spec.Inherited()); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}
