package logs

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/reconciler-dev/reconciler/internal/private"
	"github.com/reconciler-dev/reconciler/internal/trust"
)

// What a child prints is for nobody but who runs it. A folder or a file that somebody
// else made while he could may be there still, with the mode that he gave it: he would
// read all that is written to it. So a writer judges what it finds, each time.

// folders are root and those below it that lead to dir, dir included.
func folders(root, dir string) []string {
	list := []string{root}
	for i := len(root) + 1; i < len(dir); {
		n := strings.IndexByte(dir[i:], filepath.Separator)
		if n < 0 {
			return append(list, dir)
		}
		list = append(list, dir[:i+n])
		i += n + 1
	}
	return list
}

// judgeFolders makes nothing: its error is a fs.ErrNotExist where a folder is missing.
func judgeFolders(root, dir string) error {
	for _, path := range folders(root, dir) {
		if err := private.Existing(path); err != nil {
			return wayOut(err)
		}
	}
	return nil
}

func makeFolders(root, dir string) error {
	for _, path := range folders(root, dir) {
		if err := private.Below(path); err != nil {
			return wayOut(err)
		}
	}
	return nil
}

// judgeFiles judges the files of a log, each where it is opened.
func judgeFiles(dir string) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		_, isRotated := parseSegmentName(e.Name())
		if isRotated && !e.Type().IsRegular() {
			continue // it is nobody's output, see rotated
		}
		if !isRotated && e.Name() != currentName && e.Name() != indexName {
			continue
		}
		f, err := openOurs(filepath.Join(dir, e.Name()), os.O_RDONLY)
		if errors.Is(err, fs.ErrNotExist) {
			continue // deleted since it was listed
		}
		if err != nil {
			return err
		}
		closeFile(f)
	}
	return nil
}

// openOurs opens a file of a log, in a folder that was judged.
func openOurs(path string, flag int) (*os.File, error) {
	f, err := private.Open(path, flag)
	return f, wayOut(err)
}

// wayOut says what to do about what is not ours. Another owner or mode would not undo
// that somebody holds it open.
func wayOut(err error) error {
	var bad *trust.Error
	if !errors.As(err, &bad) {
		return err
	}
	other := *bad
	other.Remedy = "move it away; another owner or mode does not end that somebody holds it open"
	return &other
}
