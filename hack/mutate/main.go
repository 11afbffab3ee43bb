// Command mutate takes mendings out, one by one, and says whether their tests turn
// red; hack/mutants calls it.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/signal"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/reconciler-dev/reconciler/hack/internal/mutants"
	"github.com/reconciler-dev/reconciler/internal/pidns"
)

func main() {
	// A mending that is out may be the one that keeps a test from signalling others.
	pidns.Enter()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "mutants:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, out io.Writer) error {
	flags := flag.NewFlagSet("mutants", flag.ContinueOnError)
	changed := flags.String("changed", "", "only rows of packages that differ from the `COMMIT`, and rows that do")
	workers := flags.Int("parallel", runtime.NumCPU(), "how many rows at a time")
	limit := flags.Duration("for", 0, "begin no row after this `TIME`, and take them in another order each time, so that in the end each has its turn")
	flags.Usage = func() {
		fmt.Fprintln(flags.Output(), "usage: hack/mutants [-changed COMMIT] [-for TIME] [-parallel N] [AREA or AREA/ROW...]")
		flags.PrintDefaults()
	}
	if err := flags.Parse(args); errors.Is(err, flag.ErrHelp) {
		return nil
	} else if err != nil {
		return err
	}
	rows, err := mutants.Load(".")
	if err != nil {
		return err
	}
	if rows, err = named(rows, flags.Args()); err != nil {
		return err
	}
	of := len(rows)
	if *changed != "" {
		if rows, err = mutants.Changed(ctx, ".", *changed, rows); err != nil {
			return err
		}
	}
	began, until, judged := time.Now(), time.Time{}, 0
	if *limit > 0 {
		until = began.Add(*limit)
		rand.Shuffle(len(rows), func(i, j int) { rows[i], rows[j] = rows[j], rows[i] })
	}
	counts := map[mutants.Verdict]int{}
	err = mutants.RunUntil(ctx, ".", rows, *workers, until, func(r mutants.Result) {
		counts[r.Verdict]++
		judged++
		printRow(out, r)
	})
	if err != nil {
		return err
	}
	bad := judged - counts[mutants.Red]
	fmt.Fprintf(out, "%d of %d rows in %v: %d red, %d not\n", judged, of, time.Since(began).Round(time.Second), counts[mutants.Red], bad)
	if os.Getenv("CI") != "true" { // a developer may not be root
		bad -= counts[mutants.Skipped]
	}
	if bad > 0 {
		return fmt.Errorf("%d rows are not as they must be; each mending needs a test that fails without it", bad)
	}
	return nil
}

// named are the rows of the areas, or the single rows, that somebody asks for.
func named(rows []mutants.Row, names []string) ([]mutants.Row, error) {
	if len(names) == 0 {
		return rows, nil
	}
	var chosen []mutants.Row
	for _, name := range names {
		fits := func(r mutants.Row) bool { return r.Area == name || r.ID() == name }
		if !slices.ContainsFunc(rows, fits) {
			return nil, fmt.Errorf("there is no area and no row %s", name)
		}
		for _, r := range rows {
			if fits(r) {
				chosen = append(chosen, r)
			}
		}
	}
	return chosen, nil
}

func printRow(out io.Writer, r mutants.Result) {
	tests := make([]string, len(r.Row.Tests))
	for i, t := range r.Row.Tests {
		tests[i] = t.String()
	}
	fmt.Fprintf(out, "%-14s %5.1fs  %-40s %s\n", r.Verdict, r.Took.Seconds(), r.Row.ID(), strings.Join(tests, ", "))
	for line := range strings.Lines(r.Why) {
		fmt.Fprintf(out, "    %s\n", strings.TrimRight(line, "\n"))
	}
}
