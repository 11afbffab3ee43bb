package cli

import (
	"strings"
	"testing"

	"github.com/reconciler-dev/reconciler/pkg/control"
)

func TestHealthSaysHowItIsWithTheShim(t *testing.T) {
	for _, c := range []struct {
		name string
		h    control.Health
		want string
	}{
		{"of this version", control.Health{Healthy: true, State: "alive", Shim: true}, "well\n"},
		{"of an older one", control.Health{Healthy: true, State: "alive", Shim: true, ShimLacks: []string{"cannot fly"}},
			"well; the running shim is of an older version: it cannot fly\n"},
		{"of one that fits no more", control.Health{Healthy: true, State: "alive", ShimReason: "it speaks protocol 9"},
			"well; the shim cannot be reached: it speaks protocol 9; children run on\n"},
		{"killed just now", control.Health{Healthy: true, State: "alive"}, "well; the shim cannot be reached; children run on\n"},
	} {
		var out strings.Builder

		if err := printHealth(c.h, "text", false, &out); err != nil {
			t.Errorf("%s: %v", c.name, err)
		}

		if out.String() != c.want {
			t.Errorf("%s: %q, want %q", c.name, out.String(), c.want)
		}
	}
}
