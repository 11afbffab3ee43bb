package cli

import (
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/reconciler-dev/reconciler/internal/testuser"
	"github.com/reconciler-dev/reconciler/pkg/control"
)

func TestAProgramOfAnotherUserIsNotTakenForTheReconciler(t *testing.T) {
	w := newWorld(t)
	w.dirs.State = testuser.Public(t)
	if err := os.Chmod(w.dirs.State, 0o777|fs.ModeSticky); err != nil {
		t.Fatal(err)
	}
	var l net.Listener
	var err error
	testuser.Do(t, func() { l, err = net.Listen("unix", filepath.Join(w.dirs.State, control.SocketName)) })
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	heard := make(chan int, 1)
	go func() {
		told := 0
		for { // who is believed is asked again, and must not wait for ever
			c, err := l.Accept()
			if err != nil {
				heard <- told
				return
			}
			n, _ := c.Read(make([]byte, 100))
			told += n
			c.Close()
		}
	}()

	got := w.run("shutdown", "--reason", "a secret one")

	if got.Code != NotPermitted || !strings.Contains(got.Err, "is run by") || !strings.Contains(got.Err, w.dirs.State) {
		t.Errorf("shutdown = %+v; want code 5, and who answers there", got)
	}
	l.Close()
	if n := <-heard; n > 0 {
		t.Errorf("the stranger was told %d bytes, want none", n)
	}
}
