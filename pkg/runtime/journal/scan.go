package journal

import (
	"bufio"
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"

	"github.com/reconciler-dev/reconciler/pkg/runtime/child"
	"github.com/reconciler-dev/reconciler/pkg/runtime/machine"
)

// The first line of the file says its version, with a checksum as all others. A
// higher one means that a program wrote it which knows things that this one does not.
const version = 1

var versionPrefix = []byte(`{"version":`)

func header() []byte { return seal(nil, fmt.Appendf(nil, "%s%d}", versionPrefix, version)) }

// Damage says what of a records file could not be read. It is not fatal: all
// other records are in use. A damaged line may have been the newest of its
// child; then an older one is in force, or none.
type Damage struct {
	File  string // where the damaged file is kept; its own name if it was only read
	Lines int    // that could not be read
	Bytes int64  // in those lines
	First int64  // where in the file the first one begins
}

func (d *Damage) Error() string {
	return fmt.Sprintf("%d lines (%d bytes, the first at byte %d) of the records are damaged and left out; the file is kept as %s",
		d.Lines, d.Bytes, d.First, d.File)
}

// span is where a line is in the file, its newline included.
type span struct{ at, length int64 }

// contents is what a records file holds: where the newest line of each child is.
type contents struct {
	live map[child.ID]span

	// Of the children that are gone only one line is worth keeping, the one with
	// the highest incarnation: no number may be given twice.
	dead span
	last uint64 // that incarnation

	alive int64 // bytes worth keeping
	end   int64 // behind the last whole line
	torn  bool  // there is a rest behind end
	bad   Damage
}

func newContents() contents {
	return contents{live: map[child.ID]span{}, alive: int64(len(header()))}
}

// put makes the line s the newest one of a child.
func (c *contents) put(id child.ID, gone bool, incarnation uint64, s span) {
	c.alive -= c.live[id].length
	switch {
	case !gone:
		c.live[id] = s
		c.alive += s.length
	default:
		delete(c.live, id)
		if incarnation >= c.last {
			c.alive += s.length - c.dead.length
			c.dead, c.last = s, incarnation
		}
	}
}

// spans are the lines worth keeping, in the order of the file.
func (c *contents) spans() []span {
	list := slices.AppendSeq(make([]span, 0, len(c.live)+1), maps.Values(c.live))
	if c.dead.length > 0 {
		list = append(list, c.dead)
	}
	slices.SortFunc(list, func(a, b span) int { return cmp.Compare(a.at, b.at) })
	return list
}

// scan reads a whole records file. It decodes only what it must: 80 MB of
// records of 10,000 children take a tenth of a second.
func scan(r io.Reader) (contents, error) {
	c := newContents()
	lines := bufio.NewReaderSize(r, 256<<10)
	var long []byte // a line that is longer than the reader's buffer
	for {
		line, err := lines.ReadSlice('\n')
		switch {
		case errors.Is(err, bufio.ErrBufferFull):
			long = append(long, line...)
			continue
		case len(long) > 0:
			line = append(long, line...)
			long = nil
		}
		if errors.Is(err, io.EOF) {
			c.torn = len(line) > 0
			if c.torn && c.end == 0 { // a file of ours begins with a whole line
				c.bad.add(span{0, int64(len(line))})
			}
			return c, nil
		}
		if err != nil {
			return c, err
		}
		if err := c.add(line); err != nil {
			return c, err
		}
	}
}

// add takes the next line of the file.
func (c *contents) add(line []byte) error {
	s := span{c.end, int64(len(line))}
	c.end += s.length
	text, err := checkLine(line[:len(line)-1])
	if err != nil {
		c.bad.add(s)
		return nil
	}
	if bytes.HasPrefix(text, versionPrefix) {
		if !bytes.Equal(line, header()) {
			return fmt.Errorf("they are of another version, %s; this program reads version %d: use the one that wrote them", text, version)
		}
		return nil
	}
	id, gone, incarnation, err := outline(text)
	if err != nil {
		c.bad.add(s)
		return nil
	}
	c.put(id, gone, incarnation, s)
	return nil
}

func (d *Damage) add(s span) {
	if d.Lines == 0 {
		d.First = s.at
	}
	d.Lines++
	d.Bytes += s.length
}

// load decodes the lines worth keeping: the one of the gone child first, then
// the others by ID. A line that cannot be decoded is damage.
func (c *contents) load(r io.ReaderAt) ([]machine.Record, error) {
	records := make([]machine.Record, 0, len(c.live)+1)
	if c.dead.length > 0 {
		rec, err := readLine(r, c.dead)
		if err != nil {
			return nil, err
		}
		records = append(records, rec)
	}
	for _, id := range slices.Sorted(maps.Keys(c.live)) {
		s := c.live[id]
		rec, err := readLine(r, s)
		switch {
		case err == nil && rec.ID == id:
			records = append(records, rec)
		case err == nil || errors.Is(err, errDamaged):
			c.bad.add(s)
			c.alive -= s.length
			delete(c.live, id)
		default:
			return nil, err
		}
	}
	return records, nil
}

func readLine(r io.ReaderAt, s span) (machine.Record, error) {
	line := make([]byte, s.length)
	if _, err := r.ReadAt(line, s.at); err != nil {
		return machine.Record{}, err
	}
	text, err := checkLine(line[:len(line)-1])
	if err != nil {
		return machine.Record{}, err
	}
	return decode(text)
}
