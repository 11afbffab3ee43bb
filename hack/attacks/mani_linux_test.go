package attacks

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// What root obeys: manifests and the links to them, executables that are looked up,
// env files and secrets. In each, nobody may write something on the way.

// theirs is a directory of nobody's in the house.
func (h *house) theirs() string {
	h.t.Helper()
	dir := filepath.Join(h.Dir, "theirs")
	h.do(os.Mkdir(dir, 0o755))
	h.giveToNobody(dir)
	return dir
}

var turnLink = attack("turn-link", func(args []string) error {
	if err := os.Remove(args[0]); err != nil {
		return err
	}
	return os.Symlink(args[1], args[0])
})

var writeScript = attack("write-script", func(args []string) error {
	return os.WriteFile(args[0], []byte("#!/bin/sh\n"+args[1]+"\nexec sleep 1000\n"), 0o755)
})

var writeText = attack("write-text", func(args []string) error {
	return os.WriteFile(args[0], []byte(args[1]), 0o600)
})

// TestNobodyTurnsNoLinkOnTheWayToAManifest has a retired manifest of root's that must
// not run, and a link to the right one over a folder of nobody's.
func TestNobodyTurnsNoLinkOnTheWayToAManifest(t *testing.T) {
	h := newHouse(t)
	middle := filepath.Join(h.theirs(), "middle")
	h.write(filepath.Join(h.Dir, "right/web.yaml"), sleeper)
	h.write(filepath.Join(h.Dir, "retired/web.yaml"), fmt.Sprintf("name: web\ncommand: [sh, -c, %s]\n", quoted(h.payload())))
	h.do(os.Symlink("../right", middle), os.Symlink("../theirs/middle/web.yaml", filepath.Join(h.Manifests, "web.yaml")))
	h.giveToNobody(middle)
	h.manifest("db", "name: db\ncommand: [sleep, '1000']\n")
	h.daemon()
	h.running("db")

	turned := attackAsNobody(t, turnLink, middle, "../retired")
	h.reconciler("reconcile")
	told := h.reconciler("validate")

	if turned.Refused() {
		t.Fatalf("the link was not turned: %+v", turned)
	}
	h.notAsRoot()
	if want := "theirs belongs to nobody, who could have us run anything"; !strings.Contains(told.Out, want) {
		t.Errorf("validate = %+v, want %q", told, want)
	}
}

// failsToStart waits until a start of the child has failed, and says why.
func (h *house) failsToStart(name string) string {
	h.t.Helper()
	waitFor(h.t, func() string {
		if kind := h.field(name, "last_exit.kind"); kind != "start_failed" {
			return fmt.Sprintf("%s: the last exit is %q, want a failed start", name, kind)
		}
		return ""
	})
	return h.field(name, "last_exit.reason")
}

func TestNobodysFileInBinOfTheManifestsIsNotRun(t *testing.T) {
	h := newHouse(t)
	bin := filepath.Join(h.Manifests, "bin")
	h.do(os.Mkdir(bin, 0o755), os.Chmod(bin, 0o777))
	put := attackAsNobody(t, writeScript, filepath.Join(bin, "web"), h.payload())
	h.manifest("web", "name: web\n")

	h.daemon()
	why := h.failsToStart("web")

	if put.Refused() {
		t.Fatalf("the file was not written: %+v", put)
	}
	h.notAsRoot()
	if !strings.Contains(why, "bin may be written by everybody") || !strings.Contains(why, "chmod go-w ") {
		t.Errorf("it did not start because %q, want the folder and what mends it", why)
	}
}

func TestNobodyPutsNothingIntoThePathOfRoot(t *testing.T) {
	h := newHouse(t)
	put := attackAsNobody(t, writeScript, filepath.Join(h.Open, "true"), h.payload())
	h.manifest("web", fmt.Sprintf("name: web\ncommand: ['true']\nrestart_policy: temporary\nenvironment: [{name: PATH, value: %s}]\n", quoted(h.Open+":/usr/bin:/bin")))

	h.daemon()
	ended := h.childResult("web")

	if put.Refused() {
		t.Fatalf("the file was not written: %+v", put)
	}
	h.notAsRoot()
	if ended.Code != 0 {
		t.Errorf("it ended with %+v, want the true of /usr/bin", ended)
	}
}

func TestARelativeCommandInAFolderOfNobodyIsNotRunByRoot(t *testing.T) {
	h := newHouse(t)
	dir := h.theirs()
	put := attackAsNobody(t, writeScript, filepath.Join(dir, "run"), h.payload())
	h.manifest("web", fmt.Sprintf("name: web\nworking_dir: %s\ncommand: [./run]\n", quoted(dir)))

	h.daemon()
	why := h.failsToStart("web")

	if put.Refused() {
		t.Fatalf("the file was not written: %+v", put)
	}
	h.notAsRoot()
	if !strings.Contains(why, "belongs to nobody") || !strings.Contains(why, "run_as.user") {
		t.Errorf("it did not start because %q, want who it is and the way out", why)
	}
}

func TestAnEnvFileOfNobodyHasRootRunNothing(t *testing.T) {
	h := newHouse(t)
	dir := h.theirs()
	script, env := filepath.Join(dir, "script"), filepath.Join(dir, "env")
	put := attackAsNobody(t, writeScript, script, h.payload())
	set := attackAsNobody(t, writeText, env, "BASH_ENV="+script+"\n")
	h.manifest("web", fmt.Sprintf("name: web\ncommand: [bash, -c, 'true']\nenv_files: [%s]\n", quoted(env)))

	h.daemon()
	why := h.failsToStart("web")

	if put.Refused() || set.Refused() {
		t.Fatalf("the files were not written: %+v, %+v", put, set)
	}
	h.notAsRoot()
	if !strings.Contains(why, "env_files: ") || !strings.Contains(why, "belongs to nobody") {
		t.Errorf("it did not start because %q, want the file and who it is", why)
	}
}

func TestAChildOfNobodyReadsNoEnvFileOfRoots(t *testing.T) {
	h := newHouse(t)
	secret, link := filepath.Join(h.Dir, "secret.env"), filepath.Join(h.theirs(), "env")
	h.do(os.WriteFile(secret, []byte("TOKEN=hush\n"), 0o600), os.Symlink("nowhere", link))
	h.giveToNobody(link)
	turned := attackAsNobody(t, turnLink, link, secret)
	h.manifest("web", fmt.Sprintf("name: web\ncommand: [env]\nrun_as: {user: nobody, group: %d}\nenv_files: [%s]\nrestart_policy: temporary\n", nobody, quoted(link)))

	h.daemon()
	why := h.failsToStart("web")

	if turned.Refused() {
		t.Fatalf("the link was not turned: %+v", turned)
	}
	if logs := h.reconciler("logs", "web"); strings.Contains(logs.Out, "hush") || !strings.Contains(why, "is a link of nobody") {
		t.Errorf("it said %q, and did not start because %q; want nothing of root's file", logs.Out, why)
	}
}

func TestASecretOfNobodyReachesNoChildOfRoots(t *testing.T) {
	h := newHouse(t)
	dir := h.theirs()
	put := attackAsNobody(t, writeText, filepath.Join(dir, "token"), "chosen-by-nobody")
	h.manifest("web", `name: web
command: [env]
restart_policy: temporary
environment: [{name: TOKEN, secret_ref: "${TOKEN}"}]
secrets: [{name: TOKEN, key: token}]
`)

	h.daemon("--secrets", dir)
	why := h.failsToStart("web")

	if put.Refused() {
		t.Fatalf("the file was not written: %+v", put)
	}
	if logs := h.reconciler("logs", "web"); strings.Contains(logs.Out, "chosen-by-nobody") || !strings.Contains(why, "belongs to nobody") {
		t.Errorf("it said %q, and did not start because %q; want no value of nobody's", logs.Out, why)
	}
}

// TestAnOwnerWhoIsNamedIsObeyed is the way out of all of the above.
func TestAnOwnerWhoIsNamedIsObeyed(t *testing.T) {
	h := newHouse(t)
	h.manifest("web", "name: web\n")
	script := filepath.Join(h.Manifests, "bin/web")
	h.do(os.Mkdir(filepath.Dir(script), 0o755))
	h.giveToNobody(h.Manifests, filepath.Join(h.Manifests, "web.yaml"), filepath.Dir(script))
	put := attackAsNobody(t, writeScript, script, "true")

	h.daemon("--manifests-owner", "nobody")
	h.running("web")

	if put.Refused() {
		t.Fatalf("the file was not written: %+v", put)
	}
}
