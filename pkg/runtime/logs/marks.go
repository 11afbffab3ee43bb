package logs

import (
	"bytes"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/reconciler-dev/reconciler/internal/regular"
	"github.com/reconciler-dev/reconciler/pkg/runtime/child"
)

const (
	indexName = "marks.jsonl"

	// The index is rewritten with its newest keptMarks when it has maxMarks
	// lines, so that each start of a child that crashes for years reads 6 KB.
	maxMarks  = 64
	keptMarks = 16

	// maxIndex bounds what is read of one: 64 lines are 10 KB.
	maxIndex = 1 << 20
)

// Mark names the attempt that the output after it belongs to.
type Mark struct {
	Incarnation uint64           `json:"incarnation,omitempty"`
	Generation  child.Generation `json:"generation"`
	Attempt     child.Attempt    `json:"attempt"`
	StartedAt   time.Time        `json:"started_at"`
}

// names reports whether both marks are of one attempt; its time may differ, if
// a start was repeated.
func (m Mark) names(o Mark) bool {
	return m.Incarnation == o.Incarnation && m.Generation == o.Generation && m.Attempt == o.Attempt
}

// entry is one line of the index: with a mark, where that attempt begins in the
// stream; without one, where the current file begins.
type entry struct {
	At    int64 `json:"at"`
	*Mark `json:",omitempty"`
}

type index struct {
	marks []entry // oldest first, one for each attempt
	base  int64
	lines int
	whole bool // every line could be read
}

// readIndex reads the index of dir; a missing one is empty. Lines that cannot be
// read are passed over: the index only helps, the output is in the other files.
func readIndex(dir string) (index, error) {
	x := index{whole: true}
	data, err := regular.Read(filepath.Join(dir, indexName), regular.NoFollow, maxIndex)
	if errors.Is(err, fs.ErrNotExist) {
		return x, nil
	}
	if err != nil {
		return x, err
	}
	for line := range bytes.Lines(data) {
		var e entry
		if err := json.Unmarshal(line, &e); err != nil || line[len(line)-1] != '\n' || e.At < 0 {
			x.whole = false
			continue
		}
		x.add(e)
	}
	return x, nil
}

func (x *index) add(e entry) {
	x.lines++
	if e.Mark == nil {
		x.base = max(x.base, e.At)
		return
	}
	if n := len(x.marks); n > 0 && (x.marks[n-1].names(*e.Mark) || x.marks[n-1].At > e.At) {
		return // a repetition, or nonsense
	}
	x.marks = append(x.marks, e)
}

// appendIndex adds one line. If that fails the index is as it was.
func appendIndex(dir string, e entry) error {
	line, err := json.Marshal(e)
	if err != nil {
		return err
	}
	f, err := openOurs(filepath.Join(dir, indexName), os.O_WRONLY|os.O_CREATE)
	if err != nil {
		return err
	}
	defer closeFile(f)
	info, err := f.Stat()
	if err != nil {
		return err
	}
	if _, err := f.WriteAt(append(line, '\n'), info.Size()); err != nil {
		_ = f.Truncate(info.Size()) // a rest would be passed over by readers
		return err
	}
	return nil
}

// rewriteIndex replaces the index by one with the newest marks only.
func rewriteIndex(dir string, x index) error {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	if err := enc.Encode(entry{At: x.base}); err != nil {
		return err
	}
	for _, e := range x.marks[max(0, len(x.marks)-keptMarks):] {
		if err := enc.Encode(e); err != nil {
			return err
		}
	}
	path := filepath.Join(dir, indexName)
	// A leftover is taken away, not written through: it may be a link.
	if err := os.Remove(path + ".tmp"); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	f, err := os.OpenFile(path+".tmp", os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(b.Bytes())
	if err := errors.Join(err, f.Close()); err != nil {
		return err
	}
	return os.Rename(path+".tmp", path)
}
