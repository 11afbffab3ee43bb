package journal

import (
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/reconciler-dev/reconciler/pkg/runtime/child"
	"github.com/reconciler-dev/reconciler/pkg/runtime/machine"
)

var noon = time.Date(2026, 11, 24, 12, 0, 0, 123, time.FixedZone("", 3600))

func diary(t testing.TB, dir string) *Facts {
	t.Helper()
	f, err := OpenFacts(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = f.Close() })
	return f
}

func started(id child.ID) machine.Fact {
	return machine.Fact{Kind: machine.ChildStarting, Child: id, Attempt: 1}
}

// note appends one fact for each id.
func note(t testing.TB, f *Facts, ids ...child.ID) {
	t.Helper()
	var facts []machine.Fact
	for _, id := range ids {
		facts = append(facts, started(id))
	}
	must(t, f.Append(facts, noon))
}

// told is the diary as "number child" for each entry.
func told(t testing.TB, dir string, since uint64) []string {
	t.Helper()
	var list []string
	for e, err := range Read(dir, Options{After: since}) {
		must(t, err)
		list = append(list, fmt.Sprintf("%d %s", e.Sequence, e.ChildID))
	}
	return list
}

func TestAFactIsOneJSONObjectALine(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "journal")
	f := diary(t, dir)
	facts := []machine.Fact{
		{Kind: machine.ChildPaused, Child: "web", Cause: child.Cause{RequestedBy: "root", Reason: "manual <pause>"}},
		{Kind: machine.BackoffScheduled, Child: "web", Generation: 3, Attempt: 4, PID: 12, Reason: "exit code 1", Delay: 1500 * time.Millisecond,
			Cause: child.Cause{RequestedBy: "runtime", Reason: "restart"}},
		{Kind: machine.ChildExited, Child: "web", Generation: 3, Attempt: 4, PID: 12, Exit: &child.Exit{Kind: child.FailedExit, Code: new(1)}},
	}

	must(t, f.Append(facts, noon))

	data, err := os.ReadFile(filepath.Join(dir, "00000000000000000001.jsonl"))
	must(t, err)
	lines := strings.Split(string(data), "\n")
	want := []string{
		`{"sequence":1,"time":"2026-11-24T11:00:00.000000123Z","type":"child_paused","child_id":"web","generation":0,"attempt":0,"reason":"manual <pause>","requested_by":"root"}`,
		`{"sequence":2,"time":"2026-11-24T11:00:00.000000123Z","type":"backoff_scheduled","child_id":"web","generation":3,"attempt":4,"pid":12,"reason":"exit code 1","requested_by":"runtime","request_reason":"restart","delay_ms":1500}`,
	}
	if diff := cmp.Diff(want, lines[:2]); diff != "" {
		t.Errorf("lines (-want +got):\n%s", diff)
	}
	var exited Entry
	must(t, json.Unmarshal([]byte(lines[2]), &exited))
	if exited.Exit == nil || *exited.Exit.Code != 1 || exited.Sequence != 3 {
		t.Errorf("the exit is told as %s", lines[2])
	}
	info, err := os.Stat(filepath.Join(dir, "00000000000000000001.jsonl"))
	must(t, err)
	if got := info.Mode().Perm(); got != fs.FileMode(0o600) {
		t.Errorf("mode = %o, want 600", got)
	}
}

func TestNumbersGoOnWithoutGapsOverRestartsAndFiles(t *testing.T) {
	dir := t.TempDir()
	want := []string(nil)

	for i := range uint64(30) {
		f := diary(t, dir)
		f.maxSize = 300 // about three entries
		note(t, f, "a", "b")
		must(t, f.Close())
		want = append(want, fmt.Sprintf("%d a", 2*i+1), fmt.Sprintf("%d b", 2*i+2))
	}

	files, err := factFiles(dir)
	must(t, err)
	if len(files) != factsKept {
		t.Errorf("%d files, want %d", len(files), factsKept)
	}
	want = want[files[0]-1:]
	if diff := cmp.Diff(want, told(t, dir, 0)); diff != "" || len(want) < 2*factsKept {
		t.Errorf("entries (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(want[len(want)-5:], told(t, dir, 55)); diff != "" {
		t.Errorf("entries since 55 (-want +got):\n%s", diff)
	}
	if got := told(t, dir, 60); got != nil {
		t.Errorf("entries since the last one: %q", got)
	}
}

func TestADiaryCutAnywhereGoesOn(t *testing.T) {
	dir := t.TempDir()
	f := diary(t, dir)
	ends := []int64{0}
	for range 3 {
		note(t, f, "a-child-with-a-long-name")
		ends = append(ends, f.size)
	}
	path := filepath.Join(dir, factsName(1))
	whole, err := os.ReadFile(path)
	must(t, err)

	for cut := range int64(len(whole) + 1) {
		must(t, os.WriteFile(path, whole[:cut], 0o600))
		var want []string
		for k := 1; k < len(ends) && ends[k] <= cut; k++ {
			want = append(want, fmt.Sprintf("%d a-child-with-a-long-name", k))
		}

		before := told(t, dir, 0)
		f := diary(t, dir)
		note(t, f, "n")
		must(t, f.Close())

		if diff := cmp.Diff(want, before); diff != "" {
			t.Fatalf("cut at %d, read at once (-want +got):\n%s", cut, diff)
		}
		want = append(want, fmt.Sprintf("%d n", len(want)+1))
		if data, err := os.ReadFile(path); err != nil || strings.Count(string(data), "\n") != len(want) || data[len(data)-1] != '\n' {
			t.Fatalf("cut at %d: the file is %q, %v; want whole lines only", cut, data, err)
		}
		if diff := cmp.Diff(want, told(t, dir, 0)); diff != "" {
			t.Fatalf("cut at %d, gone on (-want +got):\n%s", cut, diff)
		}
	}
}

func TestUnreadableLinesKeepTheirNumbers(t *testing.T) {
	rows := []struct {
		name string
		text string
		want uint64 // the next number
	}{
		{"an empty file", "", 7},
		{"only rubbish", "one\ntwo\n", 9},
		{"rubbish at the end", "{\"sequence\":9}\n\x00\x00\n{]\n", 12},
		{"rubbish longer than a look", "{\"sequence\":9}\n" + strings.Repeat(strings.Repeat("x", 1000)+"\n", 700), 710},
		{"a torn end after rubbish", "{\"sequence\":9}\nxx\n{\"sequ", 11},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			dir := t.TempDir()
			must(t, os.WriteFile(filepath.Join(dir, factsName(7)), []byte(row.text), 0o600))

			if f := diary(t, dir); f.next != row.want {
				t.Errorf("next number = %d, want %d", f.next, row.want)
			}
		})
	}
}

func TestADiaryThatIsDeletedUnderADaemonGoesOn(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "journal")
	f := diary(t, dir)
	note(t, f, "a", "b")

	must(t, os.RemoveAll(dir))
	note(t, f, "c")

	if diff := cmp.Diff([]string{"3 c"}, told(t, dir, 0)); diff != "" {
		t.Errorf("entries (-want +got):\n%s", diff)
	}
}

func TestARestThatCouldNotBeCutOffIsCutOffLater(t *testing.T) {
	dir := t.TempDir()
	f := diary(t, dir)
	note(t, f, "a")
	path := filepath.Join(dir, factsName(1))
	whole, err := os.ReadFile(path)
	must(t, err)
	must(t, os.WriteFile(path, append(whole, "{\"sequence\":2,\"child_id\":\"half of a long "...), 0o600))

	f.torn = true
	note(t, f, "b")

	if diff := cmp.Diff([]string{"1 a", "2 b"}, told(t, dir, 0)); diff != "" {
		t.Errorf("entries (-want +got):\n%s", diff)
	}
}

func TestNothingIsReadWhereThereIsNoDiary(t *testing.T) {
	if got := told(t, filepath.Join(t.TempDir(), "none"), 0); got != nil {
		t.Errorf("entries %q, want none", got)
	}
}
