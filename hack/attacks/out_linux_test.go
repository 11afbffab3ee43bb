package attacks

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// hushed is printed by a child of root's, a hook, a probe, and stands in a secret. It
// begins with a word that is on no command line.
const hushed = "hush-4f81c0"

// torn is how an attacker is told what to look for: his own arguments have it not.
const torn = "hush-4f8_1c0"

var searchFor = attack("search-for", func(args []string) error {
	wanted := strings.Replace(args[0], "_", "", 1)
	read, found := 0, []string{}
	for _, dir := range args[1:] {
		_ = filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error { // what cannot be entered is passed over
			if err != nil || d.IsDir() {
				return nil
			}
			text, err := os.ReadFile(path)
			if err != nil {
				return nil
			}
			if read++; bytes.Contains(text, []byte(wanted)) {
				found = append(found, path)
			}
			return nil
		})
	}
	fmt.Printf("%d files read\n", read)
	if len(found) == 0 {
		return errors.New("it stands nowhere")
	}
	fmt.Println(strings.Join(found, " "))
	return nil
})

// talkative are children of root's whose words are a secret. They put the two halves
// together themselves, so that no manifest has it.
var talkative = map[string]string{
	"once":  "name: once\nrestart_policy: temporary\ncommand: [sh, -c, 'echo hush-4f8${NONE}1c0; exit 3']\n",
	"sick":  "name: sick\nrestart_policy: temporary\ncommand: [sleep, '1000']\nhealth_check: {check_interval_secs: 0.1, max_retries: 1, exec: [sh, -c, 'echo hush-4f8${NONE}1c0; exit 6']}\n",
	"hooks": "name: hooks\ncommand: [sleep, '1000']\nhooks: {pre_start: [\"sh -c 'echo hush-4f8${NONE}1c0; exit 4'\"]}\nbackoff: {initial_delay_ms: 60000}\n",
}

// talked waits until all of them have.
func (h *house) talked() {
	h.t.Helper()
	for name, reason := range map[string]string{"once": "exit code 3", "sick": "exit code 6", "hooks": "exit code 4"} {
		waitFor(h.t, func() string {
			if got := h.field(name, "last_exit.reason"); !strings.Contains(got, reason) {
				return fmt.Sprintf("%s ended with %q, want %q", name, got, reason)
			}
			return ""
		})
	}
}

func TestNobodyReadsWhatRootsChildrenHooksAndProbesPrint(t *testing.T) {
	h := newHouse(t)
	for name, text := range talkative {
		h.manifest(name, text)
	}
	h.daemon()
	h.talked()

	his := attackAsNobody(t, searchFor, torn, h.Status, h.State)
	if his.Code != refused || strings.HasPrefix(his.Out, "0 files") {
		t.Errorf("nobody searches: %+v; want that he reads files and finds nothing", his)
	}
	for _, args := range [][]string{{"get", "-o", "json"}, {"why", "once"}, {"describe", "sick"}, {"describe", "hooks"}, {"logs", "once"}, {"events"}} {
		if got := h.reconcilerAsNobody(args...); strings.Contains(got.Out+got.Err, hushed) {
			t.Errorf("nobody: reconciler %v tells it: %+v", args, got)
		}
	}
	for _, name := range []string{"once", "sick", "hooks"} { // root is told, so there was something to find
		if got := h.reconciler("why", name); !strings.Contains(got.Out, hushed) {
			t.Errorf("root: why %s = %+v, want the words", name, got)
		}
	}
}

func TestAStrangerToTheStatusGroupReadsNothing(t *testing.T) {
	h := newHouse(t)
	for name, text := range talkative {
		h.manifest(name, text)
	}
	h.daemon().stop() // its files are open to everybody
	h.daemon("--status-group", "1")
	h.talked()

	his := attackAsNobody(t, searchFor, torn, h.Status)

	if his.Code != refused || !strings.Contains(his.Out, "0 files read") {
		t.Errorf("nobody searches: %+v; want that no file is open to him", his)
	}
	if got := h.field("once", "captured"); got != "complete" {
		t.Errorf("the files are %q, want complete", got)
	}
}

func TestAChildOfNobodyDoesNotFindTheSecretOfAnotherOne(t *testing.T) {
	h := newHouse(t)
	secrets := filepath.Join(h.Dir, "secrets")
	h.do(os.Mkdir(secrets, 0o711), os.WriteFile(filepath.Join(secrets, "token"), []byte(hushed), 0o400))
	h.manifest("app", "name: app\ncommand: [sh, -c, 'echo it has ${#TOKEN} letters; exec sleep 1000']\nenvironment: [{name: TOKEN, secret_ref: \"${TOKEN}\"}]\nsecrets: [{name: TOKEN, key: token}]\n")
	h.daemon("--secrets", secrets)
	h.running("app")
	pid, shim, app := h.field("reconciler", "pid"), h.field("reconciler", "shim.pid"), h.field("app", "pid")

	var places []string
	for _, process := range []string{pid, shim, app} {
		for _, file := range []string{"environ", "cmdline", "stat", "mem", "maps"} {
			places = append(places, "/proc/"+process+"/"+file)
		}
	}
	h.childAttack("spy", searchFor, append([]string{torn, h.Status, h.State, secrets, h.Manifests}, places...)...)
	got := h.childResult("spy")

	if got.Code != refused || strings.HasPrefix(got.Out, "0 files") {
		t.Errorf("a child that runs as nobody: %+v; want that it reads files and finds nothing", got)
	}
	environ, err := os.ReadFile("/proc/" + app + "/environ")
	if err != nil || !bytes.Contains(environ, []byte(hushed)) {
		t.Errorf("app does not have it (%v): there was nothing to find", err)
	}
}
