package cli

import (
	"fmt"
	"io"
	"os"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/reconciler-dev/reconciler/internal/harmless"
)

// terminal is a terminal, and who looks at it.
func terminal(t *testing.T) (screen, tty *os.File) {
	t.Helper()
	screen, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Skipf("no terminals here: %v", err)
	}
	t.Cleanup(func() { screen.Close() })
	raw, err := screen.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	var number int
	var failed error
	err = raw.Control(func(fd uintptr) {
		if failed = unix.IoctlSetPointerInt(int(fd), unix.TIOCSPTLCK, 0); failed == nil {
			number, failed = unix.IoctlGetInt(int(fd), unix.TIOCGPTN)
		}
	})
	if err != nil || failed != nil {
		t.Fatal(err, failed)
	}
	tty, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", number), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Skipf("no terminals here: %v", err)
	}
	t.Cleanup(func() { tty.Close() })
	return screen, tty
}

func TestATerminalIsShownWhatAChildPrintedAndObeysItOnlyIfAskedTo(t *testing.T) {
	for raw, want := range map[bool]string{false: `a\x1b[31mb`, true: "a\x1b[31mb"} {
		screen, tty := terminal(t)
		w := logsOut(harmless.NewWriter(tty), raw)

		if _, err := io.WriteString(w, "a\x1b[31mb and enough for every answer"); err != nil {
			t.Fatal(err)
		}

		got := make([]byte, len(want))
		if _, err := io.ReadFull(screen, got); err != nil || string(got) != want {
			t.Errorf("raw %v: the terminal gets %q, %v; want %q", raw, got, err, want)
		}
	}
}
