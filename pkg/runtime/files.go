package runtime

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/reconciler-dev/reconciler/internal/private"
	"github.com/reconciler-dev/reconciler/pkg/runtime/child"
	"github.com/reconciler-dev/reconciler/pkg/runtime/machine"
)

// lookAtFiles is how often the files of running children are looked at. A look is one
// stat(2) a file; only what that shows as touched is read. Polling sees what
// notification misses: mounts, network disks, links that are swapped.
const lookAtFiles = time.Second

// files remembers the content of files by what stat(2) says of them, and reads none
// that is being written: see files_whole.go.
type files struct {
	key []byte // of the hashes
	now func() time.Time

	mu      sync.Mutex
	seen    map[string]content
	pending map[string]change
}

// hashKeyFile is the key of the hashes, in the state directory.
const hashKeyFile = "hash-key"

// newFiles makes the key of the hashes, or finds that of an earlier run. With it
// nobody who sees a hash, as the records hold it, can try which short secret has it.
func newFiles(stateDir string) (*files, error) {
	path := filepath.Join(stateDir, hashKeyFile)
	key, err := readKey(path)
	if err == nil && len(key) == sha256.Size {
		return filesWith(key), nil
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("the key of the hashes of files: %w", err)
	}
	key = make([]byte, sha256.Size)
	rand.Read(key)
	if err := writeKey(path, key); err != nil {
		return nil, fmt.Errorf("the key of the hashes of files: %w", err)
	}
	return filesWith(key), nil
}

func filesWith(key []byte) *files {
	return &files{key: key, now: time.Now, seen: map[string]content{}, pending: map[string]change{}}
}

func readKey(path string) ([]byte, error) {
	f, err := private.Open(path, os.O_RDONLY)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(io.LimitReader(f, sha256.Size+1))
}

func writeKey(path string, key []byte) error {
	f, err := private.Open(path+".new", os.O_WRONLY|os.O_CREATE|os.O_TRUNC)
	if err != nil {
		return err
	}
	_, err = f.Write(key)
	if err = errors.Join(err, f.Close()); err != nil {
		return err
	}
	return os.Rename(path+".new", path)
}

// Files are the files that a child with this spec must be told about when they
// change, with their content now, as far as it is whole. Links are followed.
func (p *ShimProcesses) Files(spec *child.Spec) []child.FileHash { return p.filesOf(spec, false) }

// filesOf takes files as they are for a child that starts: it reads them at once.
func (p *ShimProcesses) filesOf(spec *child.Spec, starts bool) []child.FileHash {
	var of []watched
	if p.host.SecretsDir != "" {
		for _, key := range secretKeys(spec) {
			of = append(of, p.host.secretFile(key))
		}
	}
	for _, f := range spec.EnvFiles {
		of = append(of, p.host.envFile(p.host.at(f), saysRoot(spec)))
	}
	if spec.Reload != nil {
		for _, f := range spec.Reload.Files {
			of = append(of, filesAt(p.host.at(f)))
		}
	}
	slices.SortStableFunc(of, func(a, b watched) int { return strings.Compare(a.path, b.path) })
	of = slices.CompactFunc(of, func(a, b watched) bool { return a.path == b.path })
	all := make([]child.FileHash, 0, len(of))
	for _, w := range of {
		all = append(all, p.files.see(w, starts))
	}
	return all
}

func hasFiles(spec *child.Spec) bool {
	return spec.Reload != nil || len(spec.EnvFiles) > 0 ||
		slices.ContainsFunc(spec.Environment, func(v child.EnvVar) bool { return v.SecretRef != "" })
}

// startFiles begins to look at the files of running children, until stop is
// called.
func (r *Runtime) startFiles(ctx context.Context) (stop func()) {
	if r.cfg.Files == nil {
		return func() {}
	}
	ctx, cancel := context.WithCancel(ctx)
	var running sync.WaitGroup
	running.Go(func() { r.watchFiles(ctx) })
	return func() {
		cancel()
		running.Wait()
	}
}

func (r *Runtime) watchFiles(ctx context.Context) {
	tick := time.NewTicker(lookAtFiles)
	defer tick.Stop()
	told := map[child.Key]string{} // why files of an attempt are not read
	for {
		unread := map[child.Key]string{}
		for _, s := range r.board.all() {
			if s.Phase != child.Running || s.PID == 0 || !hasFiles(s.Spec) {
				continue
			}
			seen := r.cfg.Files(s.Spec)
			key := child.Key{ID: s.ID, Incarnation: s.Incarnation, Generation: s.Generation}
			unread[key] = troubles(seen)
			if !news(s.Files, seen) && unread[key] == told[key] {
				continue
			}
			select {
			case r.filesSeen <- machine.FilesSeen{Key: key, Files: seen}:
			case <-ctx.Done():
				return
			}
		}
		told = unread
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

// news reports whether files that can be read are not as they are known, or others
// than those.
func news(known, seen []child.FileHash) bool {
	if !slices.EqualFunc(known, seen, func(k, s child.FileHash) bool { return k.Path == s.Path }) {
		return true
	}
	for i, f := range seen {
		if f.WasRead() && known[i].Hash != f.Hash {
			return true
		}
	}
	return false
}

func troubles(seen []child.FileHash) string {
	var all strings.Builder
	for _, f := range seen {
		all.WriteString(f.Trouble)
	}
	return all.String()
}
