package cli

import (
	"fmt"
	"math"
	"os/user"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/reconciler-dev/reconciler/pkg/desired"
)

// SourceFlags say whose directory is followed, and how far when much of it vanishes.
type SourceFlags struct {
	MaxRemovals desired.MaxRemovals
	AllowEmpty  bool
	Owners      Owners
}

// add gives a verb the flags.
func (s *SourceFlags) add(cmd *cobra.Command) {
	cmd.Flags().Var((*removalsFlag)(&s.MaxRemovals), "max-removals", "hold the removals of one look back when more children than this `NUMBER or PERCENTAGE` vanish; a percentage counts from five running children on")
	cmd.Flags().BoolVar(&s.AllowEmpty, "allow-empty", false, "an empty or missing directory means that nothing is wanted")
	s.Owners.add(cmd)
}

// Owners are users whose manifests are obeyed by root: beside its own.
type Owners []uint32

func (o *Owners) add(cmd *cobra.Command) {
	cmd.Flags().Var((*ownersFlag)(o), "manifests-owner", "as root, trust this `USER`, by name or number, as the owner of manifests and of what they name; may be repeated")
}

// ownersFlag is a flag whose values are users.
type ownersFlag Owners

// String is the numbers of the users.
func (o *ownersFlag) String() string {
	words := make([]string, len(*o))
	for i, uid := range *o {
		words[i] = strconv.FormatUint(uint64(uid), 10)
	}
	return strings.Join(words, ",")
}

// Type is empty: the usage says what the value is called.
func (o *ownersFlag) Type() string { return "" }

// Set adds a user. A name comes before a number, as in chown(1).
func (o *ownersFlag) Set(text string) error {
	id := text
	if u, err := user.Lookup(text); err == nil {
		id = u.Uid
	}
	uid, err := strconv.ParseUint(id, 10, 32)
	if err != nil || uid == math.MaxUint32 { // (uid_t)-1 means nobody to chown(2) and setuid(2)
		return fmt.Errorf("no user %q on this machine; want a name or a number", text)
	}
	*o = append(*o, uint32(uid))
	return nil
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
