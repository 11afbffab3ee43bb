package daemon

import (
	"testing"

	"golang.org/x/sys/unix"
)

func TestTheReconcilerHasAUmaskAndDumpsNoCoreWhateverItInherited(t *testing.T) {
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_CORE, &limit); err != nil {
		t.Fatal(err)
	}
	umask := unix.Umask(0)
	t.Cleanup(func() {
		unix.Umask(umask)
		if err := unix.Setrlimit(unix.RLIMIT_CORE, &limit); err != nil {
			t.Error(err)
		}
	})
	most := limit.Max
	if most == 0 {
		most = 1 << 20 // root may raise it
	}
	if err := unix.Setrlimit(unix.RLIMIT_CORE, &unix.Rlimit{Cur: min(most, 1<<20), Max: most}); err != nil {
		t.Skipf("nothing here may dump core, and only root can change that: %v", err)
	}

	cleanProcess()

	var got unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_CORE, &got); err != nil {
		t.Fatal(err)
	}
	if mask := unix.Umask(0o022); got.Cur != 0 || got.Max != most || mask != 0o022 {
		t.Errorf("umask %04o, core files of %d of %d bytes; want 0022, none, and the most as it was (%d)", mask, got.Cur, got.Max, most)
	}
}
