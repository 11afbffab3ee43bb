//go:build linux

package account

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

const passwd = `# a comment
root:x:0:0:root:/root:/bin/bash
+nis::::::
broken:x:abc:0::/:/bin/sh
huge:x:4294967295:0::/:/bin/sh
short:x:77:77
app:x:1001:1002:App:/srv/app:/bin/sh
1003:x:5:5:called like a number:/:/bin/sh
`

const groups = `root:x:0:
appgroup:x:1002:
video:x:44:other,app
audio:x:29:app
wheel:x:10:application
broken:x:x:app
`

// filesOnly is a database without a name service.
func filesOnly(t *testing.T) Database {
	t.Helper()
	dir := t.TempDir()
	d := Database{PasswdFile: dir + "/passwd", GroupFile: dir + "/group", SwitchFile: dir + "/nsswitch.conf", Getent: dir + "/getent"}
	write(t, d.PasswdFile, passwd, 0o644)
	write(t, d.GroupFile, groups, 0o644)
	return d
}

func write(t *testing.T, file, text string, mode os.FileMode) {
	t.Helper()
	if err := os.WriteFile(filepath.Clean(file), []byte(text), mode); err != nil {
		t.Fatal(err)
	}
}

func TestUsersAreFoundByNameAndByNumber(t *testing.T) {
	d := filesOnly(t)
	app := User{Name: "app", UID: 1001, GID: 1002, Home: "/srv/app", Shell: "/bin/sh"}

	for _, name := range []string{"app", "1001", "0001001"} {
		got, err := d.User(t.Context(), name)

		if diff := cmp.Diff(app, got, cmpopts.IgnoreUnexported(User{})); diff != "" || err != nil {
			t.Errorf("%s: %v (-want +got):\n%s", name, err, diff)
		}
	}
}

// An entry that Docker's reader takes for user 0, because it holds no number, is
// nobody here.
func TestABrokenEntryIsNobody(t *testing.T) {
	for _, nobody := range []string{"broken", "huge", "short", "nis", "+nis", "1003", "gone", "# a comment", ""} {
		if got, err := filesOnly(t).User(t.Context(), nobody); !errors.Is(err, ErrUnknown) {
			t.Errorf("user %q = %+v, %v; want unknown", nobody, got, err)
		}
		if got, err := filesOnly(t).Group(t.Context(), nobody); nobody != "1003" && !errors.Is(err, ErrUnknown) {
			t.Errorf("group %q = %v, %v; want unknown", nobody, got, err)
		}
	}
}

func TestNumbersThatSetuidIgnoresAreRefused(t *testing.T) {
	for _, bad := range []string{"4294967295", "4294967296", "99999999999999999999"} {
		_, err1 := filesOnly(t).User(t.Context(), bad)
		_, err2 := filesOnly(t).Group(t.Context(), bad)
		if err1 == nil || errors.Is(err1, ErrUnknown) || err2 == nil {
			t.Errorf("%s: user %v, group %v; want both refused for their range", bad, err1, err2)
		}
	}
}

func TestAGroupByNumberNeedsNoEntry(t *testing.T) {
	for name, want := range map[string]uint32{"video": 44, "4711": 4711, "0": 0} {
		if got, err := filesOnly(t).Group(t.Context(), name); got != want || err != nil {
			t.Errorf("group %s = %d, %v; want %d", name, got, err, want)
		}
	}
}

// As initgroups(3), and so su, sudo and systemd: systemd/systemd#33654 asks why the
// group of the user's own entry is not among them when another one is named.
func TestGroupsAreThoseThatNameTheUserAndTheOneGiven(t *testing.T) {
	d := filesOnly(t)
	app, err := d.User(t.Context(), "app")
	if err != nil {
		t.Fatal(err)
	}

	for gid, want := range map[uint32][]uint32{1002: {29, 44, 1002}, 7: {7, 29, 44}, 44: {29, 44}} {
		got, err := d.Groups(t.Context(), app, gid)

		if diff := cmp.Diff(want, got); diff != "" || err != nil {
			t.Errorf("with group %d: %v (-want +got):\n%s", gid, err, diff)
		}
	}
}

func TestAMachineWithoutFilesKnowsNobody(t *testing.T) {
	d := Database{PasswdFile: "/nowhere/passwd", GroupFile: "/nowhere/group", Getent: "/nowhere/getent"}

	_, err1 := d.User(t.Context(), "app")
	_, err2 := d.Group(t.Context(), "app")

	if !errors.Is(err1, ErrUnknown) || !errors.Is(err2, ErrUnknown) {
		t.Errorf("errors = %v, %v; want unknown", err1, err2)
	}
}
