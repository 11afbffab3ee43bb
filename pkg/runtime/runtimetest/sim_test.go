package runtimetest

import (
	"bufio"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	goruntime "runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// Under the race detector a schedule takes about seven times as long, and within
// one goroutine there is nothing to race: hack/test plays 10,000 without it first,
// and go test -race a tenth of that.
var (
	seeds = flag.Int("sim.seeds", defaultSeeds, "how many schedules to play")
	first = flag.Uint64("sim.first", 1, "the first seed")
)

func TestKillsAtAnyMomentLoseNothing(t *testing.T) {
	begun := time.Now()
	total, fails := playAll(*first, *seeds, 0)
	took := time.Since(begun)

	for _, err := range fails {
		t.Error(err)
	}
	t.Logf("%d schedules in %v, %.0f/s: %+v", *seeds, took.Round(time.Millisecond), float64(*seeds)/took.Seconds(), total)
	if *seeds >= 1000 {
		everythingHappened(t, *seeds, total)
	}
}

// everythingHappened sees to it that the simulation goes where it should, each
// place at least once in a hundred schedules.
func everythingHappened(t *testing.T, schedules int, c Count) {
	t.Helper()
	for name, n := range map[string]int{
		"starts": c.Starts, "exits": c.Exits, "lost exits": c.Lost, "removals": c.Removals, "trees killed": c.Kills,
		"busy starts": c.Busy, "leftovers": c.Leftovers, "shutdowns": c.Shutdowns, "adoptions": c.Adoptions,
		"brains killed": c.BrainKills, "shims killed": c.ShimKills, "connections cut": c.Cuts, "hanging starts": c.Hanging,
		"group restarts": c.GroupRestarts, "failed supervisors": c.SupervisorFailures, "quarantined groups": c.GroupQuarantines, "failed tops": c.SelfShutdowns, "starts of one for all": c.Together,
		"edits while no brain lives": c.Edits, "looks": c.Looks, "starts without a look": c.TooLate,
		"probes": c.Probes, "unwell attempts": c.Unwell,
	} {
		if n < schedules/100 {
			t.Errorf("%s: %d in %d schedules; the simulation hardly goes there", name, n, schedules)
		}
	}
}

// playAll plays schedules on all cores, each in a goroutine of its own, and
// returns the first failures in the order of their seeds.
func playAll(first uint64, n int, rules Break) (Count, []error) {
	var (
		next  atomic.Int64
		mu    sync.Mutex
		wg    sync.WaitGroup
		total Count
		fails []*Failure
	)
	for range goruntime.GOMAXPROCS(0) {
		wg.Go(func() {
			for {
				i := next.Add(1) - 1
				if i >= int64(n) {
					return
				}
				c, err := Run(Options{Seed: first + uint64(i), Break: rules})
				mu.Lock()
				total = total.Add(c)
				var f *Failure
				if errors.As(err, &f) {
					fails = append(fails, f)
					next.Store(int64(n)) // one is enough
				}
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	slices.SortFunc(fails, func(a, b *Failure) int { return int(int64(a.Seed) - int64(b.Seed)) })
	errs := make([]error, len(fails))
	for i, f := range fails {
		errs[i] = f
	}
	return total, errs
}

func TestSchedulesThatOnceFailedStillPass(t *testing.T) {
	files, err := filepath.Glob("testdata/seeds/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("no file of seeds: %v", err)
	}
	for _, file := range files {
		for _, seed := range readSeeds(t, file) {
			t.Run(fmt.Sprint(seed), func(t *testing.T) {
				if _, err := Run(Options{Seed: seed}); err != nil {
					t.Error(err)
				}
			})
		}
	}
}

// readSeeds reads one seed a line; what follows it says what it found.
func readSeeds(t *testing.T, file string) []uint64 {
	t.Helper()
	f, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var all []uint64
	for lines := bufio.NewScanner(f); lines.Scan(); {
		word, _, _ := strings.Cut(lines.Text(), " ")
		if word == "" || word == "#" {
			continue
		}
		seed, err := strconv.ParseUint(word, 10, 64)
		if err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		all = append(all, seed)
	}
	return all
}

func TestOneSeedIsOneSchedule(t *testing.T) {
	play := func(seed uint64) []string {
		s := newSim(Options{Seed: seed})
		s.tracing = true
		if what := s.play(); what != "" {
			t.Fatalf("seed %d: %s", seed, what)
		}
		return s.trace
	}

	for seed := range uint64(20) {
		if diff := cmp.Diff(play(seed), play(seed)); diff != "" {
			t.Fatalf("seed %d plays differently the second time (-first +second):\n%s", seed, diff)
		}
	}
}

// Each rule is noticed for what it does, not for something else. That the shim
// refuses old keys is a third guard behind two others: it is missed only where
// one of those fails too.
func TestEveryBrokenRuleIsNoticed(t *testing.T) {
	for _, tt := range []struct {
		name  string
		rules Break
		want  string
	}{
		{"the brain acts before it records", ActFirst, "is acknowledged and not recorded"},
		{"the brain starts before it records", StartFirst, "but nobody asked for its end"},
		{"the brain records nothing", SkipRecords, "starts though the child was stopped"},
		{"the brain sends on a new connection before it knows what lives", SendEarly, "is recorded as removed while"},
		{"the brain's signals get lost", DropSignals, "does not come to rest"},
		{"the brain gives incarnations again", ForgetRemoved, "is recorded after it was removed"},
		{"the shim serves a new brain before it drained the old one", ServeBeforeDrain, "starts after the child was removed"},
		{"the shim starts a repeated key again", StartTwice | IgnoreBusy | AcceptOldKeys, "starts a second time"},
		{"the shim takes old keys when its table is lost", AcceptOldKeys | LoseTable, "starts a second time"},
		{"the shim starts beside leftovers", IgnoreBusy, "is made while pid"},
		{"the shim makes a process before its intent", NoIntent, "is recorded as removed while"},
		{"the shim loses its table when it dies", LoseTable, "is recorded as lost while it lives"},
		{"the shim takes a pid for an identity", TrustPID, "a signal for"},
		{"the shim watches too late", WatchLate, "does not come to rest"},
		{"the shim forgets exits before they are acknowledged", ForgetExits, "without its code; it ended with"},
		{"the brain forgets who restarts together", ForgetGroups, "of the same one_for_all folder"},
		{"the brain does not wait for a look at what is declared", StartUnseen, "starts before anybody looked"},
		{"the shim makes up exit codes", InventCode, "an exit that nobody saw is recorded"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			const most = 5000
			for seed := range uint64(most) {
				_, err := Run(Options{Seed: seed, Break: tt.rules})
				var f *Failure
				if errors.As(err, &f) && strings.Contains(f.What, tt.want) {
					t.Logf("noticed by seed %d: %s", seed, f.What)
					return
				}
			}
			t.Errorf("%d schedules did not notice; want a failure that says %q", most, tt.want)
		})
	}
}

func BenchmarkSchedule(b *testing.B) {
	for i := range b.N {
		if _, err := Run(Options{Seed: uint64(i)}); err != nil {
			b.Fatal(err)
		}
	}
}
