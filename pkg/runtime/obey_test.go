package runtime

import (
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/reconciler-dev/reconciler/internal/testuser"
	"github.com/reconciler-dev/reconciler/pkg/runtime/child"
)

// stranger owns files that only root can give away.
const stranger = 4242

// asRoot skips the test where nobody is obeyed but oneself.
func asRoot(t *testing.T) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("only a reconciler of root has something to give away")
	}
}

func done(t *testing.T, errs ...error) {
	t.Helper()
	for _, err := range errs {
		if err != nil {
			t.Fatal(err)
		}
	}
}

// nobodyElse runs the child as nobody, so that it gives root's rights to no one.
var nobodyElse = &child.RunAs{User: "65534", Group: "65534"}

func TestARootChildRunsNothingThatOthersCouldHaveWritten(t *testing.T) {
	asRoot(t)
	give := func(path string) error { return os.Lchown(path, stranger, stranger) }
	for name, row := range map[string]struct {
		do      func(dir string) error // to a place where all is well
		command []string               // nil: that of bin/
		want    string                 // "": it starts
	}{
		"a file of bin":                   {nil, nil, ""},
		"a stranger's file in bin":        {func(dir string) error { return give(dir + "/bin/web") }, nil, "/bin/web is not safe: it belongs to user 4242"},
		"a file in bin for all":           {func(dir string) error { return os.Chmod(dir+"/bin/web", 0o777) }, nil, "/bin/web is not safe: it may be written by everybody"},
		"bin for all":                     {func(dir string) error { return os.Chmod(dir+"/bin", 0o777) }, nil, "/bin may be written by everybody"},
		"bin of a stranger":               {func(dir string) error { return give(dir + "/bin") }, nil, "/bin belongs to user 4242"},
		"a stranger's link in bin":        {func(dir string) error { return linked(dir, dir+"/bin/web") }, nil, "/bin/web is not safe: it belongs to user 4242"},
		"a file of PATH":                  {nil, []string{"tool"}, ""},
		"a folder of PATH for all":        {func(dir string) error { return os.Chmod(dir+"/path", 0o777) }, []string{"tool"}, "/path may be written by everybody"},
		"a folder of PATH of a stranger":  {func(dir string) error { return give(dir + "/path") }, []string{"tool"}, "/path belongs to user 4242"},
		"a stranger's file in PATH":       {func(dir string) error { return give(dir + "/path/tool") }, []string{"tool"}, "/path/tool is not safe: it belongs to user 4242"},
		"a relative path":                 {nil, []string{"./run"}, ""},
		"a relative path of a stranger":   {func(dir string) error { return give(dir + "/work") }, []string{"./run"}, "/work belongs to user 4242"},
		"a relative path, a folder above": {func(dir string) error { return os.Chmod(dir, 0o777) }, []string{"./run"}, " may be written by everybody"},
		"an absolute path is his word":    {func(dir string) error { return give(dir + "/work/run") }, []string{"WORK/run"}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			executable(t, dir+"/bin/web")
			executable(t, dir+"/path/tool")
			executable(t, dir+"/work/run")
			if row.do != nil {
				done(t, row.do(dir))
			}
			host := Host{WorkingDir: dir, BinDir: dir + "/bin", Environ: []string{"PATH=" + dir + "/path"}}
			spec := child.Spec{WorkingDir: dir + "/work"}
			for _, word := range row.command {
				spec.Command = append(spec.Command, strings.Replace(word, "WORK", dir+"/work", 1))
			}
			spec.InheritEnvironment.All = true

			_, err := host.launch(t.Context(), startOf("web", spec))
			host.Owners = []uint32{stranger}
			_, trusted := host.launch(t.Context(), startOf("web", spec))

			if row.want == "" && err != nil || row.want != "" && (err == nil || !strings.Contains(err.Error(), row.want)) {
				t.Errorf("error = %v, want %q", err, row.want)
			}
			if err != nil && !strings.Contains(err.Error(), "run_as.user") {
				t.Errorf("error = %v, want the way out", err)
			}
			if other := strings.Contains(row.want, "4242"); other && (trusted != nil || !strings.Contains(err.Error(), "--manifests-owner 4242")) {
				t.Errorf("with the owner: %v; without: %v, want that to name the flag", trusted, err)
			}
		})
	}
}

// linked turns path into a stranger's link to an executable of root's.
func linked(dir, path string) error {
	if err := os.Rename(path, dir+"/elsewhere"); err != nil {
		return err
	}
	if err := os.Symlink(dir+"/elsewhere", path); err != nil {
		return err
	}
	return os.Lchown(path, stranger, stranger)
}

func TestAFolderOfPathThatIsRefusedHidesNoOther(t *testing.T) {
	asRoot(t)
	dir := t.TempDir()
	executable(t, dir+"/open/tool")
	good := executable(t, dir+"/good/tool")
	done(t, os.Chmod(dir+"/open", 0o777|fs.ModeSticky), os.Chown(dir+"/open/tool", stranger, stranger))
	host := Host{WorkingDir: dir, Environ: []string{"PATH=" + dir + "/open:" + dir + "/good"}}
	spec := child.Spec{Command: []string{"tool"}}
	spec.InheritEnvironment.All = true

	launch, err := host.launch(t.Context(), startOf("x", spec))

	if err != nil || launch.Path != good {
		t.Errorf("launch = %s, %v; want %s", launch.Path, err, good)
	}
}

func TestAChildThatIsSomebodyElseRunsItsOwnFiles(t *testing.T) {
	asRoot(t)
	dir := testuser.Dir(t) // of nobody
	executable(t, dir+"/bin/web")
	executable(t, dir+"/path/tool")
	for _, name := range []string{"/bin", "/bin/web", "/path", "/path/tool"} {
		done(t, os.Chown(dir+name, testuser.Nobody, testuser.Nobody))
	}
	done(t, os.WriteFile(dir+"/env", []byte("OWN=1\n"), 0o600), os.Chown(dir+"/env", testuser.Nobody, testuser.Nobody))
	host := Host{WorkingDir: dir, BinDir: dir + "/bin", Environ: []string{"PATH=" + dir + "/path"}}
	for _, command := range [][]string{nil, {"tool"}, {"bin/web"}} {
		spec := child.Spec{Command: command, RunAs: nobodyElse, EnvFiles: []string{dir + "/env"}}
		spec.InheritEnvironment.All = true

		launch, err := host.launch(t.Context(), startOf("web", spec))

		if err != nil || !slices.Contains(launch.Env, "OWN=1") {
			t.Errorf("command %q: %v, environment %q", command, err, launch.Env)
		}
	}

	done(t, os.Chown(dir+"/bin", stranger, stranger))
	_, err := host.launch(t.Context(), startOf("web", child.Spec{RunAs: nobodyElse}))
	if err == nil || !strings.Contains(err.Error(), "belongs to user 4242") {
		t.Errorf("bin of a stranger: %v, want a refusal: it is part of the manifests", err)
	}
}

func TestAnEnvFileOfAnotherUserIsNotForARootChild(t *testing.T) {
	asRoot(t)
	dir := t.TempDir()
	path := filepath.Join(dir, "app.env")
	done(t, os.WriteFile(path, []byte("LD_PRELOAD=/tmp/evil.so\n"), 0o644), os.Chown(path, stranger, stranger))
	spec := child.Spec{Command: []string{"true"}, EnvFiles: []string{path}}
	spec.InheritEnvironment.All = true
	host := Host{WorkingDir: dir, Environ: []string{"PATH=/usr/bin:/bin"}}

	_, root := host.launch(t.Context(), startOf("x", spec))
	trusting := host
	trusting.Owners = []uint32{stranger}
	_, trusted := trusting.launch(t.Context(), startOf("x", spec))
	spec.RunAs = nobodyElse
	_, other := host.launch(t.Context(), startOf("x", spec))

	for _, want := range []string{"env_files: " + path + " is not safe: it belongs to user 4242", "chown root " + path, "--manifests-owner 4242", "run_as.user"} {
		if root == nil || !strings.Contains(root.Error(), want) {
			t.Errorf("error = %v, want %q", root, want)
		}
	}
	if trusted != nil || other != nil {
		t.Errorf("trusting the owner: %v; as another user: %v; want both to start", trusted, other)
	}
}

func TestAnEnvFileThatIsRefusedRestartsNothing(t *testing.T) {
	asRoot(t)
	dir := t.TempDir()
	path := filepath.Join(dir, "app.env")
	done(t, os.WriteFile(path, []byte("A=1\n"), 0o644), os.Chown(path, stranger, stranger))
	seen, err := newFiles(t.TempDir())
	done(t, err)
	p := &ShimProcesses{host: Host{WorkingDir: dir}, files: seen}

	refused := p.filesOf(&child.Spec{EnvFiles: []string{path}}, true)
	other := p.filesOf(&child.Spec{EnvFiles: []string{path}, RunAs: nobodyElse}, true)

	if known := []child.FileHash{{Path: path, Hash: "before"}}; news(known, refused) || !news(known, other) {
		t.Errorf("for a child of root %v, for another %v; want no news and some", refused, other)
	}
}

func TestAnEnvFileIsNoWayToReadWhatIsRoots(t *testing.T) {
	asRoot(t)
	dir := testuser.Dir(t)
	secret := filepath.Join(t.TempDir(), "secret.env")
	done(t,
		os.WriteFile(secret, []byte("TOKEN="+canary+"\n"), 0o600),
		os.WriteFile(dir+"/own", []byte("OWN=1\n"), 0o600), os.Chown(dir+"/own", testuser.Nobody, testuser.Nobody),
		os.Symlink(secret, dir+"/stolen"), os.Lchown(dir+"/stolen", testuser.Nobody, testuser.Nobody),
		os.Symlink("own", dir+"/current"), os.Lchown(dir+"/current", testuser.Nobody, testuser.Nobody),
	)
	start := func(file string) ([]string, error) {
		spec := child.Spec{Command: []string{"true"}, RunAs: nobodyElse, EnvFiles: []string{file}}
		launch, err := Host{WorkingDir: dir}.launch(t.Context(), startOf("x", spec))
		return launch.Env, err
	}

	stolen, refused := start(dir + "/stolen")
	own, err := start(dir + "/current")

	if refused == nil || !strings.Contains(refused.Error(), "/stolen is not safe: it is a link of nobody and leads to a file of root") || len(stolen) > 0 {
		t.Errorf("a link to root's file: %q, %v; want a refusal", stolen, refused)
	}
	if err != nil || !slices.Contains(own, "OWN=1") {
		t.Errorf("a link to one's own file: %q, %v", own, err)
	}
}

func TestASecretOfAnotherUserIsRefused(t *testing.T) {
	asRoot(t)
	for name, row := range map[string]struct {
		do   func(dir string) error
		want string
	}{
		"all is well":                     {func(string) error { return nil }, ""},
		"the file":                        {func(dir string) error { return os.Chown(dir+"/workers/token", stranger, 0) }, "/workers/token is not safe: it belongs to user 4242"},
		"its folder":                      {func(dir string) error { return os.Chown(dir+"/workers", stranger, 0) }, "/workers belongs to user 4242"},
		"its folder, written by all":      {func(dir string) error { return os.Chmod(dir+"/workers", 0o777) }, "/workers may be written by everybody"},
		"the directory":                   {func(dir string) error { return os.Chown(dir, stranger, 0) }, " belongs to user 4242"},
		"a link":                          {func(dir string) error { return moved(dir) }, "/workers/token is not safe: it belongs to user 4242"},
		"sticky, as Kubernetes mounts it": {func(dir string) error { return os.Chmod(dir, 0o777|fs.ModeSticky) }, ""},
	} {
		t.Run(name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "secrets")
			keep(t, dir, "workers/token", canary, 0o400)
			done(t, row.do(dir))
			host := Host{WorkingDir: dir, SecretsDir: dir}

			_, err := host.launch(t.Context(), startOf("x", withSecret("workers/token", true)))
			host.Owners = []uint32{stranger}
			_, trusted := host.launch(t.Context(), startOf("x", withSecret("workers/token", true)))

			if row.want == "" && err != nil || row.want != "" && (err == nil || !strings.Contains(err.Error(), row.want) || strings.Contains(err.Error(), canary)) {
				t.Errorf("error = %v, want %q", err, row.want)
			}
			if strings.Contains(row.want, "4242") && !strings.Contains(err.Error(), ": mend that, choose another --secrets, or trust the owner with --manifests-owner 4242") {
				t.Errorf("error = %v, want the ways out", err)
			}
			if strings.Contains(row.want, "4242") && trusted != nil {
				t.Errorf("with the owner of manifests: %v, want the start", trusted)
			}
		})
	}
}

// moved makes the secret a link of a stranger to a file of root's in the same folder.
func moved(dir string) error {
	path := dir + "/workers/token"
	if err := os.Rename(path, path+".real"); err != nil {
		return err
	}
	if err := os.Symlink("token.real", path); err != nil {
		return err
	}
	return os.Lchown(path, stranger, 0)
}

func TestWithoutRootASecretOfAnotherUserIsRefusedToo(t *testing.T) {
	dir := t.TempDir()
	if os.Geteuid() == 0 {
		done(t, os.Chmod(filepath.Dir(dir), 0o755), os.Chmod(dir, 0o755))
	}
	if !testuser.Rerun(t) {
		return
	}
	keep(t, dir, "token", canary, 0o400)
	done(t, os.Chmod(dir, 0o777))

	_, err := Host{WorkingDir: dir, SecretsDir: dir}.launch(t.Context(), startOf("x", withSecret("token", true)))

	if err == nil || !strings.Contains(err.Error(), dir+" may be written by everybody") {
		t.Errorf("error = %v, want a refusal of the folder for all", err)
	}
}
