package control

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/reconciler-dev/reconciler/pkg/runtime/child"
)

func TestNearestAreThoseThatSomebodyMayHaveMeant(t *testing.T) {
	ids := []child.ID{"db", "payments/api", "payments/worker", "shop/a", "shop/worker", "web"}
	for name, want := range map[string][]string{
		"wbe":             {"web"},
		"WEB":             {"web"},
		"api":             {"payments/api"},
		"apy":             {"payments/api"},
		"workr":           {"payments/worker", "shop/worker"},
		"worker":          {"payments/worker", "shop/worker"},
		"payments/wroker": {"payments/worker"},
		"shop/workers":    {"shop/worker"},
		"j":               nil,
		"xy":              nil,
		"nothing":         nil,
	} {
		if diff := cmp.Diff(want, Nearest(name, ids)); diff != "" {
			t.Errorf("Nearest(%q) (-want +got):\n%s", name, diff)
		}
	}
}
