package runtime

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/reconciler-dev/reconciler/internal/private"
	"github.com/reconciler-dev/reconciler/internal/regular"
	"github.com/reconciler-dev/reconciler/pkg/runtime/child"
	"github.com/reconciler-dev/reconciler/pkg/runtime/machine"
)

const (
	// lookAtFiles is how often the files of running children are looked at. A look
	// is one stat(2) a file; only what that shows as touched is read. Polling sees
	// what notification misses: mounts, network disks, links that are swapped.
	lookAtFiles = time.Second

	// maxReloadFile bounds what is read of one file.
	maxReloadFile = 64 << 20
)

// files remembers the content of files by what stat(2) says of them.
type files struct {
	key []byte // of the hashes

	mu   sync.Mutex
	seen map[string]fileSeen
}

type fileSeen struct {
	dev, ino  uint64
	size      int64
	mtime     time.Time
	hash      string
	settledAt time.Time // when it was read: a change in the same tick of its clock is looked for once more
}

// hashKeyFile is the key of the hashes, in the state directory.
const hashKeyFile = "hash-key"

// newFiles makes the key of the hashes, or finds that of an earlier run. With it
// nobody who sees a hash, as the records hold it, can try which short secret has it.
func newFiles(stateDir string) (*files, error) {
	path := filepath.Join(stateDir, hashKeyFile)
	key, err := readKey(path)
	if err == nil && len(key) == sha256.Size {
		return &files{key: key, seen: map[string]fileSeen{}}, nil
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("the key of the hashes of files: %w", err)
	}
	key = make([]byte, sha256.Size)
	rand.Read(key)
	if err := writeKey(path, key); err != nil {
		return nil, fmt.Errorf("the key of the hashes of files: %w", err)
	}
	return &files{key: key, seen: map[string]fileSeen{}}, nil
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

// watched is a file that a child must be told about.
type watched struct {
	path string
	stat func() (fs.FileInfo, error)

	// copy writes all that counts as its content, and says of which file that was:
	// somebody may have swapped it since stat.
	copy func(to io.Writer) (fs.FileInfo, error)
}

func plainFile(path string) watched {
	return watched{
		path: path,
		stat: func() (fs.FileInfo, error) { return os.Stat(path) },
		copy: func(to io.Writer) (fs.FileInfo, error) { return copyFile(to, path) },
	}
}

func (h Host) secretFile(key string) watched {
	dir := h.SecretsDir
	return watched{
		path: filepath.Join(dir, key),
		stat: func() (fs.FileInfo, error) { return statSecret(dir, key) },
		copy: func(to io.Writer) (fs.FileInfo, error) {
			fi, err := statSecret(dir, key)
			if err != nil {
				return nil, err
			}
			value, err := h.readSecret(key)
			if err != nil {
				return nil, err
			}
			_, err = io.WriteString(to, value)
			return fi, err
		},
	}
}

// Files are the files that a child with this spec must be told about when they
// change, with their content now. Links are followed.
func (p *ShimProcesses) Files(spec *child.Spec) []child.FileHash {
	var of []watched
	if p.host.SecretsDir != "" {
		for _, key := range secretKeys(spec) {
			of = append(of, p.host.secretFile(key))
		}
	}
	for _, f := range spec.EnvFiles {
		of = append(of, p.host.envFile(absolute(p.host.WorkingDir, f), saysRoot(spec)))
	}
	if spec.Reload != nil {
		for _, f := range spec.Reload.Files {
			of = append(of, plainFile(f))
		}
	}
	slices.SortStableFunc(of, func(a, b watched) int { return strings.Compare(a.path, b.path) })
	of = slices.CompactFunc(of, func(a, b watched) bool { return a.path == b.path })
	all := make([]child.FileHash, 0, len(of))
	for _, w := range of {
		all = append(all, child.FileHash{Path: w.path, Hash: p.files.hash(w)})
	}
	return all
}

// hash stands for the content of a file, "" if it cannot be read.
func (c *files) hash(w watched) string {
	fi, err := w.stat()
	if err != nil {
		return ""
	}
	now, ok := fileSeenOf(fi)
	if !ok {
		return ""
	}
	c.mu.Lock()
	old, known := c.seen[w.path]
	c.mu.Unlock()
	if known && now.same(old) && old.settledAt.Sub(old.mtime) > 2*lookAtFiles {
		return old.hash
	}
	sum := hmac.New(sha256.New, c.key)
	if fi, err = w.copy(sum); err != nil {
		return ""
	}
	if now, ok = fileSeenOf(fi); !ok {
		return ""
	}
	now.hash = "hmac-sha256:" + hex.EncodeToString(sum.Sum(nil))
	now.settledAt = time.Now()
	c.mu.Lock()
	defer c.mu.Unlock()
	c.seen[w.path] = now
	return now.hash
}

// fileSeenOf is what tells two states of a regular file apart.
func fileSeenOf(fi fs.FileInfo) (fileSeen, bool) {
	st, ok := fi.Sys().(*syscall.Stat_t)
	if !ok || !fi.Mode().IsRegular() {
		return fileSeen{}, false
	}
	return fileSeen{dev: uint64(st.Dev), ino: st.Ino, size: fi.Size(), mtime: fi.ModTime()}, true
}

func (f fileSeen) same(o fileSeen) bool {
	return f.dev == o.dev && f.ino == o.ino && f.size == o.size && f.mtime.Equal(o.mtime)
}

func copyFile(to io.Writer, path string) (fs.FileInfo, error) {
	f, err := regular.Open(path, regular.Follow)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return copyOpen(to, f)
}

func copyOpen(to io.Writer, f *os.File) (fs.FileInfo, error) {
	fi, err := f.Stat()
	if err != nil {
		return nil, err
	}
	_, err = io.Copy(to, io.LimitReader(f, maxReloadFile))
	return fi, err
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
	for {
		for _, s := range r.board.all() {
			if s.Phase != child.Running || s.PID == 0 || !hasFiles(s.Spec) {
				continue
			}
			seen := r.cfg.Files(s.Spec)
			if !news(s.Files, seen) {
				continue
			}
			key := child.Key{ID: s.ID, Incarnation: s.Incarnation, Generation: s.Generation}
			select {
			case r.filesSeen <- machine.FilesSeen{Key: key, Files: seen}:
			case <-ctx.Done():
				return
			}
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

// news reports whether files that can be read are not as they are known.
func news(known, seen []child.FileHash) bool {
	return slices.ContainsFunc(seen, func(f child.FileHash) bool {
		i, ok := slices.BinarySearchFunc(known, f.Path, func(k child.FileHash, path string) int { return strings.Compare(k.Path, path) })
		return f.Hash != "" && (!ok || known[i].Hash != f.Hash)
	})
}
