package attacks

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// other is a user who is neither root nor nobody, and in no group of theirs.
const other = 4242

// forgeDirectory makes the state directory, too, and lets everybody in.
var forgeDirectory = attack("forge-directory", func(args []string) error {
	syscall.Umask(0)
	if err := os.Mkdir(filepath.Dir(args[0]), 0o755); err != nil {
		return err
	}
	return attacks[forge](args)
})

func TestAUserTellsADirectoryThatNobodyMadeNothing(t *testing.T) {
	h := newHouse(t)
	h.State = filepath.Join(h.Open, "rec-alice")
	heard := filepath.Join(h.Open, "heard")
	attackBesideAsNobody(t, forgeDirectory, filepath.Join(h.State, "reconciler.sock"), heard)

	got := run(t, as(other, exec.CommandContext(t.Context(), program(), append([]string{"pause", "web", "--reason", "card 4711"}, h.flags()...)...)))

	if got.Code != 5 || !strings.Contains(got.Err, "is run by nobody") || !strings.Contains(got.Err, "--control-group") {
		t.Errorf("pause = %+v; want code 5, who answers there, and the way out", got)
	}
	h.heardNothing(heard)
}

// takePlace makes a directory as soon as its name is free.
var takePlace = attack("take-place", func(args []string) error {
	fmt.Println("waiting")
	for {
		err := os.Mkdir(args[0], 0o755)
		if err == nil {
			return os.WriteFile(args[1], nil, 0o644)
		}
		if !errors.Is(err, fs.ErrExist) {
			return err
		}
	}
})

func TestRootWritesNoStatusWhereNobodyMadeTheDirectory(t *testing.T) {
	h := newHouse(t)
	h.Status = filepath.Join(h.Open, "status")
	h.manifest("web", sleeper)
	d := h.daemon()
	h.running("web")
	taken := filepath.Join(h.Open, "taken")
	attackBesideAsNobody(t, takePlace, h.Status, taken)

	h.do(os.Rename(h.Status, filepath.Join(h.Dir, "away")))

	waitFor(t, func() string {
		if _, err := os.Stat(taken); err != nil {
			return "nobody has not made the directory"
		}
		if !strings.Contains(d.messages.String(), h.Status+" is not safe: it belongs to nobody") {
			return "the reconciler does not say whose directory that is"
		}
		return ""
	})
	left, err := os.ReadDir(h.Status)
	if err != nil || len(left) > 0 {
		t.Errorf("in the directory of nobody: %v, %v", left, err)
	}
}
