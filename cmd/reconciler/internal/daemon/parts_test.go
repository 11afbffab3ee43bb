package daemon

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
)

// recorder keeps the order of what parts did.
type recorder struct {
	mu    sync.Mutex
	lines []string
}

func (r *recorder) add(line string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.lines = append(r.lines, line)
}

func (r *recorder) untilCancelled(name string) part {
	return part{name: name, run: func(ctx context.Context) error {
		<-ctx.Done()
		r.add(name + " ended")
		return nil
	}}
}

func TestPartsStopInReverseOrderEachAfterItsStop(t *testing.T) {
	var r recorder
	first, second := r.untilCancelled("first"), r.untilCancelled("second")
	first.stop = func() { r.add("first told") }
	ctx, cancel := context.WithCancel(t.Context())
	cancel()

	if err := runParts(ctx, []part{first, second}); err != nil {
		t.Fatal(err)
	}

	if want := []string{"second ended", "first told", "first ended"}; !slices.Equal(r.lines, want) {
		t.Errorf("order = %v, want %v", r.lines, want)
	}
}

func TestPartThatEndsWithAnErrorStopsTheOthersAndIsNamed(t *testing.T) {
	var r recorder
	broken := errors.New("disk on fire")

	err := runParts(t.Context(), []part{
		r.untilCancelled("first"),
		{name: "second", run: func(context.Context) error { return broken }},
	})

	if !errors.Is(err, broken) || err.Error() != "second: disk on fire" {
		t.Errorf("error = %v, want it named and wrapped", err)
	}
	if want := []string{"first ended"}; !slices.Equal(r.lines, want) {
		t.Errorf("order = %v, want %v", r.lines, want)
	}
}

func TestErrorOfAPartThatIsToldToStopIsNotLost(t *testing.T) {
	broken := errors.New("cannot flush")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()

	err := runParts(ctx, []part{{name: "writer", run: func(ctx context.Context) error {
		<-ctx.Done()
		return broken
	}}})

	if !errors.Is(err, broken) {
		t.Errorf("error = %v, want that of the writer", err)
	}
}
