package journal

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/reconciler-dev/reconciler/internal/private"
	"github.com/reconciler-dev/reconciler/internal/regular"
	"github.com/reconciler-dev/reconciler/pkg/runtime/machine"
)

const (
	recordsName = "children.log"
	newSuffix   = ".new"

	// The file is rewritten when it is longer than slack times what is alive in
	// it, plus spare: each byte is copied at most once for three that are written.
	slack = 4
	spare = 1 << 20
)

// Records is the durable store of the machine's records. There must be only one
// for a directory at any time, and only one goroutine may use it.
type Records struct {
	dir      string
	file     *os.File
	contents contents
	size     int64 // of what is acknowledged
	spare    int64
	rewrite  int64 // not below this size, because it has been tried; mostly 0

	torn    bool // there may be a rest behind size that could not be cut off
	suspect bool // a sync failed, so the kernel may have dropped what it wrote
	damage  *Damage
	text    []byte // of the last batch: its memory is used again
}

// OpenRecords opens the store in dir, which it makes if it is missing, and
// returns the newest record of each child, sorted by ID. Before them comes, if
// there is one, the record of the gone child with the highest incarnation.
// Damage is no error; see Damage.
func OpenRecords(dir string) (*Records, []machine.Record, error) {
	r := &Records{dir: dir, contents: newContents(), spare: spare}
	recs, err := r.open()
	if err != nil {
		if r.file != nil {
			_ = r.file.Close() // nothing was written to it
		}
		return nil, nil, fmt.Errorf("open records %s: %w", dir, err)
	}
	return r, recs, nil
}

func (r *Records) open() (recs []machine.Record, err error) {
	if err := private.Below(r.dir); err != nil {
		return nil, err
	}
	r.file, err = private.Open(r.path(), os.O_RDWR)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, r.renew()
	}
	if err != nil {
		return nil, err
	}
	if recs, r.contents, err = read(r.file); err != nil {
		return nil, err
	}
	r.size = r.contents.end
	if d := r.contents.bad; d.Lines > 0 {
		r.damage = &d
		r.keepAside()
	}
	if r.contents.torn {
		if err := r.file.Truncate(r.size); err != nil {
			return nil, err
		}
	}
	if r.size == 0 {
		return recs, r.renew()
	}
	return recs, nil
}

// read reads all of a records file.
func read(f *os.File) ([]machine.Record, contents, error) {
	c, err := scan(io.NewSectionReader(f, 0, 1<<62))
	if err != nil {
		return nil, c, err
	}
	recs, err := c.load(f)
	return recs, c, err
}

// ReadRecords returns what OpenRecords would, and writes nothing, so that it may
// be used while a daemon runs. With damage it returns what could be read and a
// *Damage. If there is no store the error is fs.ErrNotExist.
func ReadRecords(dir string) ([]machine.Record, error) {
	path := filepath.Join(dir, recordsName)
	f, err := regular.Open(path, regular.NoFollow)
	if err != nil {
		return nil, fmt.Errorf("read records: %w", err)
	}
	defer func() { _ = f.Close() }() // it was only read
	recs, c, err := read(f)
	if err != nil {
		return nil, fmt.Errorf("read records %s: %w", dir, err)
	}
	if c.bad.Lines > 0 {
		c.bad.File = path
		return recs, &c.bad
	}
	return recs, nil
}

// Damage says what OpenRecords could not read; nil if all was well.
func (r *Records) Damage() *Damage { return r.damage }

// Append adds records, all or none. When it has returned nil they survive the
// death of this process, and if one of them has Sync, the loss of power. After
// an error the same records may be appended again.
func (r *Records) Append(recs []machine.Record) error {
	if len(recs) == 0 {
		return nil
	}
	if err := r.append(recs); err != nil {
		return fmt.Errorf("append records: %w", err)
	}
	return nil
}

func (r *Records) append(recs []machine.Record) error {
	if err := r.mend(); err != nil {
		return err
	}
	text, lines, err := encode(r.text[:0], recs)
	if err != nil {
		return err
	}
	if cap(text) <= 256<<10 { // not the one of ten thousand children at once
		r.text = text
	}
	if _, err := r.file.WriteAt(text, r.size); err != nil {
		r.torn = r.file.Truncate(r.size) != nil
		return err
	}
	sync := false
	for i, rec := range recs {
		r.contents.put(rec.ID, rec.Gone, rec.Incarnation, span{r.size, lines[i]})
		r.size += lines[i]
		sync = sync || rec.Sync
	}
	if sync {
		if err := fdatasync(r.file); err != nil {
			r.suspect = true
			return err
		}
	}
	if r.size > max(r.rewrite, slack*r.contents.alive+r.spare) {
		// The records are safe in the old file. If there is no room for a new
		// one, that is tried again when the old one is half as long again.
		if err := r.renew(); err != nil {
			r.rewrite = r.size + r.size/2
		}
	}
	return nil
}

// encode appends the lines of recs to text, and returns their lengths too.
func encode(text []byte, recs []machine.Record) (_ []byte, lines []int64, err error) {
	for _, rec := range recs {
		before := len(text)
		if text, err = appendLine(text, rec); err != nil {
			return nil, nil, err
		}
		lines = append(lines, int64(len(text)-before))
	}
	return text, lines, nil
}

// mend puts right what an earlier failure, or a stranger, left behind.
func (r *Records) mend() error {
	if r.torn {
		if err := r.file.Truncate(r.size); err != nil {
			return err
		}
		r.torn = false
	}
	info, err := r.file.Stat()
	if err != nil {
		return err
	}
	if r.suspect || unlinked(info) {
		return r.renew()
	}
	return nil
}

// renew replaces the file by one with only the lines worth keeping, durable
// before it gets the name, so that at any moment there is a whole one.
func (r *Records) renew() error {
	if err := private.Below(r.dir); err != nil {
		return err
	}
	f, err := private.Open(r.path()+newSuffix, os.O_RDWR|os.O_CREATE|os.O_TRUNC)
	if err != nil {
		return err
	}
	kept, err := r.contents.copyTo(f, r.file)
	if err == nil {
		err = f.Sync()
	}
	if err == nil {
		err = os.Rename(f.Name(), r.path())
	}
	if err != nil {
		_ = f.Close()
		_ = os.Remove(f.Name()) // it takes room on a disk that may be full
		return err
	}
	if r.file != nil {
		_ = r.file.Close() // all of it is in the new one
	}
	r.file, r.contents, r.size = f, kept, kept.end
	r.rewrite, r.suspect, r.torn = 0, false, false
	return syncDir(r.dir)
}

// copyTo writes a new file with the lines worth keeping, and returns its contents.
func (c *contents) copyTo(w io.Writer, from io.ReaderAt) (contents, error) {
	kept := newContents()
	kept.last, kept.end, kept.alive = c.last, int64(len(header())), c.alive
	out := bufio.NewWriterSize(w, 256<<10)
	if _, err := out.Write(header()); err != nil {
		return kept, err
	}
	at := make(map[int64]int64, len(c.live)+1) // old place to new
	for _, s := range c.spans() {
		if _, err := io.Copy(out, io.NewSectionReader(from, s.at, s.length)); err != nil {
			return kept, err
		}
		at[s.at] = kept.end
		kept.end += s.length
	}
	for id, s := range c.live {
		kept.live[id] = span{at[s.at], s.length}
	}
	if c.dead.length > 0 {
		kept.dead = span{at[c.dead.at], c.dead.length}
	}
	return kept, out.Flush()
}

// keepAside copies a damaged file to a name of its own and goes on with a clean
// one. If there is no room for that, the damaged file stays in use: its damaged
// lines are passed over again.
func (r *Records) keepAside() {
	r.damage.File = r.path()
	aside, err := copyAside(r.file, r.path()+".damaged-")
	if err != nil {
		return
	}
	r.damage.File = aside
	_ = r.renew()
}

func copyAside(f *os.File, prefix string) (string, error) {
	for n := 1; ; n++ {
		aside, err := os.OpenFile(fmt.Sprintf("%s%d", prefix, n), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
		if errors.Is(err, fs.ErrExist) {
			continue
		}
		if err != nil {
			return "", err
		}
		_, err = io.Copy(aside, io.NewSectionReader(f, 0, 1<<62))
		if err = errors.Join(err, aside.Close()); err != nil {
			_ = os.Remove(aside.Name())
		}
		return aside.Name(), err
	}
}

func (r *Records) path() string { return filepath.Join(r.dir, recordsName) }

// Close closes the file. What was acknowledged stays.
func (r *Records) Close() error { return r.file.Close() }
