package status

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/reconciler-dev/reconciler/pkg/runtime/child"
)

const canary = "hush-4f81c0"

// fill puts a value into every field that v can reach: the canary where captured
// output stands, and a word of ours into other texts.
func fill(v reflect.Value) {
	switch t := v.Type(); {
	case t == wordsType:
		v.SetString(canary)
	case t == outputType:
		v.Set(reflect.ValueOf(child.Output{canary}))
	case v.Kind() == reflect.String:
		v.SetString("ours")
	case v.Kind() == reflect.Pointer:
		v.Set(reflect.New(t.Elem()))
		fill(v.Elem())
	case v.Kind() == reflect.Slice:
		v.Set(reflect.MakeSlice(t, 1, 1))
		fill(v.Index(0))
	case v.Kind() == reflect.Struct:
		for i := range t.NumField() {
			if t.Field(i).IsExported() {
				fill(v.Field(i))
			}
		}
	}
}

func TestWithholdLeavesNoCapturedOutputInAnyFieldAndAllElse(t *testing.T) {
	var c Child
	var r Runtime
	fill(reflect.ValueOf(&c).Elem())
	fill(reflect.ValueOf(&r).Elem())
	before := string(encode(&c)) + string(encode(&r))

	public, publicRuntime := Withhold(c), Withhold(r)

	after := string(encode(&public)) + string(encode(&publicRuntime))
	if n := strings.Count(before, canary); n < 10 { // said, two probes, three exits with words and lines, of both
		t.Fatalf("the canary stands %d times in the whole statuses; want it in every field of captured output", n)
	}
	if strings.Contains(after, canary) {
		t.Errorf("the canary is left:\n%s", after)
	}
	if string(encode(&c))+string(encode(&r)) != before {
		t.Error("the statuses that were withheld from have changed")
	}
	if want := strings.Count(before, `"ours"`); strings.Count(after, `"ours"`) != want-2 { // captured itself is "withheld" now
		t.Errorf("%d words of ours are left of %d", strings.Count(after, `"ours"`), want)
	}
	if public.Captured != Withheld || publicRuntime.Captured != Withheld {
		t.Errorf("captured = %s, %s; want that it tells what was done", public.Captured, publicRuntime.Captured)
	}
}

func TestASnapshotHasCapturedOutputOnlyInFieldsThatAreWithheld(t *testing.T) {
	s := workerSnapshot()
	said := child.Words(canary)
	s.LastExit.Words, s.LastExit.LogTail = said, child.Output{canary}
	s.Said = child.Said{Status: said, Refused: said, Refusals: 1}
	s.Liveness, s.Readiness = child.ProbeState{Words: said, Message: "exit code 1"}, child.ProbeState{Words: said}

	whole := NewChild(s, declared(s))
	public := Withhold(whole)

	if n := strings.Count(string(encode(&whole)), canary); n != 8 {
		t.Errorf("the complete status has the words %d times, want 8: %s", n, encode(&whole))
	}
	if strings.Contains(string(encode(&public)), canary) {
		t.Errorf("the public status has them:\n%s", encode(&public))
	}
	if public.LastExit.Reason != "exit code 1" || public.Health.Liveness.Message != "exit code 1" || public.Said.Refusals != 1 {
		t.Errorf("what is ours is gone: %+v", public)
	}
}

func TestWordsAreNotFormattedByChance(t *testing.T) {
	said := child.Words(canary)

	for _, text := range []string{fmt.Sprint(said), fmt.Sprintf("%s %v %q %+v", said, said, said, child.Exit{Words: said}), fmt.Errorf("it failed: %s", said).Error()} {
		if strings.Contains(text, canary) {
			t.Errorf("formatted: %s", text)
		}
	}
}

// modes are the files below a directory with who may read them.
func modes(t *testing.T, dir string) map[string]string {
	t.Helper()
	found := map[string]string{}
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		info, err := d.Info()
		if err == nil {
			rel, _ := filepath.Rel(dir, path)
			found[rel] = fmt.Sprintf("%04o", info.Mode().Perm())
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// written is a directory in which a writer of o has written everything once.
func written(t *testing.T, dir string, group *int) {
	t.Helper()
	d, err := openDirectory(dir, group)
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	s := workerSnapshot()
	s.LastExit.LogTail = child.Output{canary}
	b := newBoard()
	b.put(s)
	o := b.options()
	o.Group = group
	w := newWriter(d, o)
	w.adopted, w.timer = true, time.NewTimer(time.Hour)
	w.compare(noon)
	w.turn(noon, true, true)
	if err := w.trouble.err(); err != nil {
		t.Fatal(err)
	}
}

func TestAChangeOfTheGroupWritesEveryFileAnewAndNeverOpensWhatIsComplete(t *testing.T) {
	syscall.Umask(0o022)
	dir, own := t.TempDir(), os.Getgid()
	for _, row := range []struct {
		sentence string
		group    *int
		mode     string
		captured Captured
	}{
		{"everybody", nil, "0644", Withheld},
		{"a group", &own, "0640", Complete},
		{"everybody again", nil, "0644", Withheld},
	} {
		written(t, dir, row.group)

		c, err := ReadChild(dir, "payments/worker")
		if err != nil {
			t.Fatal(err)
		}
		want := map[string]string{"payments/worker.json": row.mode, "reconciler.json": row.mode}
		if diff := cmp.Diff(want, modes(t, dir)); diff != "" {
			t.Errorf("%s: modes (-want +got):\n%s", row.sentence, diff)
		}
		if complete := strings.Join(c.LastExit.LogTail, "") == canary; c.Captured != row.captured || complete != (row.captured == Complete) {
			t.Errorf("%s: captured %s, last lines %q", row.sentence, c.Captured, c.LastExit.LogTail)
		}
	}
}

func TestACompleteFileIsClosedBeforeItHasContent(t *testing.T) {
	dir, own := t.TempDir(), os.Getgid()
	d, err := openDirectory(dir, &own)
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()

	f, err := d.create(d.root, ".web.json.tmp-0123456789abcdef")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()

	if diff := cmp.Diff(map[string]string{".web.json.tmp-0123456789abcdef": "0640"}, modes(t, dir)); diff != "" {
		t.Errorf("modes of an empty file (-want +got):\n%s", diff)
	}
}

func TestAFileWhoseModeSomebodyOpenedIsWrittenAnewAtTheStart(t *testing.T) {
	dir, own := t.TempDir(), os.Getgid()
	written(t, dir, &own)
	if err := os.Chmod(filepath.Join(dir, "payments", "worker.json"), 0o644); err != nil {
		t.Fatal(err)
	}

	written(t, dir, &own)

	if got := modes(t, dir)["payments/worker.json"]; got != "0640" {
		t.Errorf("mode = %s after the next start, want 0640", got)
	}
}

func TestAGroupThatFilesCannotBeGivenToIsRefusedAtTheStart(t *testing.T) {
	if os.Geteuid() == 0 {
		t.Skip("root may give files to every group")
	}
	foreign := 1

	_, err := NewWriter(t.TempDir(), Options{Group: &foreign})

	if !errors.Is(err, fs.ErrPermission) || !strings.Contains(err.Error(), "be a member of it, or root") {
		t.Errorf("NewWriter() = %v, want a refusal with the way out", err)
	}
}

func TestAStatusSaysWhetherItIsComplete(t *testing.T) {
	var got struct {
		Captured string
		Last     struct {
			Tail []string `json:"log_tail"`
		} `json:"last_exit"`
	}
	s := workerSnapshot()

	err := json.Unmarshal(public(s, declared(s)), &got)

	if err != nil || got.Captured != "withheld" || got.Last.Tail == nil || len(got.Last.Tail) != 0 {
		t.Errorf("%+v, %v; want captured withheld and a list of no lines", got, err)
	}
}
