package cli

import (
	"github.com/spf13/cobra"

	"github.com/reconciler-dev/reconciler/pkg/desired"
)

// SourceFlags say how far the directory is followed when much of it vanishes.
type SourceFlags struct {
	MaxRemovals desired.MaxRemovals
	AllowEmpty  bool
}

// add gives a verb the flags.
func (s *SourceFlags) add(cmd *cobra.Command) {
	cmd.Flags().Var((*removalsFlag)(&s.MaxRemovals), "max-removals", "hold the removals of one look back when more children than this `NUMBER or PERCENTAGE` vanish; a percentage counts from five running children on")
	cmd.Flags().BoolVar(&s.AllowEmpty, "allow-empty", false, "an empty or missing directory means that nothing is wanted")
}

// removalsFlag is a flag whose value is a desired.MaxRemovals.
type removalsFlag desired.MaxRemovals

// String is the value as Set reads it.
func (r *removalsFlag) String() string { return desired.MaxRemovals(*r).String() }

// Type is empty: the usage says what the value is called.
func (r *removalsFlag) Type() string { return "" }

// Set reads "20" or "50%".
func (r *removalsFlag) Set(text string) error {
	m, err := desired.ParseMaxRemovals(text)
	*r = removalsFlag(m)
	return err
}
