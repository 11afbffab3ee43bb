package mutants

import (
	"testing"
	"time"
)

func TestNoRowBeginsWhenTheTimeIsUp(t *testing.T) {
	rows := []Row{{Area: "a", Name: "b", File: "x.go", Tests: []Test{{Package: "./x", Name: "TestX"}}}}

	err := RunUntil(t.Context(), t.TempDir(), rows, 1, time.Now().Add(-time.Hour), func(r Result) {
		t.Errorf("%s was judged", r.Row.ID())
	})

	if err != nil {
		t.Error(err)
	}
}
