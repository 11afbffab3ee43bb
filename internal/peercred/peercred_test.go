package peercred

import (
	"errors"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestTheKernelSaysWhoListens(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	c, err := net.Dial("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()

	uid, err := Of(c.(*net.UnixConn))

	if err != nil || uid != os.Geteuid() {
		t.Errorf("the server is run by %d, %v; want %d", uid, err, os.Geteuid())
	}
}

func TestWhichServersAreBelieved(t *testing.T) {
	const alice, bob, eve = 1000, 1001, 1002
	for name, row := range map[string]struct {
		server, dir, us int
		want            bool
	}{
		"root's, by root":                         {0, 0, 0, true},
		"root's, by a user":                       {0, 0, alice, true},
		"one's own":                               {alice, alice, alice, true},
		"another user's in one's own directory":   {eve, alice, alice, false},
		"another user's in root's directory":      {eve, 0, alice, false},
		"that of the owner, by a member":          {bob, bob, alice, true},
		"another one's there, by a member":        {eve, bob, alice, false},
		"another user's in root's, by root":       {eve, 0, 0, false},
		"that of the owner of the dir, by root":   {eve, eve, 0, false},
		"root's, by a link of eve's, by root":     {0, eve, 0, false},
		"root's, by a link of eve's, by a member": {0, eve, alice, false},
		"one's own, by a link of eve's":           {alice, eve, alice, false},
	} {
		err := trustBoth("/run/app/reconciler.sock", row.server, row.dir, row.us, true) // let in

		if (err == nil) != row.want {
			t.Errorf("%s: %v; want that it is believed: %v", name, err, row.want)
		}
		if err != nil && (!errors.Is(err, fs.ErrPermission) || !strings.Contains(err.Error(), "/run/app") || !strings.Contains(err.Error(), "sudo -u")) {
			t.Errorf("%s: %v; want where, and the way out", name, err)
		}
	}
	if err := trustBoth("/run/app/shim/sock", bob, bob, alice, false); err == nil {
		t.Error("who was not let in believes the owner of a directory")
	}
}

func TestOnlyASocketThatIsOpenToAGroupOfOursLetsUsIn(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	us, group := os.Geteuid(), os.Getegid()
	in := func(mode fs.FileMode, uid int, groups ...int) bool {
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
		info, err := os.Lstat(path)
		if err != nil {
			t.Fatal(err)
		}
		return letsIn(info, uid, groups)
	}

	member, stricter := in(0o660, us, 4711, group), in(0o600, us, group)
	for name, got := range map[string]bool{
		"by no group":              in(0o660, us, 4711),
		"by all":                   in(0o666, us, group),
		"by all who may not write": in(0o664, us, group),
		"by somebody else's":       in(0o660, us+1, group),
	} {
		if got {
			t.Errorf("we are let in %s", name)
		}
	}

	if !member || !stricter {
		t.Errorf("a member is let in: %v, by a stricter mode: %v", member, stricter)
	}
}
