package cli

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/reconciler-dev/reconciler/internal/testuser"
)

func TestUsersAreNamedOrNumbered(t *testing.T) {
	for text, want := range map[string]string{"root": "0", "4242": "4242", "nosuchuser": "", "-1": "", "4294967295": "", "": ""} {
		var o ownersFlag

		err := o.Set(text)

		if (err == nil) != (want != "") || o.String() != want {
			t.Errorf("--manifests-owner %q = %s, %v; want %q", text, o.String(), err, want)
		}
	}
}

func TestUnknownOwnerIsWrongUse(t *testing.T) {
	w := newWorld(t)

	got := w.run("validate", "--manifests-owner", "nosuchuser")

	if got.Code != Usage || !strings.Contains(got.Err, `no user "nosuchuser" on this machine; want a name or a number`) {
		t.Errorf("validate = %+v", got)
	}
}

// TestAsRootEveryVerbThatReadsManifestsTakesTheirOwner gives a checkout away, as one
// of deploy's is.
func TestAsRootEveryVerbThatReadsManifestsTakesTheirOwner(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root refuses manifests of others, and only root can give them away")
	}
	w := newWorld(t)
	w.manifest("web.yaml", "name: web\n")
	for _, path := range []string{w.dirs.Manifests, filepath.Join(w.dirs.Manifests, "web.yaml")} {
		if err := os.Chown(path, 4242, 4242); err != nil {
			t.Fatal(err)
		}
	}

	refused := w.run("validate")
	valid, changed := w.run("validate", "--manifests-owner", "4242", "--manifests-owner", "root"), w.run("diff", "--manifests-owner", "4242")

	if want := "belongs to user 4242, who could have us run anything (chown root " + w.dirs.Manifests + ", or trust this user with --manifests-owner 4242)"; !strings.Contains(refused.Out, want) {
		t.Errorf("validate = %+v; want %q", refused, want)
	}
	if valid.Code != 0 {
		t.Errorf("validate with the owner = %+v; want no problem", valid)
	}
	if diff := cmp.Diff("add root: the manifests directory was added\nadd web: manifest web.yaml was added\n", changed.Out); diff != "" {
		t.Errorf("diff with the owner (-want +got):\n%s", diff)
	}
}

func TestWhoIsNotRootHearsOnDemandWhatRootWouldRefuse(t *testing.T) {
	if !testuser.Rerun(t) {
		return
	}
	w := newWorld(t)
	w.manifest("web.yaml", "name: web\n")
	us := strconv.Itoa(os.Geteuid())

	own, roots := w.run("validate"), w.run("validate", "--as-root")
	trusted, both := w.run("validate", "--as-root", "--manifests-owner", us), w.run("validate", "--as-root", "--any-owner")

	if own.Code != 0 || !strings.Contains(own.Err, "no problems; owners were not judged, as for a reconciler of root (--as-root)") {
		t.Errorf("validate = %+v; want that it says whose judgement it is not", own)
	}
	if roots.Code != Failed || !strings.Contains(roots.Out, ", who could have us run anything (") || !strings.Contains(roots.Out, "trust this user with --manifests-owner") {
		t.Errorf("validate --as-root = %+v; want what root would say", roots)
	}
	if trusted.Code != 0 || strings.Contains(trusted.Err, "--as-root") {
		t.Errorf("validate --as-root with the owner = %+v; want no problem and no note", trusted)
	}
	if both.Code != Usage {
		t.Errorf("validate --as-root --any-owner = %+v; want that they exclude each other", both)
	}
}
