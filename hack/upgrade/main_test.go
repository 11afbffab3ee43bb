package upgrade

import (
	"fmt"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/reconciler-dev/reconciler/internal/pidns"
)

// roles are what this binary does as a child.
var roles = map[string]func(file string){"tick": tick, "late": late, "speak": speak}

func TestMain(m *testing.M) {
	if len(os.Args) > 1 && roles[os.Args[1]] != nil {
		roles[os.Args[1]](os.Args[len(os.Args)-1])
		return
	}
	pidns.Enter()
	os.Exit(m.Run())
}

// tick prints numbered lines for ever.
func tick(string) {
	every := time.NewTicker(20 * time.Millisecond)
	for i := 1; ; i++ {
		fmt.Println("line", i)
		<-every.C
	}
}

// late ends with the code that stands in file, as soon as it is there.
func late(file string) {
	for every := time.NewTicker(10 * time.Millisecond); ; <-every.C {
		if text, err := os.ReadFile(file); err == nil && len(text) > 0 {
			code, _ := strconv.Atoi(string(text))
			fmt.Println("last words")
			os.Exit(code)
		}
	}
}

// speak says what stands in file, again and again, as sd_notify(3) does.
func speak(file string) {
	for every := time.NewTicker(20 * time.Millisecond); ; <-every.C {
		words, _ := os.ReadFile(file)
		conn, err := net.Dial("unixgram", os.Getenv("NOTIFY_SOCKET"))
		if err != nil {
			continue // no shim lives at this moment
		}
		_, _ = fmt.Fprintf(conn, "READY=1\nWATCHDOG=1\nSTATUS=%s", words)
		conn.Close()
	}
}

// programs are the reconciler of the last release and that of now.
func programs(t *testing.T) (released, now string) {
	t.Helper()
	data, err := os.ReadFile("../last-release")
	if err != nil {
		t.Fatal(err)
	}
	noteSources(t)
	now = filepath.Join(t.TempDir(), "reconciler")
	build(t, "../..", now)
	return releasedProgram(t, strings.TrimSpace(string(data))), now
}

// noteSources looks at the sources of the program: go test takes a result from its
// cache while all that a test imports and looked at is as it was.
func noteSources(t *testing.T) {
	t.Helper()
	for _, dir := range []string{"../../cmd", "../../pkg", "../../internal"} {
		err := filepath.WalkDir(dir, func(path string, _ fs.DirEntry, err error) error {
			if err == nil {
				_, err = os.Stat(path)
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
}

// releasedProgram builds a commit. That takes a compiler longer than all else here,
// so the program is kept in the user's cache, beside that of go build.
func releasedProgram(t *testing.T, commit string) string {
	t.Helper()
	if out, err := exec.Command("git", "cat-file", "-e", commit+"^{commit}").CombinedOutput(); err != nil {
		why := fmt.Sprintf("the last release, %s, is not in the history here (%v %s)", commit, err, out)
		if os.Getenv("CI") == "true" {
			t.Fatal(why + "; CI needs a clone with all of it: git fetch --unshallow")
		}
		t.Skip(why)
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		cache = t.TempDir()
	}
	kept := filepath.Join(cache, "reconciler-test", commit+"-"+runtime.Version()+"-"+runtime.GOARCH)
	if _, err := os.Stat(kept); err == nil {
		return kept
	}
	source := t.TempDir()
	command(t, "../..", "sh", "-c", `git archive --format=tar "$0" >"$1/a.tar" && tar -xf "$1/a.tar" -C "$1"`, commit, source)
	built := fmt.Sprintf("%s.%d", kept, os.Getpid())
	build(t, source, built)
	if err := os.Rename(built, kept); err != nil {
		t.Fatal(err)
	}
	return kept
}

func build(t *testing.T, source, program string) {
	t.Helper()
	command(t, source, "go", "build", "-buildvcs=false", "-o", program, "./cmd/reconciler")
}

func command(t *testing.T, dir string, argv ...string) {
	t.Helper()
	cmd := exec.Command(argv[0], argv[1:]...)
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%s: %v\n%s", argv, err, out)
	}
}
