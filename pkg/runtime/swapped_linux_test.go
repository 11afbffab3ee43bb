package runtime

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/reconciler-dev/reconciler/internal/regular"
	"github.com/reconciler-dev/reconciler/internal/regular/regulartest"
	"github.com/reconciler-dev/reconciler/pkg/runtime/child"
)

// Every path of a manifest that is read here may be a link that the child's own user
// turns to a device or a FIFO: it is not opened, not even to find out what it is.
func TestAFileOfTheManifestThatIsNoFileIsNeverOpened(t *testing.T) {
	dir := t.TempDir()
	fifo, link := filepath.Join(dir, "fifo"), filepath.Join(dir, "link")
	if err := errors.Join(unix.Mkfifo(fifo, 0o600), os.Symlink(fifo, link)); err != nil {
		t.Fatal(err)
	}
	spec := NewSpec("/bin/true")
	spec.EnvFiles, spec.Reload = []string{link}, &child.Reload{Files: []string{link}}
	seen := filesWith([]byte("key"))
	p := &ShimProcesses{host: Host{WorkingDir: dir}, files: seen}
	opened := regulartest.WatchOpens(t, fifo)

	hashes := p.filesOf(spec, true)
	_, copied := plainFile(link).open(link)
	read := Host{}.readEnvFile(link, false, map[string]string{})

	if opened() {
		t.Error("the FIFO was opened")
	}
	if len(hashes) != 1 || hashes[0].Hash != "" || !errors.Is(copied, regular.ErrKind) || read == nil || !strings.Contains(read.Error(), "not a regular file") {
		t.Errorf("hashes %+v, errors %v and %v; want no hash, and a FIFO twice", hashes, copied, read)
	}
}

func TestAFileThatWasSwappedForADeviceIsNotOpened(t *testing.T) {
	seen := filesWith([]byte("key"))
	dir := t.TempDir()
	path, fifo := filepath.Join(dir, "conf"), filepath.Join(dir, "fifo")
	if err := errors.Join(os.WriteFile(path, []byte("one"), 0o600), unix.Mkfifo(fifo, 0o600)); err != nil {
		t.Fatal(err)
	}
	w := plainFile(path)
	before, err := w.stat(path)
	if err != nil {
		t.Fatal(err)
	}
	w.stat = func(string) (fs.FileInfo, error) { return before, nil } // the look that comes before the swap

	if err := errors.Join(os.Remove(path), os.Symlink(fifo, path)); err != nil {
		t.Fatal(err)
	}
	opened := regulartest.WatchOpens(t, fifo)
	hash := seen.see(w, true).Hash

	if opened() {
		t.Error("the FIFO was opened")
	}
	if hash != "" || len(seen.seen) != 0 {
		t.Errorf("hash = %q, remembered %+v; want nothing of what is no regular file", hash, seen.seen)
	}
}
