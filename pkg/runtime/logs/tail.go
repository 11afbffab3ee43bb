package logs

import (
	"bytes"
	"io"
	"os"
	"path/filepath"
	"strings"
	"unicode/utf8"

	"github.com/reconciler-dev/reconciler/internal/regular"
)

const (
	// tailLine is how much of a line Tail shows, and tailScan how far back it
	// looks, so that an exit report stays small whatever the child printed.
	tailLine = 512
	tailScan = 1 << 20

	blockSize = 32 << 10
)

// Tail returns the last n lines that the newest attempt printed, oldest first,
// without their ends: at most 512 bytes of each, as valid UTF-8, and a last
// line without a newline too. It is for exit reports, so it shows what can be
// read and fails in silence: a log that is missing has no lines.
func Tail(dir string, n int) []string {
	v, err := look(dir)
	if err != nil {
		return nil
	}
	defer v.close()
	from, end := v.start(), v.end()
	if k := len(v.marks); k > 0 {
		from = max(from, v.marks[k-1].At)
	}
	s := stream{dir: dir, view: v}
	defer s.close()
	from = s.lastLines(max(from, end-tailScan), end, n)
	var t tailer
	if err := s.copy(&t, from, end); err != nil {
		return nil
	}
	return t.lines(n)
}

// tailer is a writer that keeps the beginning of each line.
type tailer struct {
	done []string
	line []byte
	any  bool // the line has begun
}

func (t *tailer) Write(b []byte) (int, error) {
	for part := range bytes.Lines(b) {
		text, ended := bytes.CutSuffix(part, newline)
		t.line = append(t.line, text[:min(len(text), tailLine+utf8.UTFMax-len(t.line))]...)
		t.any = true
		if ended {
			t.end()
		}
	}
	return len(b), nil
}

func (t *tailer) end() {
	t.done = append(t.done, clip(t.line))
	t.line, t.any = t.line[:0], false
}

func (t *tailer) lines(n int) []string {
	if t.any {
		t.end()
	}
	return t.done[max(0, len(t.done)-n):]
}

// clip makes at most tailLine bytes of valid UTF-8 of a line and cuts no rune.
func clip(line []byte) string {
	s := strings.ToValidUTF8(strings.TrimSuffix(string(line), "\r"), "\uFFFD")
	if len(s) <= tailLine {
		return s
	}
	end := tailLine
	for !utf8.RuneStart(s[end]) {
		end--
	}
	return s[:end]
}

// stream reads the files of a view as one. Files that vanish while it reads are
// passed over.
type stream struct {
	dir  string
	view view
	name string // of the file that is open
	file *os.File
}

// lastLines is the position at which the last n lines before end begin, but not
// before from.
func (s *stream) lastLines(from, end int64, n int) int64 {
	if n <= 0 {
		return end
	}
	buf := make([]byte, blockSize)
	skip := true // the newline that ends the last line is not one between two
	for at := end; at > from; {
		block := buf[:min(int64(len(buf)), at-from)]
		at -= int64(len(block))
		got := s.readAt(block, at)
		for got > 0 {
			i := bytes.LastIndexByte(block[:got], '\n')
			if i < 0 {
				break
			}
			if !(skip && at+int64(i)+1 == end) {
				if n--; n == 0 {
					return at + int64(i) + 1
				}
			}
			skip, got = false, i
		}
	}
	return from
}

// readAt fills b with what is there of the stream at position pos. Gaps, left by
// files that were deleted, read as zeros.
func (s *stream) readAt(b []byte, pos int64) int {
	clear(b)
	for _, seg := range s.view.segments {
		from, to := max(pos, seg.start), min(pos+int64(len(b)), seg.end())
		if from >= to {
			continue
		}
		if f := s.open(seg); f != nil {
			_, _ = f.ReadAt(b[from-pos:to-pos], from-seg.start) // a file cut short reads as zeros too
		}
	}
	return len(b)
}

// copy writes the stream from one position to another.
func (s *stream) copy(w io.Writer, from, to int64) error {
	for _, seg := range s.view.segments {
		a, b := max(from, seg.start), min(to, seg.end())
		if a >= b {
			continue
		}
		if f := s.open(seg); f != nil {
			if _, err := io.Copy(w, io.NewSectionReader(f, a-seg.start, b-a)); err != nil {
				return err
			}
		}
	}
	return nil
}

// open returns the file of a segment, nil if it is gone. It holds one at a time
// beside the view's current one.
func (s *stream) open(seg segment) *os.File {
	if seg.name == currentName {
		return s.view.current
	}
	if s.name != seg.name || s.file == nil {
		closeFile(s.file)
		s.name = seg.name
		s.file, _ = regular.Open(filepath.Join(s.dir, seg.name), regular.NoFollow) // nil: deleted by a rotation meanwhile
	}
	return s.file
}

func (s *stream) close() { closeFile(s.file) }
