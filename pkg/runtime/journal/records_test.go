package journal

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"github.com/reconciler-dev/reconciler/pkg/runtime/child"
	"github.com/reconciler-dev/reconciler/pkg/runtime/machine"
)

func TestTheNewestRecordOfEachChildComesBack(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "state", "records")
	r, recs := store(t, dir)
	if len(recs) != 0 {
		t.Errorf("a new store has %d records", len(recs))
	}

	add(t, r, record("web", 0), record("payments/worker", 0), record("gone", 0))
	add(t, r, record("web", 1), gone("gone", 4))
	add(t, r, gone("other", 3))
	must(t, r.Close())
	_, got := store(t, dir)

	want := []machine.Record{gone("gone", 4), record("payments/worker", 0), record("web", 1)}
	if diff := diffRecords(want, got); diff != "" {
		t.Errorf("records (-want +got):\n%s", diff)
	}
	for path, want := range map[string]fs.FileMode{dir: 0o700, recordsFile(dir): 0o600} {
		info, err := os.Stat(path)
		must(t, err)
		if got := info.Mode().Perm(); got != want {
			t.Errorf("mode of %s = %o, want %o", path, got, want)
		}
	}
}

func TestAChildAddedAgainIsThereOnce(t *testing.T) {
	dir := t.TempDir()
	r, _ := store(t, dir)
	again := record("web", 0)
	again.Incarnation = 2

	add(t, r, record("web", 5), gone("web", 1), again)
	_, got := store(t, dir)

	if diff := diffRecords([]machine.Record{gone("web", 1), again}, got); diff != "" {
		t.Errorf("records (-want +got):\n%s", diff)
	}
}

func TestEveryFieldOfARecordComesBack(t *testing.T) {
	dir, want := t.TempDir(), full()
	want.Spec.InheritEnvironment.All = false // all and some names exclude each other
	r, _ := store(t, dir)

	add(t, r, want)
	_, got := store(t, dir)

	if len(got) != 1 {
		t.Fatalf("%d records, want 1", len(got))
	}
	derived := []cmp.Option{ // not kept on purpose: the record around them says it, or it is spent
		cmpopts.IgnoreFields(machine.Record{}, "Sync"), cmpopts.IgnoreFields(child.Exit{}, "Incarnation"),
		cmpopts.IgnoreFields(child.FileHash{}, "Trouble"),
	}
	if diff := cmp.Diff(want, got[0], derived...); diff != "" {
		t.Errorf("record (-want +got):\n%s", diff)
	}
	if w, g := want.Spec.Hash(), got[0].Spec.Hash(); w != g {
		t.Errorf("hash of the spec is %s, was %s: every child would be replaced", g, w)
	}
}

// The file cut at every byte is what a kill, or a full disk, can leave behind.
func TestAFileCutAnywhereHoldsWhatWasWrittenBefore(t *testing.T) {
	dir := t.TempDir()
	r, _ := store(t, dir)
	written := []machine.Record{record("a", 0), record("b", 0), record("a", 1), gone("b", 2), record("c", 0), record("a", 2)}
	ends, states := []int64{r.size}, []*model{newModel()}
	for i, rec := range written {
		add(t, r, rec)
		m := newModel()
		m.add(written[:i+1]...)
		ends, states = append(ends, r.size), append(states, m)
	}
	whole, err := os.ReadFile(recordsFile(dir))
	must(t, err)

	for cut := ends[0]; cut <= int64(len(whole)); cut++ {
		must(t, os.WriteFile(recordsFile(dir), whole[:cut], 0o600))
		k := 0
		for k+1 < len(ends) && ends[k+1] <= cut {
			k++
		}
		checkReopened(t, dir, cut, states[k])
	}
}

// checkReopened opens the store of a cut file, and sees that it holds what it
// should and can be written.
func checkReopened(t *testing.T, dir string, cut int64, want *model) {
	t.Helper()
	read, err := ReadRecords(dir)
	must(t, err)
	r, got, err := OpenRecords(dir)
	must(t, err)
	defer func() { _ = r.Close() }()
	if diff := cmp.Diff(want.records(), got, cmpopts.EquateEmpty()); diff != "" || r.Damage() != nil {
		t.Fatalf("cut at %d: damage %v, records (-want +got):\n%s", cut, r.Damage(), diff)
	}
	if diff := cmp.Diff(got, read); diff != "" {
		t.Fatalf("cut at %d: ReadRecords differs from OpenRecords:\n%s", cut, diff)
	}
	add(t, r, record("new", 9))
	after, err := ReadRecords(dir)
	must(t, err)
	m := *want
	m.live = map[child.ID]machine.Record{"new": record("new", 9)}
	for id, rec := range want.live {
		m.live[id] = rec
	}
	if diff := cmp.Diff(m.records(), after); diff != "" {
		t.Fatalf("cut at %d, then written: records (-want +got):\n%s", cut, diff)
	}
}

func TestAnyDamageCostsOnlyTheLineItHits(t *testing.T) {
	dir := t.TempDir()
	r, _ := store(t, dir)
	add(t, r, record("a", 0), record("b", 0), record("a", 1), record("c", 0))
	whole, err := os.ReadFile(recordsFile(dir))
	must(t, err)
	valid := map[child.ID][]machine.Record{
		"a": {record("a", 0), record("a", 1)}, "b": {record("b", 0)}, "c": {record("c", 0)},
	}

	for i := range whole {
		dir := t.TempDir()
		rotten := bytes.Clone(whole)
		rotten[i] ^= 0x11
		must(t, os.WriteFile(recordsFile(dir), rotten, 0o600))

		r, got := store(t, dir)

		lost := 1 // or two, if a line end was hit
		if whole[i] == '\n' {
			lost = 2
		}
		if len(got) < len(valid)-lost {
			t.Fatalf("byte %d: only %d records are left", i, len(got))
		}
		for _, rec := range got {
			if !isOneOf(rec, valid[rec.ID]) {
				t.Fatalf("byte %d: a record that was never written: %+v", i, rec)
			}
		}
		if i < len(whole)-1 { // the last newline gone is a line that was cut short
			checkDamage(t, dir, r, rotten, got)
		}
	}
}

func isOneOf(r machine.Record, list []machine.Record) bool {
	for _, o := range list {
		if cmp.Equal(r, o) {
			return true
		}
	}
	return false
}

// checkDamage sees that damage is reported once, that the damaged file is kept,
// and that the one in use is clean.
func checkDamage(t *testing.T, dir string, r *Records, rotten []byte, got []machine.Record) {
	t.Helper()
	d := r.Damage()
	if d == nil || d.Lines == 0 || d.Bytes == 0 {
		t.Fatalf("damage is reported as %v", d)
	}
	if kept, err := os.ReadFile(d.File); err != nil || !bytes.Equal(kept, rotten) {
		t.Fatalf("the file kept aside is not the damaged one: %v", err)
	}
	clean, err := ReadRecords(dir)
	if diff := diffRecords(got, clean); err != nil || diff != "" {
		t.Fatalf("the next look: %v, records (-before +after):\n%s", err, diff)
	}
}

func TestReadingReportsDamageAndWhatCouldBeRead(t *testing.T) {
	dir := t.TempDir()
	r, _ := store(t, dir)
	add(t, r, record("a", 0), record("b", 0))
	data, err := os.ReadFile(recordsFile(dir))
	must(t, err)
	must(t, os.WriteFile(recordsFile(dir), bytes.Replace(data, []byte(`"b"`), []byte(`"x"`), 1), 0o600))

	got, err := ReadRecords(dir)

	var d *Damage
	if !errors.As(err, &d) || d.Lines != 1 || d.File != recordsFile(dir) || !strings.Contains(d.Error(), "1 lines") {
		t.Errorf("error = %v, want a *Damage of one line", err)
	}
	if diff := diffRecords([]machine.Record{record("a", 0)}, got); diff != "" {
		t.Errorf("records (-want +got):\n%s", diff)
	}
	if _, err := ReadRecords(filepath.Join(dir, "none")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("no store: %v, want %v", err, fs.ErrNotExist)
	}
}

func TestAFileOfAnotherVersionIsRefusedAndLeftAlone(t *testing.T) {
	dir := t.TempDir()
	newer := seal(seal(nil, []byte(`{"version":2}`)), []byte(`{"who":"knows"}`))
	must(t, os.WriteFile(recordsFile(dir), newer, 0o600))

	_, _, err := OpenRecords(dir)

	if err == nil || !strings.Contains(err.Error(), "version") {
		t.Errorf("OpenRecords = %v, want an error about the version", err)
	}
	if data, err := os.ReadFile(recordsFile(dir)); err != nil || !bytes.Equal(data, newer) {
		t.Errorf("the file was changed: %q, %v", data, err)
	}
}

func TestTheFileStaysShort(t *testing.T) {
	dir := t.TempDir()
	r, _ := store(t, dir)
	longest := int64(0)

	for i := range 4000 {
		add(t, r, bigRecord("a", i), gone("job", uint64(i)))
		longest = max(longest, r.size)
	}

	if most := slack*r.contents.alive + spare + 8<<10; longest > most {
		t.Errorf("the file grew to %d bytes for %d that count; want at most %d", longest, r.contents.alive, most)
	}
	got, err := ReadRecords(dir)
	must(t, err)
	if diff := diffRecords([]machine.Record{gone("job", 3999), bigRecord("a", 3999)}, got); diff != "" {
		t.Errorf("records (-want +got):\n%s", diff)
	}
}

func TestALeftoverOfAnUnfinishedReplacementDoesNotMatter(t *testing.T) {
	dir := t.TempDir()
	r, _ := store(t, dir)
	add(t, r, record("a", 3))
	must(t, os.WriteFile(recordsFile(dir)+newSuffix, []byte("half of a fi"), 0o600))

	r, got := store(t, dir)
	must(t, r.renew())
	after, err := ReadRecords(dir)

	must(t, err)
	for _, recs := range [][]machine.Record{got, after} {
		if diff := diffRecords([]machine.Record{record("a", 3)}, recs); diff != "" {
			t.Errorf("records (-want +got):\n%s", diff)
		}
	}
}

// A random life: batches, reopenings, replacements, failures that left a rest.
func TestAnyLifeKeepsTheNewestRecords(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		dir, want := t.TempDir(), newModel()
		r, _ := store(t, dir)
		r.spare = 500
		for range rapid.IntRange(1, 40).Draw(rt, "steps") {
			switch rapid.IntRange(0, 7).Draw(rt, "step") {
			case 0:
				must(t, r.Close())
				r, _ = store(t, dir)
				r.spare = 500
			case 1: // killed within a write
				f, err := os.OpenFile(recordsFile(dir), os.O_WRONLY|os.O_APPEND, 0)
				must(t, err)
				_, err = f.WriteString(rapid.StringMatching(`[0-9a-f]{0,9}( \{"id)?`).Draw(rt, "rest"))
				must(t, errors.Join(err, f.Close()))
				r, _ = store(t, dir)
				r.spare = 500
			case 2:
				r.torn, r.suspect = true, rapid.Bool().Draw(rt, "suspect")
			case 3:
				if rapid.IntRange(0, 3).Draw(rt, "delete") == 0 {
					must(t, os.RemoveAll(dir))
					add(t, r, record("z", 0))
					want.add(record("z", 0))
				}
			default:
				batch := rapid.SliceOfN(rapid.Custom(anyRecord), 0, 5).Draw(rt, "batch")
				add(t, r, batch...)
				want.add(batch...)
			}
			got, err := ReadRecords(dir)
			must(t, err)
			if diff := diffRecords(want.records(), got); diff != "" {
				rt.Fatalf("records (-want +got):\n%s", diff)
			}
		}
	})
}

func anyRecord(rt *rapid.T) machine.Record {
	id := child.ID(rapid.SampledFrom([]string{"a", "b", "c", "payments/worker"}).Draw(rt, "id"))
	n := rapid.IntRange(0, 1000).Draw(rt, "number")
	if rapid.IntRange(0, 4).Draw(rt, "gone") == 0 {
		return gone(id, uint64(n))
	}
	r := record(id, n)
	r.Sync = rapid.IntRange(0, 9).Draw(rt, "sync") == 0
	return r
}

func TestReadingWhileADaemonWritesSeesOnlyWholeStates(t *testing.T) {
	dir := t.TempDir()
	r, _ := store(t, dir)
	r.spare = 2000
	add(t, r, record("a", 0))
	done := make(chan error, 1)
	go func() {
		for i := 1; i < 3000; i++ {
			if err := r.Append([]machine.Record{record("a", i)}); err != nil {
				done <- err
				return
			}
		}
		done <- nil
	}()

	last, looks := child.Generation(0), 0
	for running := true; running; looks++ {
		select {
		case err := <-done:
			must(t, err)
			running = false
		default:
		}
		got, err := ReadRecords(dir)
		must(t, err)
		if len(got) != 1 || got[0].Generation < last {
			t.Fatalf("look %d: %+v after generation %d", looks, got, last)
		}
		last = got[0].Generation
	}

	if last != 2999 {
		t.Errorf("generation %d at the end, want 2999", last)
	}
}

func FuzzScanNeverInventsARecord(f *testing.F) {
	line, err := appendLine(header(), record("a", 1))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(line)
	f.Add(append(bytes.Clone(line), line...))
	f.Add(seal(nil, []byte(`{"id":"a","gone":true,"incarnation":3}`)))
	f.Add(seal(nil, []byte(`{"id":"a","spec":[]}`)))
	f.Fuzz(func(t *testing.T, data []byte) {
		for _, text := range [][]byte{data, seal(header(), data)} {
			c, err := scan(bytes.NewReader(text))
			if err != nil {
				continue // another version
			}
			recs, err := c.load(bytes.NewReader(text))
			must(t, err)
			if most := bytes.Count(text, []byte("\n")); len(recs)+c.bad.Lines > most+1 {
				t.Fatalf("%d records and %d damaged lines in %d lines", len(recs), c.bad.Lines, most)
			}
			for _, r := range recs {
				line, err := appendLine(nil, r)
				must(t, err)
				again, err := scan(bytes.NewReader(line))
				if err != nil || again.bad.Lines > 0 {
					t.Fatalf("record %+v was read but cannot be written and read again: %v", r, err)
				}
			}
		}
	})
}
