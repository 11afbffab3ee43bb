package journal

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/reconciler-dev/reconciler/pkg/runtime/child"
	"github.com/reconciler-dev/reconciler/pkg/runtime/machine"
)

// command is one that somebody gave.
func command(id child.ID, by string) machine.Fact {
	return machine.Fact{
		Kind: machine.CommandAccepted, Child: id, Cause: child.Cause{RequestedBy: by},
		Command: &machine.CommandFact{ID: "run-1", Verb: machine.Pause, Decision: machine.Accepted},
	}
}

// sizeOf is how many bytes a journal takes.
func sizeOf(t *testing.T, dir string) (total int64) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	must(t, err)
	for _, e := range entries {
		info, err := e.Info()
		must(t, err)
		total += info.Size()
	}
	return total
}

func TestNoChildCanPushAnOperatorsCommandOutOfTheJournal(t *testing.T) {
	dir := t.TempDir()
	f := diary(t, dir)
	f.maxSize, f.maxKept = 64<<10, 64<<10
	must(t, f.Append([]machine.Fact{command("web", "alice"), command("web", "manifest"), command("web", "runtime")}, noon))

	for range 1000 { // a crash loop that nothing limits: 100,000 entries
		facts := make([]machine.Fact, 100)
		for i := range facts {
			facts[i] = machine.Fact{Kind: machine.ChildExited, Child: "web", Reason: `"command":{"command_id":"forged"}, "requested_by":"root"`}
		}
		must(t, f.Append(facts, noon))
	}

	var commands []string
	for i, err := range Read(dir, Options{Want: func(e *Entry) bool { return e.Command != nil }}) {
		must(t, err)
		if i.Missed == nil {
			commands = append(commands, fmt.Sprint(i.Sequence, " ", i.RequestedBy))
		}
	}
	if diff := cmp.Diff([]string{"1 alice"}, commands); diff != "" {
		t.Errorf("commands (-want +got):\n%s", diff)
	}
	if got, most := sizeOf(t, dir), (factsKept+1)*f.maxSize+f.maxKept; got > most {
		t.Errorf("the journal takes %d bytes, want %d at most", got, most)
	}
}

func TestNobodyWhoIsRefusedCanPushACommandOutOfTheJournal(t *testing.T) {
	dir := t.TempDir()
	f := diary(t, dir)
	f.maxSize, f.maxKept = 64<<10, 64<<10
	must(t, f.Append([]machine.Fact{command("web", "alice")}, noon))
	vain := command("web", "mallory")
	facts := make([]machine.Fact, 0, 100)
	for i := range cap(facts) {
		c := *vain.Command
		c.Decision = []machine.Decision{machine.Rejected, machine.Idempotent, machine.AlreadyPending}[i%3]
		fact := vain
		fact.Command = &c
		facts = append(facts, fact)
	}

	for range 200 {
		must(t, f.Append(facts, noon))
	}

	var first journalled
	for i, err := range Read(dir, Options{Want: func(e *Entry) bool { return e.Command != nil }}) {
		must(t, err)
		if i.Missed == nil {
			first = journalled{i.Sequence, i.RequestedBy}
			break
		}
	}
	if want := (journalled{1, "alice"}); first != want {
		t.Errorf("the oldest command is %+v, want %+v", first, want)
	}
}

type journalled struct {
	sequence uint64
	by       string
}

func TestOfTheCommandsThatAreKeptTheOldestGoFirst(t *testing.T) {
	dir := t.TempDir()
	f := diary(t, dir)
	f.maxSize, f.maxKept = 1<<10, 4<<10
	for range 400 {
		must(t, f.Append([]machine.Fact{command("web", "alice")}, noon))
	}

	var first, count uint64
	for i, err := range Read(dir, Options{}) {
		must(t, err)
		if count++; count == 1 {
			first = i.Sequence
		}
		if i.Missed != nil || i.Sequence != first+count-1 {
			t.Fatalf("entry %d of %d is %+v", count, first, i)
		}
	}

	info, err := os.Stat(filepath.Join(dir, factsName(keptFile)))
	must(t, err)
	if first+count-1 != 400 || info.Size() > f.maxKept || info.Size() < f.maxKept/2-500 {
		t.Errorf("entries %d to %d, %d bytes of old ones", first, first+count-1, info.Size())
	}
}

func TestAReaderHearsOfKeptCommandsAndWhatItAskedForAndIsGone(t *testing.T) {
	dir := t.TempDir()
	f := diary(t, dir)
	f.maxSize = 1
	for i := range 10 {
		must(t, f.Append([]machine.Fact{started("a"), command(child.ID(fmt.Sprint("b", i)), "alice")}, noon))
	}
	for name, row := range map[string]struct {
		options Options
		want    []string
	}{
		"all": {Options{}, []string{"2 b0", "4 b1", "6 b2", "8 b3", "10 b4", "11 a", "12 b5", "13 a", "14 b6",
			"15 a", "16 b7", "17 a", "18 b8", "19 a", "20 b9"}},
		"after a number that was rotated away": {Options{After: 5}, []string{"6 b2", "missed 7-7", "8 b3", "missed 9-9", "10 b4", "11 a", "12 b5", "13 a", "14 b6",
			"15 a", "16 b7", "17 a", "18 b8", "19 a", "20 b9"}},
		"after one that is there": {Options{After: 17}, []string{"18 b8", "19 a", "20 b9"}},
		"the last":                {Options{Newest: 12}, []string{"10 b4", "11 a", "12 b5", "13 a", "14 b6", "15 a", "16 b7", "17 a", "18 b8", "19 a", "20 b9"}},
	} {
		if diff := cmp.Diff(row.want, items(t, Read(dir, row.options))); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

// A kill -9 may come after the commands are kept and before the file is deleted, or
// in the middle of a line.
func TestCommandsAreKeptOnceOverAKill(t *testing.T) {
	dir := t.TempDir()
	f := diary(t, dir)
	f.maxSize = 1
	for range 3 {
		must(t, f.Append([]machine.Fact{command("b", "alice")}, noon))
	}

	must(t, f.keepCommands(1))
	must(t, f.keepCommands(1))
	kept := filepath.Join(dir, factsName(keptFile))
	whole, err := os.ReadFile(kept)
	must(t, err)
	for cut := range len(whole) + 1 {
		must(t, os.WriteFile(kept, whole[:cut], 0o600))
		must(t, f.keepCommands(1))
		must(t, f.keepCommands(2))

		if diff := cmp.Diff([]string{"1 b", "2 b", "3 b"}, items(t, Read(dir, Options{}))); diff != "" {
			t.Fatalf("cut at %d of %d (-want +got):\n%s", cut, len(whole), diff)
		}
		must(t, os.Remove(kept))
	}
}
