package runtime

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/reconciler-dev/reconciler/internal/account"
	"github.com/reconciler-dev/reconciler/pkg/runtime/child"
	"github.com/reconciler-dev/reconciler/pkg/runtime/logs"
	"github.com/reconciler-dev/reconciler/pkg/runtime/machine"
	"github.com/reconciler-dev/reconciler/pkg/runtime/shim"
)

// Host is what starting a child takes from the machine and from the process
// that asks.
type Host struct {
	// WorkingDir is where relative paths of a spec begin, and where a child
	// runs that names no directory. It must be absolute.
	WorkingDir string

	// ManifestsDir is where the relative paths of a spec begin instead, and at the folder
	// of its child below it a relative command without a working_dir. It must be
	// absolute; empty: WorkingDir. Links in it are followed at each use, so that what
	// stands behind a swapped one counts from the next start.
	ManifestsDir string

	// BinDir is where the executable of a child without a command is looked for
	// before PATH: bin/ of the manifests directory. May be empty.
	BinDir string

	// Environ is the environment that children inherit from, as os.Environ.
	Environ []string

	// SecretsDir holds the secrets that environment variables refer to, each in the
	// file of its key. It must be absolute; empty: there are none.
	SecretsDir string

	// Owners are users whom a reconciler of root obeys beside root: see obey.go.
	Owners []uint32

	// accounts is where users and groups are looked up.
	accounts account.Database
}

// launch resolves a spec to what the shim needs: paths looked up, users and
// groups as numbers, the whole environment. Whatever cannot be resolved is the
// reason why the attempt did not start.
func (h Host) launch(ctx context.Context, s machine.Start) (shim.Launch, error) {
	spec := s.Spec
	dir := h.WorkingDir
	if spec.WorkingDir != "" {
		dir = h.at(spec.WorkingDir)
	}
	if err := checkDir(dir); err != nil {
		return shim.Launch{}, err
	}
	us, err := whoWeAre()
	if err != nil {
		return shim.Launch{}, err
	}
	who, err := identify(ctx, h.accounts, us, spec.RunAs)
	if err != nil {
		return shim.Launch{}, err
	}
	env, err := h.environment(s, who)
	if err != nil {
		return shim.Launch{}, err
	}
	path, args, err := h.command(s, dir, valueOf(env, "PATH"), who)
	if err != nil {
		return shim.Launch{}, err
	}
	return shim.Launch{
		Key: s.Key, Attempt: s.Attempt, SpecHash: spec.Hash(),
		Path: path, Args: args, Dir: dir, Env: env, Credential: who.credential, Log: logPolicy(spec.Logs),
		Notify: s.Key.Role == child.Main && usesNotify(spec),
	}, nil
}

func logPolicy(l child.Logs) logs.Policy {
	return logs.Policy{MaxBytes: int64(l.MaxSizeMB * (1 << 20)), MaxFiles: l.MaxFiles, Timestamps: l.Timestamps, Drop: l.WhenFull == child.DropOutput}
}

// command is the executable and the argument list of a child, or of what runs
// beside it. What is looked up is judged, see obey.go.
func (h Host) command(s machine.Start, dir, path string, who identity) (string, []string, error) {
	id, declared := s.Key.ID, s.Spec.Command
	if s.Key.Role != child.Main {
		declared = s.Command
	}
	args := declared
	if len(args) == 0 {
		args = []string{id.Name()}
		if own := filepath.Join(h.BinDir, id.Name()); h.BinDir != "" && isExecutable(own) == nil {
			return own, args, inCommand(args[0], h.checkOwn(own, who))
		}
	}
	name := args[0]
	if strings.ContainsRune(name, '/') {
		file, err := h.commandFile(s, dir, name)
		if err == nil {
			err = startable(file)
		}
		if err == nil && !filepath.IsAbs(name) {
			err = inCommand(name, h.checkExecutable(file, who))
		}
		return file, args, err
	}
	file, refused := h.inPath(name, dir, path, who)
	switch {
	case file != "":
		return file, args, nil
	case refused != nil && shownPath(s.Spec, path) == path:
		return "", nil, inCommand(name, refused)
	case refused != nil: // where that is, is part of the secret
		return "", nil, fmt.Errorf("command %s: what PATH=%s has of it could have been written by others, and the child is root", name, shownPath(s.Spec, path))
	case len(declared) == 0:
		return "", nil, fmt.Errorf("no command: the manifest has none, and there is no executable %q in %s or in PATH=%s", name, h.BinDir, shownPath(s.Spec, path))
	}
	return "", nil, fmt.Errorf("command %q: no such executable in PATH=%s", name, shownPath(s.Spec, path))
}

// inPath looks an executable up. One that is refused is as good as not there, so that
// who may write into a folder of PATH hides none of the others; refused says why the
// first one was, if there is no other.
func (h Host) inPath(name, dir, path string, who identity) (file string, refused error) {
	for _, folder := range filepath.SplitList(path) {
		file := filepath.Join(absolute(dir, folder), name)
		if isExecutable(file) != nil {
			continue
		}
		err := h.checkExecutable(file, who)
		if err == nil {
			return file, nil
		}
		if refused == nil {
			refused = err
		}
	}
	return "", refused
}

func inCommand(name string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("command %s: %w", name, err)
}

// startable says in words of the manifest why file cannot be executed.
func startable(file string) error {
	err := isExecutable(file)
	switch {
	case err == nil:
		return nil
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("command %s: no such file", file)
	case errors.Is(err, errNotExecutable):
		return fmt.Errorf("command %s: %w; chmod +x it", file, err)
	}
	return fmt.Errorf("command %s: %w", file, errors.Unwrap(err))
}

var errNotExecutable = errors.New("it is no executable file")

func isExecutable(file string) error {
	fi, err := os.Stat(file)
	if err != nil {
		return err
	}
	if fi.IsDir() || fi.Mode()&0o111 == 0 {
		return errNotExecutable
	}
	return nil
}

func checkDir(dir string) error {
	fi, err := os.Stat(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("working_dir %s: no such directory", dir)
	}
	if err != nil {
		return fmt.Errorf("working_dir: %w", err)
	}
	if !fi.IsDir() {
		return fmt.Errorf("working_dir %s: not a directory", dir)
	}
	return nil
}

func absolute(base, path string) string {
	if filepath.IsAbs(path) {
		return filepath.Clean(path)
	}
	return filepath.Join(base, path)
}
