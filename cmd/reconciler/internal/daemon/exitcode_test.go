package daemon

import (
	"testing"

	"github.com/reconciler-dev/reconciler/pkg/runtime/child"
)

func TestTheRunEndsAsItsChildDid(t *testing.T) {
	zero, seven := 0, 7
	for name, tc := range map[string]struct {
		exit *child.Exit
		want int
	}{
		"well":                {&child.Exit{Kind: child.Succeeded, Code: &zero}, 0},
		"with a code":         {&child.Exit{Kind: child.FailedExit, Code: &seven}, 7},
		"by a signal":         {&child.Exit{Kind: child.Signaled, Signal: "SIGKILL"}, 137},
		"by one of real time": {&child.Exit{Kind: child.Signaled, Signal: "SIGRTMIN+3"}, 165},
		"unseen":              {&child.Exit{Kind: child.LostExit}, 1},
		"without a start":     {&child.Exit{Kind: child.StartFailure}, 1},
		"without any attempt": {nil, 1},
	} {
		if got := exitCodeOf(tc.exit); got != tc.want {
			t.Errorf("%s: exit code %d, want %d", name, got, tc.want)
		}
	}
}
