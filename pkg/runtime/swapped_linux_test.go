package runtime

import (
	"errors"
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
	seen, err := newFiles(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	p := &ShimProcesses{host: Host{WorkingDir: dir}, files: seen}
	opened := regulartest.WatchOpens(t, fifo)

	hashes := p.Files(spec)
	_, copied := copyFile(new(strings.Builder), link)
	read := readEnvFile(link, map[string]string{})

	if opened() {
		t.Error("the FIFO was opened")
	}
	if len(hashes) != 1 || hashes[0].Hash != "" || !errors.Is(copied, regular.ErrKind) || !errors.Is(read, regular.ErrKind) {
		t.Errorf("hashes %+v, errors %v and %v; want no hash, and a FIFO twice", hashes, copied, read)
	}
}
