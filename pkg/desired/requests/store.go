package requests

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/reconciler-dev/reconciler/internal/private"
	"github.com/reconciler-dev/reconciler/pkg/desired"
	"github.com/reconciler-dev/reconciler/pkg/runtime/child"
)

// maxFile is more than a body and its envelope can be.
const maxFile = 8 << 20

// kept is a file.
type kept struct {
	Version int      `json:"version"`
	ID      child.ID `json:"child_id"`
	JSON    bool     `json:"json,omitempty"`
	Body    string   `json:"body"`
}

// Store is the requests of one state directory. All methods may be called from any
// goroutine.
type Store struct {
	dir string
	mu  sync.Mutex // of changes
	all atomic.Pointer[[]desired.Request]
}

// Open reads what is kept in dir, which is made where it is missing. known are the
// children that the runtime has by request: those of which no body is kept, because an
// earlier version put them, stay as they are until they are put again or deleted. The
// error of a file that cannot be read costs that file only; the store can be used.
func Open(dir string, known []child.ID) (*Store, error) {
	if err := private.Below(dir); err != nil {
		return nil, fmt.Errorf("requests: %w", err)
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, fmt.Errorf("requests: %w", err)
	}
	all := map[child.ID]desired.Request{}
	for _, id := range known {
		all[id] = desired.Request{ID: id}
	}
	var damage []error
	for _, e := range entries {
		if !strings.HasSuffix(e.Name(), ext) {
			continue
		}
		r, err := read(filepath.Join(dir, e.Name()))
		if err != nil {
			damage = append(damage, err)
			continue
		}
		all[r.ID] = r
	}
	s := &Store{dir: dir}
	list := make([]desired.Request, 0, len(all))
	for _, r := range all {
		list = append(list, r)
	}
	s.publish(list)
	return s, errors.Join(damage...)
}

func read(path string) (desired.Request, error) {
	f, err := private.Open(path, os.O_RDONLY)
	if err != nil {
		return desired.Request{}, err
	}
	text, err := io.ReadAll(io.LimitReader(f, maxFile))
	if err = errors.Join(err, f.Close()); err != nil {
		return desired.Request{}, err
	}
	var k kept
	err = json.Unmarshal(text, &k)
	if err == nil {
		_, err = child.ParseID(string(k.ID))
	}
	if err != nil || k.Version != 1 || k.Body == "" {
		return desired.Request{}, fmt.Errorf("%s holds no request of this version: %w", path, errors.Join(err, fs.ErrInvalid))
	}
	r, _ := desired.NewRequest(k.ID, k.JSON, []byte(k.Body)) // its problems are told by the merge
	return r, nil
}

// All are the requests, sorted by ID. The slice is immutable.
func (s *Store) All() []desired.Request { return *s.all.Load() }

// Get is the request of a child.
func (s *Store) Get(id child.ID) (desired.Request, bool) {
	all := s.All()
	i, ok := slices.BinarySearchFunc(all, id, func(r desired.Request, id child.ID) int { return strings.Compare(string(r.ID), string(id)) })
	if !ok {
		return desired.Request{}, false
	}
	return all[i], true
}

// Write makes the body of a request durable. All shows it from Show on; after a crash
// in between it is there too.
func (s *Store) Write(r desired.Request) error {
	text, err := json.Marshal(kept{Version: 1, ID: r.ID, JSON: r.JSON, Body: string(r.Body)})
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	path := s.path(r.ID)
	f, err := private.Open(path+".next", os.O_WRONLY|os.O_CREATE|os.O_TRUNC)
	if err != nil {
		return err
	}
	_, err = f.Write(append(text, '\n'))
	if err = errors.Join(err, f.Sync(), f.Close()); err == nil {
		err = os.Rename(path+".next", path)
	}
	if err != nil {
		return errors.Join(err, os.Remove(path+".next"))
	}
	return syncDir(s.dir)
}

// Show lets All hold a request that was written.
func (s *Store) Show(r desired.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.publish(append(s.without(r.ID), r))
}

// Undo is Write of what there was before: nothing, or a request without a body, leave
// no file.
func (s *Store) Undo(id child.ID) error {
	if was, ok := s.Get(id); ok && len(was.Body) > 0 {
		return s.Write(was)
	}
	return s.erase(id)
}

// Delete forgets the request of a child, if there is one.
func (s *Store) Delete(id child.ID) error {
	if err := s.erase(id); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.publish(s.without(id))
	return nil
}

func (s *Store) erase(id child.ID) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	err := os.Remove(s.path(id))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return errors.Join(err, syncDir(s.dir))
}

func (s *Store) without(id child.ID) []desired.Request {
	return slices.DeleteFunc(slices.Clone(s.All()), func(r desired.Request) bool { return r.ID == id })
}

func (s *Store) publish(all []desired.Request) {
	slices.SortFunc(all, func(a, b desired.Request) int { return strings.Compare(string(a.ID), string(b.ID)) })
	s.all.Store(&all)
}

const ext = ".json"

// path is the file of a child. An id can be longer than a name of a file may be, and
// has slashes; the file says whose it is.
func (s *Store) path(id child.ID) string {
	sum := sha256.Sum256([]byte(id))
	return filepath.Join(s.dir, hex.EncodeToString(sum[:16])+ext)
}

func syncDir(path string) error {
	d, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
