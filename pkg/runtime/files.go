package runtime

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"

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

// Files are the files that a child with this spec must be told about when they
// change, with their content now. Links are followed.
func (p *ShimProcesses) Files(spec *child.Spec) []child.FileHash {
	var paths []string
	for _, f := range spec.EnvFiles {
		paths = append(paths, absolute(p.host.WorkingDir, f))
	}
	if spec.Reload != nil {
		paths = append(paths, spec.Reload.Files...)
	}
	slices.Sort(paths)
	paths = slices.Compact(paths)
	all := make([]child.FileHash, 0, len(paths))
	for _, path := range paths {
		all = append(all, child.FileHash{Path: path, Hash: p.files.hash(path)})
	}
	return all
}

// hash is the content of a file by its SHA-256, "" if it cannot be read.
func (c *files) hash(path string) string {
	fi, err := os.Stat(path)
	if err != nil || !fi.Mode().IsRegular() {
		return ""
	}
	var st unix.Stat_t
	if unix.Stat(path, &st) != nil {
		return ""
	}
	now := fileSeen{dev: uint64(st.Dev), ino: st.Ino, size: fi.Size(), mtime: fi.ModTime()}
	c.mu.Lock()
	old, known := c.seen[path]
	c.mu.Unlock()
	same := known && old.dev == now.dev && old.ino == now.ino && old.size == now.size && old.mtime.Equal(now.mtime)
	if same && old.settledAt.Sub(old.mtime) > 2*lookAtFiles {
		return old.hash
	}
	if now.hash = hashFile(path); now.hash == "" {
		return ""
	}
	now.settledAt = time.Now()
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.seen == nil {
		c.seen = map[string]fileSeen{}
	}
	c.seen[path] = now
	return now.hash
}

func hashFile(path string) string {
	f, err := os.OpenFile(path, os.O_RDONLY|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if err != nil {
		return ""
	}
	defer f.Close()
	sum := sha256.New()
	if _, err := io.Copy(sum, io.LimitReader(f, maxReloadFile)); err != nil {
		return ""
	}
	return "sha256:" + hex.EncodeToString(sum.Sum(nil))
}

func hasFiles(spec *child.Spec) bool { return spec.Reload != nil || len(spec.EnvFiles) > 0 }

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
