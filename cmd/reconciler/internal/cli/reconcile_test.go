package cli

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/reconciler-dev/reconciler/pkg/control"
	"github.com/reconciler-dev/reconciler/pkg/desired"
	"github.com/reconciler-dev/reconciler/pkg/runtime/child"
	"github.com/reconciler-dev/reconciler/pkg/status"
)

func TestReconcileTellsWhatThePassDid(t *testing.T) {
	for name, row := range map[string]struct {
		pass control.Pass
		want result
	}{
		"nothing to do": {control.Pass{}, result{Out: "nothing to do\n"}},
		"something done": {
			control.Pass{Reconcile: status.Reconcile{Actions: map[string]int{"replace": 1, "add": 2, "remove": 0}}},
			result{Out: "add 2, replace 1\n"},
		},
		"something refused": {
			control.Pass{Reconcile: status.Reconcile{Errors: []status.ReconcileError{{ID: "web", Action: "add", Message: "no such user"}}}},
			result{Out: "nothing to do\n", Err: "reconciler: add web: no such user\n", Code: Failed},
		},
		"held removals are carried out": {
			control.Pass{Reconcile: status.Reconcile{Actions: map[string]int{"remove": 0}}, Removed: []child.ID{"a", "f/b"}},
			result{Out: "nothing to do\nremoved as confirmed: a, f/b\n"},
		},
		"removals are held": {
			control.Pass{Stalls: []desired.Stall{{Reason: "TooManyRemovals", Message: "a, b, c"}}},
			result{Out: "nothing to do\n", Err: "reconciler: TooManyRemovals: a, b, c\n", Code: Failed},
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			d := w.daemon(map[string]func() (int, any){"POST /v1/reconcile": always(200, row.pass)})

			got := w.run("reconcile", "--confirm-removals")

			if got != row.want {
				t.Errorf("reconcile = %+v, want %+v", got, row.want)
			}
			want := []string{`POST /v1/reconcile {"confirm_removals":true}`}
			if diff := cmp.Diff(want, d.requests()); diff != "" {
				t.Errorf("what was asked (-want +got):\n%s", diff)
			}
		})
	}
}

func TestVerbsWithoutADaemonExitWithThree(t *testing.T) {
	for _, args := range [][]string{
		{"reconcile"}, {"restart", "web"}, {"pause", "-l", "mail"}, {"resume", "web"}, {"quarantine", "web"},
		{"signal", "web", "-s", "HUP"}, {"remove", "web"}, {"wait", "web"}, {"health"}, {"shutdown"},
	} {
		w := newWorld(t)

		got := w.run(args...)

		if got.Code != NoDaemon || !strings.Contains(got.Err, "start it with: reconciler run") {
			t.Errorf("%v = %+v; want code 3 and the command that starts one", args, got)
		}
	}
}
