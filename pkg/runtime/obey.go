package runtime

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"golang.org/x/sys/unix"

	"github.com/reconciler-dev/reconciler/internal/regular"
	"github.com/reconciler-dev/reconciler/internal/trust"
	"github.com/reconciler-dev/reconciler/pkg/runtime/child"
)

// This file says what a reconciler of root takes from whom. Who may write what a
// child of root executes, or reads its environment from (LD_PRELOAD), is root: the
// rule is that for manifests. A child that is somebody else cannot give away more
// than that user, whose own files are then as good as root's. An absolute path of a
// command is the word of who wrote the manifest, as in crontab(5), and is not judged.

// staysRoot reports whether a child has root's rights.
func (id identity) staysRoot() bool {
	if id.credential == nil {
		return os.Geteuid() == 0
	}
	return id.credential.UID == 0
}

// saysRoot is staysRoot as far as the manifest tells, without a look at a database.
func saysRoot(spec *child.Spec) bool {
	return os.Geteuid() == 0 && (spec.RunAs == nil || slices.Contains([]string{"", "root", "0"}, spec.RunAs.User))
}

// checkExecutable refuses an executable that was looked up, for a child of root.
func (h Host) checkExecutable(file string, who identity) error {
	if !who.staysRoot() {
		return nil
	}
	_, err := trust.Obey(h.Owners).Check(file)
	return rootsProblem(err)
}

// checkOwn refuses an executable in bin/ of the manifests, for every child: it is part
// of them. The user that the child runs as may own it too.
func (h Host) checkOwn(file string, who identity) error {
	if os.Geteuid() != 0 {
		return nil
	}
	if who.staysRoot() {
		return h.checkExecutable(file, who)
	}
	_, err := trust.Obey(append(slices.Clone(h.Owners), who.credential.UID)).Check(file)
	return err
}

// rootsProblem says who would be root, and the ways out besides the one of err.
func rootsProblem(err error) error {
	var bad *trust.Error
	if !errors.As(err, &bad) {
		return err
	}
	if bad.Other {
		return fmt.Errorf("%w, and the child is root: mend that, trust the owner with --manifests-owner %s, or let the child be another user with run_as.user", err, bad.Name())
	}
	return fmt.Errorf("%w, and the child is root: mend that, or let the child be another user with run_as.user", err)
}

// openEnvFile opens an env file for a child: of root, if nobody else could have written
// it; of somebody else, if it is not his link to what he may not read.
func (h Host) openEnvFile(path string, root bool) (*os.File, error) {
	if os.Geteuid() != 0 {
		return regular.Open(path, regular.Follow)
	}
	p := trust.Obey(h.Owners)
	p.LinksOnly = !root
	f, err := p.Open(path, unix.O_RDONLY)
	if root {
		err = rootsProblem(err)
	}
	return f, err
}

// readEnvText is the whole of an env file.
func (h Host) readEnvText(path string, root bool) ([]byte, error) {
	f, err := h.openEnvFile(path, root)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, maxEnvFile+1))
	if err == nil && len(text) > maxEnvFile {
		err = fmt.Errorf("%s: larger than %d bytes", path, maxEnvFile)
	}
	return text, err
}

// envFile is an env file that a child must be told about. One that is refused tells
// nothing: the child that runs with what it had runs on.
func (h Host) envFile(path string, root bool) watched {
	w := plainFile(path)
	w.open = func(path string) (*os.File, error) { return h.openEnvFile(path, root) }
	return w
}

// checkSecretOwner refuses a secret that others could have put where f was opened:
// the file, the links and the folders on the way are root's, our own or of an owner
// of manifests, whom we obey anyway.
func (h Host) checkSecretOwner(f *os.File, path string) error {
	found, err := trust.Obey(h.Owners).Check(path)
	var bad *trust.Error
	switch {
	case errors.As(err, &bad) && bad.Other && os.Geteuid() == 0:
		return fmt.Errorf("%w: mend that, choose another --secrets, or trust the owner with --manifests-owner %s", err, bad.Name())
	case err != nil:
		return err
	}
	var st unix.Stat_t
	if err := unix.Fstat(int(f.Fd()), &st); err != nil {
		return &fs.PathError{Op: "stat", Path: path, Err: err}
	}
	if st.Dev != found.Stat.Dev || st.Ino != found.Stat.Ino {
		return fmt.Errorf("%s was exchanged while it was opened", filepath.Clean(path))
	}
	return nil
}
