package usage

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/reconciler-dev/reconciler/internal/pidns"
	"github.com/reconciler-dev/reconciler/pkg/runtime/child"
)

func TestMain(m *testing.M) {
	pidns.Enter()
	os.Exit(m.Run())
}

func TestAProcessBelongsToTheChildThatItCameFrom(t *testing.T) {
	mains := map[child.ID]int{"web": 10, "payments/worker": 20, "ended": 30}
	const own = "/shim/payments:worker.7.3"
	for name, row := range map[string]struct {
		p    process
		want child.ID
	}{
		"itself":                            {process{pid: 10, parent: 2, session: 10}, "web"},
		"a grandchild":                      {process{pid: 12, parent: 11, session: 10}, "web"},
		"a child in a session of its own":   {process{pid: 13, parent: 11, session: 13}, "web"},
		"an orphan of its session":          {process{pid: 14, parent: 1, session: 10}, "web"},
		"a daemon in its cgroup":            {process{pid: 15, parent: 1, session: 15, group: own}, "payments/worker"},
		"one in a cgroup below its own":     {process{pid: 16, parent: 1, session: 16, group: own + "/inner"}, "payments/worker"},
		"the shim":                          {process{pid: 2, parent: 1, session: 2}, ""},
		"a stranger":                        {process{pid: 90, parent: 1, session: 90, group: "/user"}, ""},
		"one whose number was a child's":    {process{pid: 30, parent: 1, session: 29}, ""},
		"one in a circle of lost ancestors": {process{pid: 40, parent: 41, session: 40}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			others := []process{
				{pid: 10, parent: 2, session: 10, group: "/shim"}, {pid: 11, parent: 10, session: 10},
				{pid: 20, parent: 2, session: 20, group: own}, {pid: 41, parent: 40, session: 41},
			}
			before := trees(others, mains)
			row.p.memory = 1000

			got := trees(append(others, row.p), mains)

			for id := range mains {
				grown := got[id].Memory - before[id].Memory
				if (grown == 1000) != (id == row.want) {
					t.Errorf("the memory of %s grew by %d; the process is one of %q", id, grown, row.want)
				}
			}
		})
	}
}

func TestPercentIsTheUseBetweenTwoLooks(t *testing.T) {
	at := time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)
	look := func(after time.Duration, cpu time.Duration) Sample {
		return Sample{At: at.Add(after), Trees: map[child.ID]Tree{"web": {CPU: cpu}}}
	}
	for name, row := range map[string]struct {
		before, now Sample
		want        float64
		ok          bool
	}{
		"half a core":          {look(0, time.Second), look(2*time.Second, 2*time.Second), 50, true},
		"two cores":            {look(0, 0), look(time.Second, 2*time.Second), 200, true},
		"it was started anew":  {look(0, time.Minute), look(time.Second, time.Second), 0, false},
		"the first look at it": {Sample{At: at}, look(time.Second, time.Second), 0, false},
		"it is gone":           {look(0, time.Second), Sample{At: at.Add(time.Second)}, 0, false},
		"no time has passed":   {look(0, 0), look(0, time.Second), 0, false},
	} {
		t.Run(name, func(t *testing.T) {
			got, ok := row.now.Percent(row.before, "web")

			if got != row.want || ok != row.ok {
				t.Errorf("Percent = %v, %v; want %v, %v", got, ok, row.want, row.ok)
			}
		})
	}
}

func TestCgroupsAreRecognisedByTheNameOfTheChild(t *testing.T) {
	for group, want := range map[string]bool{
		"/x/payments:worker.1.0":  true,
		"/payments:worker.12.345": true,
		"/x/payments:worker2.1.0": false,
		"/x/worker.1.0":           false,
		"/":                       false,
		"":                        false,
	} {
		if got := ownsGroup("payments/worker", group); got != want {
			t.Errorf("ownsGroup(%q) = %v, want %v", filepath.Base(group), got, want)
		}
	}
}
