package trust

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

const stranger = 65534

// tree makes folders and files (a name that ends with / is a folder) below a new
// folder, and returns it without links on the way.
func tree(t *testing.T, names ...string) string {
	t.Helper()
	root, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		path := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if strings.HasSuffix(name, "/") {
			err = os.MkdirAll(path, 0o755)
		} else {
			err = os.WriteFile(path, []byte(name), 0o644)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return root
}

func must(t *testing.T, errs ...error) {
	t.Helper()
	for _, err := range errs {
		if err != nil {
			t.Fatal(err)
		}
	}
}

func asRoot(t *testing.T) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("only root can give files away")
	}
}

func TestFolderForAllOnTheWayIsNamed(t *testing.T) {
	root := tree(t, "open/er/file")
	must(t, os.Chmod(filepath.Join(root, "open"), 0o777))

	_, err := Own().Check(filepath.Join(root, "open/er/file"))

	var bad *Error
	if !errors.As(err, &bad) {
		t.Fatalf("Check = %v, want an *Error", err)
	}
	if want := filepath.Join(root, "open"); bad.Hop != want || !strings.Contains(err.Error(), "chmod go-w "+want) {
		t.Errorf("it blames %s: %v; want %s and how to mend it", bad.Hop, err, want)
	}
}

func TestStickyFolderOnTheWayPasses(t *testing.T) {
	root := tree(t, "tmp/file")
	must(t, os.Chmod(filepath.Join(root, "tmp"), 0o777|fs.ModeSticky))

	if _, err := Own().Check(filepath.Join(root, "tmp/file")); err != nil {
		t.Error(err)
	}
}

func TestEveryLinkOfAChainIsJudged(t *testing.T) {
	asRoot(t)
	root := tree(t, "own/", "theirs/", "real/file")
	must(t,
		os.Symlink("../theirs/middle", filepath.Join(root, "own/first")),
		os.Symlink("../real", filepath.Join(root, "theirs/middle")),
		os.Chown(filepath.Join(root, "theirs"), stranger, stranger),
	)

	_, err := Own().Check(filepath.Join(root, "own/first/file"))

	var bad *Error
	if !errors.As(err, &bad) || bad.Hop != filepath.Join(root, "theirs") || bad.Owner != stranger {
		t.Errorf("Check = %v, want the folder of the middle link", err)
	}
}

func TestLinkOfAStrangerInAStickyFolderIsRefused(t *testing.T) {
	asRoot(t)
	root := tree(t, "tmp/", "real/file")
	must(t,
		os.Chmod(filepath.Join(root, "tmp"), 0o777|fs.ModeSticky),
		os.Symlink("../real/file", filepath.Join(root, "tmp/link")),
		os.Lchown(filepath.Join(root, "tmp/link"), stranger, stranger),
	)

	_, err := Own().Open(filepath.Join(root, "tmp/link"), unix.O_RDONLY)

	var bad *Error
	if !errors.As(err, &bad) || bad.Hop != filepath.Join(root, "tmp/link") {
		t.Errorf("Open = %v, want the link to be blamed", err)
	}
}

func TestAllowedOwnerPassesAndOthersDoNot(t *testing.T) {
	asRoot(t)
	root := tree(t, "checkout/file")
	must(t, os.Chown(filepath.Join(root, "checkout"), stranger, stranger), os.Chown(filepath.Join(root, "checkout/file"), stranger, stranger))
	path := filepath.Join(root, "checkout/file")

	_, refused := Own().Check(path)
	_, other := Own().Also(stranger - 1).Check(path)
	_, allowed := Own().Also(stranger).Check(path)

	if refused == nil || other == nil || allowed != nil {
		t.Errorf("nobody allowed: %v; another: %v; its owner: %v; want two refusals and none", refused, other, allowed)
	}
}

func TestOpenReadsWhatItJudged(t *testing.T) {
	root := tree(t, "a/b/file")
	must(t, os.Symlink("b", filepath.Join(root, "a/to-b")), os.Symlink(filepath.Join(root, "a/to-b/../b/./file"), filepath.Join(root, "link")))

	f, err := Own().Open(filepath.Join(root, "link"), unix.O_RDONLY)
	must(t, err)
	defer f.Close()
	data, err := io.ReadAll(f)

	if string(data) != "a/b/file" || err != nil {
		t.Errorf("read %q, %v", data, err)
	}
	found, err := Own().Check(filepath.Join(root, "link"))
	if want := filepath.Join(root, "a/b/file"); found.Path != want || err != nil {
		t.Errorf("found %s, %v; want %s", found.Path, err, want)
	}
}

func TestOpenTakesFoldersAndFilesAlone(t *testing.T) {
	root := tree(t, "folder/")
	must(t, unix.Mkfifo(filepath.Join(root, "fifo"), 0o600), os.Symlink(".", filepath.Join(root, "folder/self")), os.Symlink("loop", filepath.Join(root, "loop")))

	folder, err := Own().Open(filepath.Join(root, "folder/self"), unix.O_RDONLY)
	must(t, err)
	defer folder.Close()
	_, fifo := Own().Open(filepath.Join(root, "fifo"), unix.O_RDONLY)
	_, loop := Own().Open(filepath.Join(root, "loop"), unix.O_RDONLY)
	_, missing := Own().Open(filepath.Join(root, "missing"), unix.O_RDONLY)
	_, through := Own().Open(filepath.Join(root, "fifo/x"), unix.O_RDONLY)

	if fifo == nil || !errors.Is(loop, unix.ELOOP) || !errors.Is(missing, fs.ErrNotExist) || !errors.Is(through, unix.ENOTDIR) {
		t.Errorf("a FIFO: %v; a loop: %v; what is missing: %v; below a file: %v", fifo, loop, missing, through)
	}
	if _, err := Own().Check(filepath.Join(root, "fifo")); err != nil {
		t.Errorf("a FIFO cannot be judged: %v", err)
	}
}

func TestJudgeAsksTheDescriptor(t *testing.T) {
	root := tree(t, "file")
	path := filepath.Join(root, "file")
	f, err := os.Open(path)
	must(t, err)
	defer f.Close()
	must(t, Own().Judge(f, path), os.Chmod(path, 0o666), os.Rename(path, path+".old"), os.WriteFile(path, nil, 0o600))

	if err := Own().Judge(f, path); err == nil {
		t.Error("a file that all may write passes, since another has its name now")
	}
}

func TestRemedyIsOneWordOfAShell(t *testing.T) {
	root := tree(t, "it's open/file")
	must(t, os.Chmod(filepath.Join(root, "it's open"), 0o777))

	_, err := Own().Check(filepath.Join(root, "it's open/file"))

	if want := `chmod go-w '` + root + `/it'\''s open'`; err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("Check = %v, want %s", err, want)
	}
}

func TestAFolderIsMadeWithAllThatLeadsToIt(t *testing.T) {
	root := tree(t, "there/")
	must(t, os.Symlink("there", filepath.Join(root, "link")))

	f, err := Own().MakeDir(filepath.Join(root, "link/a/b"), 0o700)

	must(t, err)
	defer f.Close()
	info, err := os.Stat(filepath.Join(root, "there/a/b"))
	must(t, err)
	if opened, err := f.Stat(); err != nil || !os.SameFile(info, opened) || info.Mode().Perm() != 0o700 {
		t.Errorf("made %v, opened %v, %v", info.Mode(), opened, err)
	}
	again, err := Own().MakeDir(filepath.Join(root, "there/a/b"), 0o700)
	must(t, err)
	again.Close()
}

func TestNothingIsMadeInAFolderOfAStranger(t *testing.T) {
	asRoot(t)
	root := tree(t, "theirs/")
	must(t, os.Chown(filepath.Join(root, "theirs"), stranger, stranger))

	_, err := Own().MakeDir(filepath.Join(root, "theirs/a"), 0o700)

	var bad *Error
	if !errors.As(err, &bad) || bad.Hop != filepath.Join(root, "theirs") {
		t.Errorf("MakeDir = %v, want the stranger's folder to be blamed", err)
	}
	if _, err := os.Stat(filepath.Join(root, "theirs/a")); err == nil {
		t.Error("it was made all the same")
	}
}

func TestAFileInThePlaceOfAFolderStays(t *testing.T) {
	root := tree(t, "file")

	_, err := Own().MakeDir(filepath.Join(root, "file"), 0o700)

	if !errors.Is(err, unix.ENOTDIR) {
		t.Errorf("MakeDir of a file = %v, want ENOTDIR", err)
	}
}

func TestLinkOfAStrangerLeadsToHisOwnAlone(t *testing.T) {
	asRoot(t)
	root := tree(t, "theirs/own", "roots")
	must(t,
		os.Chown(filepath.Join(root, "theirs"), stranger, stranger), os.Chown(filepath.Join(root, "theirs/own"), stranger, stranger),
		os.Symlink("own", filepath.Join(root, "theirs/to-own")), os.Lchown(filepath.Join(root, "theirs/to-own"), stranger, stranger),
		os.Symlink("../roots", filepath.Join(root, "theirs/to-roots")), os.Lchown(filepath.Join(root, "theirs/to-roots"), stranger, stranger),
		os.Symlink("theirs/own", filepath.Join(root, "of-root")),
		os.Symlink("to-own", filepath.Join(root, "theirs/twice")), os.Lchown(filepath.Join(root, "theirs/twice"), stranger-1, stranger),
	)
	p := Own()
	p.LinksOnly = true

	for name, ok := range map[string]bool{"theirs/own": true, "theirs/to-own": true, "of-root": true, "theirs/to-roots": false, "theirs/twice": false} {
		f, err := p.Open(filepath.Join(root, name), unix.O_RDONLY)
		if err == nil {
			f.Close()
		}

		if (err == nil) != ok {
			t.Errorf("%s: %v, want it opened: %v", name, err, ok)
		}
	}
}

// A machine has users whose home is a folder of the system; any will do.
func TestNobodyIsToldToTakeAHomeFromItsUser(t *testing.T) {
	uid := uint32(1)
	for uid < 100 && homeOf(uid) == "" {
		uid++
	}
	home := homeOf(uid)
	if home == "" {
		t.Skip("no user here has a home")
	}
	file := home + "/project/web.yaml"
	for hop, want := range map[string]string{
		home:              "choose a place outside of " + home,
		home + "/project": "choose a place outside of " + home,
		"/srv" + home:     "chown root /srv" + home,
	} {
		err := Policy{}.verdict(node{kind: dir, uid: uid, mode: 0o755}, file, hop)
		own := Policy{}.verdict(node{kind: dir, mode: 0o777}, file, hop)

		var bad, open *Error
		if !errors.As(err, &bad) || bad.Remedy != want || !errors.As(own, &open) || open.Remedy != "chmod go-w "+hop {
			t.Errorf("%s: %v; want %q; of root, and open to all: %v", hop, err, want, own)
		}
	}
}

func TestTheFolderAboveALinkIsThatOfItsTarget(t *testing.T) {
	root := tree(t, "checkout/manifests/", "checkout/app.env", "app.env")
	must(t, os.Symlink("checkout/manifests", filepath.Join(root, "link")))
	path := root + "/link/../app.env" // as it is: Join would make app.env of it

	f, err := Own().Open(path, unix.O_RDONLY)

	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	got, err := io.ReadAll(f)
	kernel, kernelErr := os.ReadFile(path)
	if must(t, err, kernelErr); string(got) != "checkout/app.env" || string(kernel) != string(got) {
		t.Errorf("opened %q, want checkout/app.env, which the kernel opens: %q", got, kernel)
	}
}
