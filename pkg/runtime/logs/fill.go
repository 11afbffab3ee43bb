package logs

import (
	"bytes"
	"time"
)

// overrun is how far a line may go over Policy.MaxBytes before it is split.
const overrun = 16 << 10

// Policy bounds the log of one child.
type Policy struct {
	MaxBytes   int64 // a file that has reached this is rotated; 0: never
	MaxFiles   int   // the current one included; less than 1 means 1
	Timestamps bool  // each line begins with the time: RFC 3339, UTC, nanoseconds

	Drop bool `json:",omitempty"` // what comes while the disk is full is dropped; else it waits
}

// room is how many bytes a file of size bytes takes before one has to look for
// the ends of lines.
func (p Policy) room(size int64) int64 {
	if p.MaxBytes <= 0 {
		return 1 << 62
	}
	return max(0, p.MaxBytes-size)
}

// full reports whether the next byte belongs into a new file.
func (p Policy) full(size int64, midLine bool) bool {
	if p.MaxBytes <= 0 || size < p.MaxBytes {
		return false
	}
	return !midLine || size >= p.MaxBytes+overrun
}

// fill appends to dst what of src belongs into a file that has size bytes now
// and, if midLine, ends within a line. Each line that begins gets stamp in
// front. It says how many bytes of src it used: fewer than all of them means
// that the file is full.
func (p Policy) fill(dst, src []byte, size int64, midLine bool, stamp []byte) (out []byte, used int) {
	out = dst
	for used < len(src) && !p.full(size+int64(len(out)-len(dst)), midLine) {
		if !midLine {
			out = append(out, stamp...)
		}
		line := src[used:]
		if i := bytes.IndexByte(line, '\n'); i >= 0 {
			line = line[:i+1]
		}
		if p.MaxBytes > 0 {
			left := p.MaxBytes + overrun - size - int64(len(out)-len(dst))
			line = line[:min(int64(len(line)), left)]
		}
		out = append(out, line...)
		used += len(line)
		midLine = line[len(line)-1] != '\n'
	}
	return out, used
}

// stampAt is the beginning of a line that was read at t. It has a fixed width,
// so that lines sort and align.
func stampAt(t time.Time) []byte {
	return t.UTC().AppendFormat(nil, stampLayout+" ")
}
