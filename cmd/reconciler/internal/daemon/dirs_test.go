package daemon

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/reconciler-dev/reconciler/cmd/reconciler/internal/cli"
	"github.com/reconciler-dev/reconciler/internal/testuser"
	"github.com/reconciler-dev/reconciler/internal/trust"
)

func TestDirectoriesThatOthersMayWriteAreNotUsed(t *testing.T) {
	for _, which := range []string{"state", "status"} {
		for name, mode := range map[string]fs.FileMode{"all": 0o777, "all, and sticky": 0o777 | fs.ModeSticky} {
			root := t.TempDir()
			dirs := cli.Dirs{State: filepath.Join(root, "state"), Status: filepath.Join(root, "status")}
			if err := errors.Join(os.Mkdir(filepath.Join(root, which), 0o700), os.Chmod(filepath.Join(root, which), mode)); err != nil {
				t.Fatal(err)
			}

			err := makeDirs(dirs, trust.Own())

			if err == nil || !strings.Contains(err.Error(), "chmod go-w "+filepath.Join(root, which)) || !strings.Contains(err.Error(), "--"+which) {
				t.Errorf("a %s directory open to %s: %v; want the two ways out", which, name, err)
			}
		}
	}
}

func TestDirectoriesInAFolderForAllAreNotUsed(t *testing.T) {
	for _, which := range []string{"state", "status"} {
		root := t.TempDir()
		open := filepath.Join(root, "open")
		if err := errors.Join(os.MkdirAll(filepath.Join(open, which), 0o700), os.Chmod(open, 0o777)); err != nil {
			t.Fatal(err)
		}
		dirs := cli.Dirs{State: filepath.Join(root, "state"), Status: filepath.Join(root, "status")}
		if which == "state" {
			dirs.State = filepath.Join(open, which)
		} else {
			dirs.Status = filepath.Join(open, which)
		}

		err := makeDirs(dirs, trust.Own())

		if err == nil || !strings.Contains(err.Error(), "chmod go-w "+open) || !strings.Contains(err.Error(), "--"+which) {
			t.Errorf("a %s directory in a folder for all: %v; want the two ways out", which, err)
		}
	}
}

func TestDirectoriesOfAnotherUserAreNotUsed(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("only root can give a directory away")
	}
	for _, which := range []string{"state", "status"} {
		root := t.TempDir()
		theirs := filepath.Join(root, which)
		if err := errors.Join(os.Mkdir(theirs, 0o755), os.Chown(theirs, testuser.Nobody, testuser.Nobody)); err != nil {
			t.Fatal(err)
		}

		err := makeDirs(cli.Dirs{State: filepath.Join(root, "state"), Status: filepath.Join(root, "status")}, trust.Own())

		if err == nil || !strings.Contains(err.Error(), "chown root "+theirs) {
			t.Errorf("the %s directory of another user: %v; want a refusal with the way out", which, err)
		}
	}
}

func TestDirectoriesThatARunAsRootLeftAreToldWithTheWayOut(t *testing.T) {
	if os.Geteuid() == 0 {
		left := testuser.Public(t)
		if err := errors.Join(os.Mkdir(left+"/state", 0o700), os.Mkdir(left+"/status", 0o755), os.WriteFile(left+"/status/.lock", nil, 0o600)); err != nil {
			t.Fatal(err)
		}
		t.Setenv("LEFT_BY_ROOT", left)
	}
	if !testuser.Rerun(t) {
		return
	}
	left := os.Getenv("LEFT_BY_ROOT")
	if left == "" {
		t.Skip("only root can leave something behind")
	}

	state := makeDirs(cli.Dirs{State: left + "/state", Status: t.TempDir()}, trust.Own())
	_, status := lockStatus(left+"/status", Holder{})

	for which, err := range map[string]error{"state": state, "status": status} {
		want := left + "/" + which
		if err == nil || !strings.Contains(err.Error(), want+" is root's, as after a run with sudo") || !strings.Contains(err.Error(), "sudo chown -R 65534 "+want+"), or choose another --"+which) {
			t.Errorf("%s: %v; want the ways out", which, err)
		}
	}
}

// TestInAFolderOfAnOwnerOfManifestsOnlyOurDirectoriesAreUsed is sudo make run in
// one's own clone, and then with what an earlier run without sudo left.
func TestInAFolderOfAnOwnerOfManifestsOnlyOurDirectoriesAreUsed(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("only root can give a directory away")
	}
	clone := t.TempDir()
	dirs := cli.Dirs{State: filepath.Join(clone, "state"), Status: filepath.Join(clone, "status")}
	if err := os.Chown(clone, testuser.Nobody, testuser.Nobody); err != nil {
		t.Fatal(err)
	}
	owners := ownersOfWay(cli.Owners{testuser.Nobody})

	refused := makeDirs(dirs, ownersOfWay(nil))
	made := makeDirs(dirs, owners)
	err := os.Chown(dirs.State, testuser.Nobody, testuser.Nobody)
	theirs := makeDirs(dirs, owners)

	if refused == nil || !strings.Contains(refused.Error(), "or trust this user with --manifests-owner nobody, or choose another --state") {
		t.Errorf("nobody is trusted: %v; want the ways out", refused)
	}
	if made != nil || err != nil {
		t.Errorf("the owner is trusted: %v, %v; want the directories", made, err)
	}
	if theirs == nil || !strings.Contains(theirs.Error(), "chown root "+dirs.State) {
		t.Errorf("the state directory is the owner's: %v; want a refusal", theirs)
	}
}

func TestDirectoriesAreMadeWhereTheyAreMissing(t *testing.T) {
	root := t.TempDir()
	dirs := cli.Dirs{State: filepath.Join(root, "a", "state"), Status: filepath.Join(root, "b", "status")}

	err := errors.Join(makeDirs(dirs, trust.Own()), makeDirs(dirs, trust.Own()))

	for dir, want := range map[string]fs.FileMode{dirs.State: 0o700, dirs.Status: 0o755} {
		info, e := os.Stat(dir)
		if err = errors.Join(err, e); err != nil || info.Mode().Perm()&^want != 0 {
			t.Fatalf("%s: %v; want mode %04o at most", dir, err, want)
		}
	}
}

func TestAMetricsSocketStandsWhereNobodyCanReplaceIt(t *testing.T) {
	open := filepath.Join(t.TempDir(), "open")
	if err := errors.Join(os.Mkdir(open, 0o700), os.Chmod(open, 0o777)); err != nil {
		t.Fatal(err)
	}

	_, refused := listenMetrics(filepath.Join(open, "metrics.sock"), trust.Own())
	if err := os.Chmod(open, 0o777|fs.ModeSticky); err != nil {
		t.Fatal(err)
	}
	l, err := listenMetrics(filepath.Join(open, "metrics.sock"), trust.Own())

	if refused == nil || !strings.Contains(refused.Error(), "chmod go-w "+open) {
		t.Errorf("in a folder for all: %v; want a refusal with the way out", refused)
	}
	if err != nil {
		t.Fatalf("in a sticky folder: %v", err)
	}
	l.Close()
}
