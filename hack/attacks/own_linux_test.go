package attacks

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const sleeper = "name: web\ncommand: [sh, -c, 'echo hush; exec sleep 1000']\n"

// TestTheHarnessPlaysAttacksThatCanSucceed is what the others rest on: nobody gets to
// the house, an attack can succeed, and a payload that root ran is seen.
func TestTheHarnessPlaysAttacksThatCanSucceed(t *testing.T) {
	h := newHouse(t)
	h.manifest("rooted", fmt.Sprintf("name: rooted\ncommand: [sh, -c, %s]\nrestart_policy: temporary\n", quoted(h.payload())))
	h.childAttack("told", readFile, filepath.Join(h.Manifests, "rooted.yaml"))
	h.daemon()

	beside := attackAsNobody(t, readFile, filepath.Join(h.Manifests, "rooted.yaml"))
	told := h.childResult("told")
	h.childResult("rooted")
	asNobody(t, "sh", "-c", h.payload())

	if beside.Code != 0 || !strings.Contains(beside.Out, "name: rooted") {
		t.Errorf("nobody reads a manifest: %+v, want its text", beside)
	}
	if told.Code != 0 || !strings.Contains(told.Out, "name: rooted") {
		t.Errorf("a child of nobody reads a manifest: %+v, want its text", told)
	}
	if got := h.ranAs(); !slices.Contains(got, "0") || !slices.Contains(got, "65534") {
		t.Errorf("the payload ran as %v, want root and nobody", got)
	}
}

var readFile = attack("read-file", func(args []string) error {
	text, err := os.ReadFile(args[0])
	fmt.Printf("%s", text)
	return err
})

func TestNobodyGetsAWordFromTheControlSocketOfRoot(t *testing.T) {
	h := newHouse(t)
	h.manifest("web", sleeper)
	h.daemon()
	h.running("web")
	pid := h.field("web", "pid")

	for _, args := range [][]string{{"health"}, {"restart", "web"}, {"signal", "web", "--signal", "KILL"}, {"shutdown"}} {
		if got := h.reconcilerAsNobody(args...); got.Code != 5 { // not permitted
			t.Errorf("nobody: reconciler %v = %+v, want code 5", args, got)
		}
	}
	h.running("web")
	if got := h.field("web", "pid"); got != pid || pid == "" {
		t.Errorf("the child has pid %q, want %q as before", got, pid)
	}
}

func TestNobodyReadsNothingOfTheStateOfRoot(t *testing.T) {
	h := newHouse(t)
	h.manifest("web", sleeper)
	h.daemon()
	h.running("web")
	var files []string
	h.do(filepath.WalkDir(h.State, func(path string, _ fs.DirEntry, err error) error {
		files = append(files, path)
		return err
	}))
	if len(files) < 8 {
		t.Fatalf("the state directory has only %v", files)
	}

	got := attackAsNobody(t, openAny, files...)

	if !got.Refused() || got.Out != "" {
		t.Errorf("nobody opens files of the state directory: %+v, want all refused", got)
	}
}

func TestAChildOfNobodyCommandsNeitherReconcilerNorShim(t *testing.T) {
	h := newHouse(t)
	sockets := []string{filepath.Join(h.State, "reconciler.sock"), filepath.Join(h.State, "shim", "sock")}
	h.childAttack("inside", openAny, sockets...)
	h.daemon()

	got := h.childResult("inside")

	for _, s := range sockets {
		if _, err := os.Stat(s); err != nil {
			t.Errorf("there is no socket to attack: %v", err)
		}
	}
	if !got.Refused() || strings.Contains(got.Out, "opened") {
		t.Errorf("a child of nobody connects to %v: %+v, want all refused", sockets, got)
	}
}

// openAny prints each of the paths that it can open or connect to; that it can none
// is a refusal.
var openAny = attack("open-any", func(paths []string) error {
	refusals := make([]error, 0, len(paths))
	for _, p := range paths {
		f, err := os.Open(p)
		if err != nil {
			refusals = append(refusals, err)
			var c net.Conn
			if c, err = net.Dial("unix", p); err == nil {
				c.Close()
			}
		} else {
			f.Close()
		}
		if err == nil {
			fmt.Println("opened", p)
		}
	}
	if len(refusals) < len(paths) {
		return nil
	}
	return errors.Join(refusals...)
})

func TestNobodyChangesNoStatusFileOfRoot(t *testing.T) {
	h := newHouse(t)
	h.manifest("web", sleeper)
	h.daemon()
	h.running("web")
	file := filepath.Join(h.Status, "web.json")

	got := asNobody(t, "sh", "-c", `cd "$1" && cat web.json >/dev/null && ! (echo x >>web.json) && ! mv web.json other.json && ! rm -f web.json && ! (: >new.json)`, "sh", h.Status)

	if got.Code != 0 {
		t.Errorf("nobody could change a status file: %+v", got)
	}
	if _, err := os.Stat(file); err != nil {
		t.Error(err)
	}
}
