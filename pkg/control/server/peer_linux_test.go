package server

import (
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"syscall"
	"testing"
	"time"
)

// dialVariable makes this program the client of a socket instead of the tests.
const dialVariable = "RECONCILER_TEST_DIAL"

func init() {
	if path := os.Getenv(dialVariable); path != "" {
		c, err := net.Dial("unix", path)
		if err != nil {
			os.Exit(1)
		}
		_, _ = c.Read(make([]byte, 1)) // until the test hangs up
		os.Exit(0)
	}
}

// Most members of a group are so by a supplementary group, not by their first one.
func TestTheKernelTellsTheOtherGroupsOfACaller(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	client := exec.Command(os.Args[0])
	client.Env = append(os.Environ(), dialVariable+"="+path)
	want, err := os.Getgroups()
	if err != nil {
		t.Fatal(err)
	}
	if os.Getuid() == 0 { // who may not choose the groups has those of the test
		want = []int{4242, 4243}
		client.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Groups: []uint32{4242, 4243}}}
	}
	if err := client.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = client.Wait() }()
	if err := l.SetDeadline(time.Now().Add(patient)); err != nil {
		t.Fatal(err)
	}
	c, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()

	p, err := identify(c)

	if err != nil || p.uid != os.Getuid() {
		t.Errorf("the caller is %+v, %v; want uid %d", p, err, os.Getuid())
	}
	for _, group := range want {
		if !slices.Contains(p.groups, group) {
			t.Errorf("groups of the caller: %v, want also %d", p.groups, group)
		}
	}
}
