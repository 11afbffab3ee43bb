package journal

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/reconciler-dev/reconciler/pkg/runtime/child"
	"github.com/reconciler-dev/reconciler/pkg/runtime/machine"
)

// The test binary plays the daemon that is killed, and the one on a full disk.
func TestMain(m *testing.M) {
	switch os.Getenv("JOURNAL_TEST_ROLE") {
	case "daemon":
		playDaemon(os.Args[1])
	case "full disk":
		playFullDisk(os.Args[1])
	default:
		os.Exit(m.Run())
	}
}

// role starts the test binary again to play a part. As root it gets namespaces
// of its own, so that nothing it does can reach another process or mount.
func role(ctx context.Context, name, dir string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, os.Args[0], dir)
	cmd.Env = append(os.Environ(), "JOURNAL_TEST_ROLE="+name)
	if os.Getuid() == 0 {
		cmd.SysProcAttr = &syscall.SysProcAttr{
			Cloneflags:   syscall.CLONE_NEWPID,
			Unshareflags: syscall.CLONE_NEWNS, // Go then makes / private, so no mount gets out
		}
	}
	return cmd
}

const children = 5

// playDaemon goes on where the last one was killed: it raises the generation of
// one child after another, tells of it, and says when that was acknowledged.
func playDaemon(dir string) {
	r, recs, err := OpenRecords(filepath.Join(dir, "records"))
	check(err)
	r.spare = 3000 // a new file every 30 records
	f, err := OpenFacts(filepath.Join(dir, "journal"))
	check(err)
	f.maxSize = 2000
	step := 0
	for _, rec := range recs {
		step = max(step, int(rec.Generation)+1)
	}
	for ; ; step++ {
		rec := record(childOf(step), step)
		rec.Sync = step%50 == 0
		check(r.Append([]machine.Record{rec}))
		fact := started(rec.ID)
		if step%10 == 0 {
			fact.Cause.RequestedBy = "root"
		}
		check(f.Append([]machine.Fact{fact, started(rec.ID)}, noon))
		_, err := fmt.Printf("%d %d\n", step, f.next-1)
		check(err) // also when nobody listens any more
	}
}

func childOf(step int) child.ID { return child.ID(fmt.Sprintf("child-%d", step%children)) }

func TestADaemonKilledAtAnyMomentForgetsNothing(t *testing.T) {
	dir := t.TempDir()
	acknowledged, told, kills := -1, -1, 50
	for range kills {
		step, sequence := runDaemon(t, dir)
		acknowledged, told = max(acknowledged, step), max(told, sequence)

		recs, err := ReadRecords(filepath.Join(dir, "records"))
		if acknowledged < 0 && errors.Is(err, fs.ErrNotExist) {
			continue // it was killed before it had made the file
		}
		must(t, err)
		checkRecords(t, recs, acknowledged)
		checkNumbers(t, filepath.Join(dir, "journal"), told)
	}
	t.Logf("%d records in %d lives", acknowledged+1, kills)
}

// runDaemon runs a daemon for a random time and returns the last record and the
// last number in the diary that it said were acknowledged, -1 if none.
func runDaemon(t *testing.T, dir string) (record, sequence int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Duration(rand.IntN(60_000))*time.Microsecond)
	defer cancel()
	cmd := role(ctx, "daemon", dir)
	var complaints strings.Builder
	cmd.Stderr = &complaints
	out, err := cmd.StdoutPipe()
	must(t, err)
	if err := cmd.Start(); err != nil {
		return -1, -1 // killed that soon
	}

	said, err := io.ReadAll(out)

	must(t, err)
	_ = cmd.Wait()
	if ctx.Err() == nil || complaints.Len() > 0 {
		t.Fatalf("the daemon ended by itself: %s", complaints.String())
	}
	record, sequence = -1, -1
	lines := bufio.NewScanner(strings.NewReader(string(said)))
	for lines.Scan() {
		_, err := fmt.Sscan(lines.Text(), &record, &sequence)
		must(t, err)
	}
	return record, sequence
}

// checkRecords sees that the records are those of a moment not before the
// acknowledged one.
func checkRecords(t *testing.T, recs []machine.Record, acknowledged int) {
	t.Helper()
	newest := -1
	for _, r := range recs {
		newest = max(newest, int(r.Generation))
	}
	if newest < acknowledged {
		t.Fatalf("the newest record is %d, but %d was acknowledged", newest, acknowledged)
	}
	want := newModel()
	for step := max(0, newest-children+1); step <= newest; step++ {
		want.add(record(childOf(step), step))
	}
	if diff := diffRecords(want.records(), recs); diff != "" {
		t.Fatalf("records (-want +got):\n%s", diff)
	}
}

// checkNumbers sees that the diary has no gap, and at least what was acknowledged.
func checkNumbers(t *testing.T, dir string, told int) {
	t.Helper()
	last := uint64(0)
	for e, err := range Read(dir, Options{}) {
		must(t, err)
		if last != 0 && e.Sequence != last+1 {
			t.Fatalf("entry %d follows %d", e.Sequence, last)
		}
		last = e.Sequence
	}
	if int(last) < told {
		t.Fatalf("the diary ends with %d, but %d was acknowledged", last, told)
	}
}

func TestAFullDiskForgetsNothing(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("needs root to mount a small tmpfs in a namespace of its own")
	}
	dir := t.TempDir()

	out, err := role(t.Context(), "full disk", dir).CombinedOutput()

	if err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}

// playFullDisk fills a tmpfs with records and facts, sees that what was
// acknowledged can be read while it is full, makes room and sees both go on.
func playFullDisk(dir string) {
	check(syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=256k"))
	ballast, records, journal := filepath.Join(dir, "ballast"), filepath.Join(dir, "records"), filepath.Join(dir, "journal")
	check(os.WriteFile(ballast, make([]byte, 100<<10), 0o600))
	r, _, err := OpenRecords(records)
	check(err)
	f, err := OpenFacts(journal)
	check(err)
	want := newModel()
	facts, acknowledged, failures := 0, 0, 0 // facts that are not acknowledged come later
	for step := 0; failures < 6; step++ {
		rec := bigRecord(childOf(step), step)
		if rerr := r.Append([]machine.Record{rec}); rerr == nil {
			want.add(rec)
		} else {
			failures++
		}
		facts++
		if f.Append([]machine.Fact{started("a")}, noon) == nil {
			acknowledged = facts
		}
		if failures == 3 { // until here it was full
			failures++
			checkHolds(records, journal, want, acknowledged)
			check(os.Remove(ballast))
			check(r.Append([]machine.Record{rec}))
			want.add(rec)
			check(f.Append([]machine.Fact{started("a")}, noon))
			facts++
			acknowledged = facts
			checkHolds(records, journal, want, acknowledged)
		}
	}
	checkHolds(records, journal, want, acknowledged)
	check(r.Close())
	_, again, err := OpenRecords(records)
	check(err)
	if diff := cmp.Diff(want.records(), again); diff != "" {
		panic("opened again on the full disk (-want +got):\n" + diff)
	}
}

func checkHolds(records, journal string, want *model, acknowledged int) {
	got, err := ReadRecords(records)
	check(err)
	if diff := cmp.Diff(want.records(), got); diff != "" {
		panic("records (-want +got):\n" + diff)
	}
	n := 0
	for e, err := range Read(journal, Options{}) {
		check(err)
		if n++; e.Sequence != uint64(n) {
			panic(fmt.Sprintf("entry %d has number %d", n, e.Sequence))
		}
	}
	if n < acknowledged {
		panic(fmt.Sprintf("%d entries, want the %d that were acknowledged", n, acknowledged))
	}
}

func check(err error) {
	if err != nil {
		panic(err)
	}
}
