package journal

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"os"
	"path/filepath"
)

// ReadFacts yields the entries of the journal in dir with a number above since,
// in order, and needs no daemon. Lines that cannot be read, such as one that is
// being written, are passed over. It ends after the first error.
func ReadFacts(dir string, since uint64) iter.Seq2[Entry, error] {
	return func(yield func(Entry, error) bool) {
		files, err := factFiles(dir)
		if err != nil {
			yield(Entry{}, fmt.Errorf("read journal: %w", err))
			return
		}
		for i, first := range files {
			if i+1 < len(files) && files[i+1] <= since+1 {
				continue // all of it is older
			}
			if !readFacts(filepath.Join(dir, factsName(first)), since, yield) {
				return
			}
		}
	}
}

// readFacts reads one file and reports whether to go on.
func readFacts(path string, since uint64, yield func(Entry, error) bool) bool {
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return true // rotated away meanwhile
	}
	if err != nil {
		yield(Entry{}, fmt.Errorf("read journal: %w", err))
		return false
	}
	defer func() { _ = f.Close() }() // it was only read
	lines := bufio.NewReader(f)
	for {
		line, err := lines.ReadBytes('\n')
		if errors.Is(err, io.EOF) {
			return true
		}
		if err != nil {
			yield(Entry{}, fmt.Errorf("read journal: %w", err))
			return false
		}
		var e Entry
		if json.Unmarshal(line, &e) != nil || e.Sequence <= since {
			continue
		}
		if !yield(e, nil) {
			return false
		}
	}
}
