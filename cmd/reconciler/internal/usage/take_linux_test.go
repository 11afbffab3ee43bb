package usage

import (
	"os"
	"os/exec"
	"syscall"
	"testing"
	"time"

	"github.com/reconciler-dev/reconciler/pkg/runtime/child"
)

func TestALookCountsTheWholeTree(t *testing.T) {
	// A child as the shim starts one: it leads a session, and has a child itself.
	cmd := exec.Command("sh", "-c", "exec 3<&0; cat <&3 & echo ready; wait")
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Pdeathsig: syscall.SIGKILL}
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if _, err := out.Read(make([]byte, 5)); err != nil {
		t.Fatal(err)
	}

	s, err := Take(map[child.ID]int{"web": cmd.Process.Pid, "stranger": os.Getpid()})

	if web := s.Trees["web"]; err != nil || web.Processes != 2 || web.Memory < 100<<10 {
		t.Errorf("web = %+v, %v; want two processes and their memory", web, err)
	}
	if _, known := s.Trees["stranger"]; known && os.Getpid() != 1 {
		t.Error("a process that leads no session is taken for a child's")
	}
	_ = in.Close() // which ends both
	_ = out.Close()
	_ = cmd.Wait()
	after, err := Take(map[child.ID]int{"web": cmd.Process.Pid})
	if _, known := after.Trees["web"]; known || err != nil {
		t.Errorf("after its end: %+v, %v; want nothing", after, err)
	}
	if time.Since(after.At) > time.Hour {
		t.Error("a look has no time")
	}
}
