package shim

import (
	"os"
	"os/exec"
	"testing"

	"golang.org/x/sys/unix"
)

// Without cgroups the environment tells whose a process is, and anybody can write a
// mark into the environment of his own.
func TestForgedMarkWithoutItsTokenIsNobodys(t *testing.T) {
	const mark = "web.1.0@12345678"
	self, _ := os.Executable()
	used.roles = append(used.roles, stay)
	stranger := exec.CommandContext(t.Context(), self, asChild, stay)
	stranger.Env = []string{KeyVariable + "=" + mark, TokenVariable + "=guessed"}
	stranger.SysProcAttr = &unix.SysProcAttr{Setsid: true}
	if err := stranger.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		_ = stranger.Process.Kill()
		_ = stranger.Wait()
	}()
	pid := stranger.Process.Pid

	for token, want := range map[string]bool{"of the child": false, "guessed": true, "": true} { // "": of an earlier version
		a := &attempt{mark: mark, token: token}
		found := len(findMarked([]*attempt{a})[a]) == 1
		founder := (&server{}).founder(pid, a) == pid

		if found != want || founder != want {
			t.Errorf("token %q: found %v, taken for the main process %v; want %v", token, found, founder, want)
		}
	}
	if a, b := newToken(), newToken(); a == b || len(a) != 32 {
		t.Errorf("tokens %q and %q", a, b)
	}
}
