package testuser

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
)

// Nobody is the number of the user and of the group that owns nothing: 65534 on
// every Linux, and as good as any other elsewhere.
const Nobody = 65534

// Rerun makes sure that the test goes on as a user who is not root. It reports true
// where that is so already. As root it runs this one test again as nobody, in a
// process of its own, passes on how that went, and reports false: then the caller
// returns.
//
//	func TestOthersAreRefused(t *testing.T) {
//		if !testuser.Rerun(t) {
//			return
//		}
//
// The process has the files of Dir, its own HOME and TMPDIR there, and nothing else
// that it may write: it cannot count on the package's testdata.
func Rerun(t *testing.T) bool {
	t.Helper()
	if os.Geteuid() != 0 {
		return true
	}
	ctx, cancel := context.WithCancel(t.Context())
	if limit, ok := t.Deadline(); ok {
		ctx, cancel = context.WithDeadline(t.Context(), limit)
	}
	defer cancel()
	dir := Dir(t)
	cmd := command(ctx, dir, copyOf(t, filepath.Dir(dir)), "-test.run="+exactly(t.Name()), "-test.count=1", "-test.v=true")
	out, err := cmd.CombinedOutput()
	switch verdict(t.Name(), out, err) {
	case passed:
	case skipped:
		t.Skipf("as nobody:\n%s", out)
	default:
		t.Fatalf("as nobody: %v\n%s", err, out)
	}
	return false
}

// Command is a program that runs as nobody, with no supplementary group, in a
// directory of its own. Only root can make one; for others the test is skipped.
func Command(t testing.TB, path string, args ...string) *exec.Cmd {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("only root can run a program as nobody")
	}
	return command(t.Context(), Dir(t), path, args...)
}

// Public makes a directory that everybody may pass and read, unlike t.TempDir, and only
// we may write. It goes with the test.
func Public(t testing.TB) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "testuser-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	return dir
}

// Dir makes a directory that nobody owns, which is also the only thing in its
// parent, a Public one.
func Dir(t testing.TB) string {
	t.Helper()
	dir := filepath.Join(Public(t), "nobody")
	err := os.Mkdir(dir, 0o700)
	if err == nil && os.Geteuid() == 0 {
		err = os.Chown(dir, Nobody, Nobody)
	}
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

// Binary is a copy of this test binary that everybody may run: the one of go test
// lies where only its owner gets to.
func Binary(t testing.TB) string {
	t.Helper()
	return copyOf(t, filepath.Dir(Dir(t)))
}

func command(ctx context.Context, dir, path string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, path, args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "HOME="+dir, "TMPDIR="+dir, "USER=nobody", "LOGNAME=nobody")
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: Nobody, Gid: Nobody}}
	return cmd
}

func copyOf(t testing.TB, dir string) string {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	from, err := os.Open("/proc/self/exe") // also where the path leads nowhere, as under another mount
	if errors.Is(err, fs.ErrNotExist) {
		from, err = os.Open(self)
	}
	if err != nil {
		t.Fatal(err)
	}
	defer from.Close()
	path := filepath.Join(dir, filepath.Base(self))
	to, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o755)
	if err != nil {
		t.Fatal(err)
	}
	_, err = io.Copy(to, from)
	if err = errors.Join(err, to.Chmod(0o755), to.Close()); err != nil {
		t.Fatal(err)
	}
	return path
}

// exactly is a pattern of -test.run that only this test has, or subtest.
func exactly(name string) string {
	parts := strings.Split(name, "/")
	for i, p := range parts {
		parts[i] = "^" + regexp.QuoteMeta(p) + "$"
	}
	return strings.Join(parts, "/")
}

type outcome int

const (
	failed outcome = iota // also: there was no such test
	skipped
	passed
)

// verdict reads the output of -test.v. An end without an error is not enough: a
// pattern that fits nothing ends well, too.
func verdict(name string, out []byte, err error) outcome {
	says := func(word string) bool {
		line := fmt.Sprintf("--- %s: %s (", word, name)
		return bytes.Contains(out, []byte(line))
	}
	switch {
	case err != nil:
		return failed
	case says("PASS"):
		return passed
	case says("SKIP"):
		return skipped
	}
	return failed
}
