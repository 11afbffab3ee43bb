package journal

import (
	"fmt"
	"maps"
	"path/filepath"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/reconciler-dev/reconciler/pkg/runtime/child"
	"github.com/reconciler-dev/reconciler/pkg/runtime/machine"
)

func must(t interface {
	Helper()
	Fatal(args ...any)
}, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// record is a small record that differs in every generation.
func record(id child.ID, generation int) machine.Record {
	return machine.Record{
		ID: id, Incarnation: 1, Operation: child.Active, Phase: child.Running,
		Generation: child.Generation(generation), Attempt: child.Attempt(generation + 1),
	}
}

func gone(id child.ID, incarnation uint64) machine.Record {
	return machine.Record{ID: id, Gone: true, Incarnation: incarnation}
}

// bigRecord is about 2 KB, as that of a child with a few exits.
func bigRecord(id child.ID, generation int) machine.Record {
	r := record(id, generation)
	spec := &child.Spec{Kind: child.AsyncWorker, Command: []string{"/srv/app/worker", "--queue", "mail"}}
	for i := range 8 {
		spec.Environment = append(spec.Environment, child.EnvVar{Name: fmt.Sprintf("VARIABLE_%d", i), Value: new("some value")})
	}
	r.Spec = spec
	for i := range 3 {
		r.Exits = append(r.Exits, &child.Exit{Attempt: child.Attempt(i), Kind: child.FailedExit, Reason: "exit code 1",
			LogTail: []string{"a line of output", "another line of output, a little longer"}})
	}
	return r
}

// full is a record with every exported field set, however deep.
func full() machine.Record {
	var r machine.Record
	set(reflect.ValueOf(&r).Elem())
	r.ID, r.Gone = "payments/worker", false
	return r
}

func set(v reflect.Value) {
	if t, ok := v.Addr().Interface().(*time.Time); ok {
		*t = time.Date(2026, 11, 24, 1, 2, 3, 4, time.UTC)
		return
	}
	switch v.Kind() {
	case reflect.Struct:
		for i := range v.NumField() {
			set(v.Field(i))
		}
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		set(v.Elem())
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 2, 2))
		for i := range v.Len() {
			set(v.Index(i))
		}
	case reflect.Map:
		v.Set(reflect.MakeMap(v.Type()))
		key, value := reflect.New(v.Type().Key()).Elem(), reflect.New(v.Type().Elem()).Elem()
		set(key)
		set(value)
		v.SetMapIndex(key, value)
	case reflect.String:
		v.SetString("a \"text\" <&> \u2028 \n")
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Float64:
		v.SetFloat(1.5)
	case reflect.Int, reflect.Int64:
		v.SetInt(1_500_000_000)
	case reflect.Uint32, reflect.Uint64:
		v.SetUint(7)
	default:
		panic("journal test: no value for " + v.Type().String())
	}
}

// store is an open Records that is closed at the end of the test.
func store(t testing.TB, dir string) (*Records, []machine.Record) {
	t.Helper()
	r, recs, err := OpenRecords(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = r.Close() })
	return r, recs
}

func add(t testing.TB, r *Records, recs ...machine.Record) {
	t.Helper()
	must(t, r.Append(recs))
}

// model is what a Records should hold.
type model struct {
	live map[child.ID]machine.Record
	dead *machine.Record
}

func newModel() *model { return &model{live: map[child.ID]machine.Record{}} }

func (m *model) add(recs ...machine.Record) {
	for _, r := range recs {
		r.Sync = false
		if !r.Gone {
			m.live[r.ID] = r
			continue
		}
		delete(m.live, r.ID)
		if m.dead == nil || r.Incarnation >= m.dead.Incarnation {
			m.dead = &r
		}
	}
}

func (m *model) records() []machine.Record {
	var recs []machine.Record
	if m.dead != nil {
		recs = append(recs, *m.dead)
	}
	for _, id := range slices.Sorted(maps.Keys(m.live)) {
		recs = append(recs, m.live[id])
	}
	return recs
}

func diffRecords(want, got []machine.Record) string {
	if len(want)+len(got) == 0 {
		return ""
	}
	return cmp.Diff(want, got)
}

func recordsFile(dir string) string { return filepath.Join(dir, recordsName) }
