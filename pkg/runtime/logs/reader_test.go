package logs

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
)

func TestTailShowsTheLastLinesOfTheNewestAttempt(t *testing.T) {
	rows := []struct {
		name     string
		attempts []string // what each printed
		n        int
		want     []string
	}{
		{"nothing was printed", []string{""}, 3, nil},
		{"fewer lines than asked for", []string{"a\nb\n"}, 3, []string{"a", "b"}},
		{"exactly as many", []string{"a\nb\nc\n"}, 3, []string{"a", "b", "c"}},
		{"more", []string{"a\nb\nc\nd\n"}, 3, []string{"b", "c", "d"}},
		{"a last line without an end", []string{"a\nb\nc\nd"}, 3, []string{"b", "c", "d"}},
		{"empty lines count", []string{"a\n\n\n"}, 3, []string{"a", "", ""}},
		{"the attempt before was louder", []string{"a\nb\nc\n", "d\n"}, 3, []string{"d"}},
		{"a silent attempt", []string{"a\nb\nc\n", ""}, 3, nil},
		{"line ends of Windows", []string{"a\r\nb\r\n"}, 3, []string{"a", "b"}},
		{"no text", []string{"\xff\xfeab\n"}, 3, []string{"\uFFFDab"}},
		{"a long line", []string{strings.Repeat("x", 600) + "\nend\n"}, 3, []string{strings.Repeat("x", 512), "end"}},
		{"a long line of wide runes", []string{strings.Repeat("€", 300) + "\n"}, 3, []string{strings.Repeat("€", 170)}},
		{"none wanted", []string{"a\n"}, 0, nil},
	}
	for _, row := range rows {
		for _, limit := range []int64{0, 1, 3} {
			t.Run(fmt.Sprintf("%s, limit %d", row.name, limit), func(t *testing.T) {
				dir := t.TempDir()
				w, p := openWriter(t, dir, Policy{MaxBytes: limit, MaxFiles: 100}, modes()[0]), newPipe(t)
				for i, text := range row.attempts {
					begin(t, w, i+1)
					say(t, w, p, text)
				}

				got := Tail(dir, row.n)

				if len(got) != len(row.want) || len(got) > 0 && !cmp.Equal(row.want, got) {
					t.Errorf("Tail = %q, want %q", got, row.want)
				}
			})
		}
	}
}

func TestTailOfAHugeLineIsSmallAndValid(t *testing.T) {
	dir := t.TempDir()
	must(t, os.WriteFile(filepath.Join(dir, "current"), bytes.Repeat([]byte("€"), 3<<20), 0o600))

	got := Tail(dir, 10)

	if len(got) != 1 || len(got[0]) > tailLine || !utf8.ValidString(got[0]) {
		t.Errorf("Tail = %d lines, %.80q; want one of at most %d bytes", len(got), got, tailLine)
	}
}

func TestTailOfNoLogIsEmpty(t *testing.T) {
	if got := Tail(filepath.Join(t.TempDir(), "none"), 10); got != nil {
		t.Errorf("Tail = %q, want nothing", got)
	}
}

func TestFollowPrintsThePartThatIsAskedFor(t *testing.T) {
	rows := []struct {
		name    string
		options Options
		want    string
	}{
		{"all", Options{}, "a1\na2\nb1\nb2\nb3\nc1\nc2\n"},
		{"the last lines", Options{Tail: 3}, "b3\nc1\nc2\n"},
		{"more lines than there are", Options{Tail: 99}, "a1\na2\nb1\nb2\nb3\nc1\nc2\n"},
		{"the previous attempt", Options{Previous: true}, "b1\nb2\nb3\n"},
		{"its last lines", Options{Previous: true, Tail: 2}, "b2\nb3\n"},
		{"the previous attempt is over, so it cannot be followed", Options{Previous: true, Follow: true}, "b1\nb2\nb3\n"},
	}
	for _, row := range rows {
		for limit := int64(0); limit < 25; limit++ {
			t.Run(fmt.Sprintf("%s, limit %d", row.name, limit), func(t *testing.T) {
				dir := t.TempDir()
				w, p := openWriter(t, dir, Policy{MaxBytes: limit, MaxFiles: 100}, modes()[0]), newPipe(t)
				for i, text := range []string{"a1\na2\n", "b1\nb2\nb3\n", "c1\nc2\n"} {
					begin(t, w, i+1)
					say(t, w, p, text)
				}

				var out bytes.Buffer
				err := Follow(t.Context(), dir, row.options, &out)

				if err != nil || out.String() != row.want {
					t.Errorf("Follow = %q, %v; want %q", out.String(), err, row.want)
				}
			})
		}
	}
}

func TestPreviousTellsWhatWasRotatedAway(t *testing.T) {
	dir := t.TempDir()
	w, p := openWriter(t, dir, Policy{MaxBytes: 3, MaxFiles: 2}, modes()[0]), newPipe(t)
	begin(t, w, 1)
	say(t, w, p, "a1\na2\na3\n")
	begin(t, w, 2)
	say(t, w, p, "b1\n")

	var out bytes.Buffer
	var missed int64
	err := Follow(t.Context(), dir, Options{Previous: true, Missed: func(n int64) { missed += n }}, &out)

	if err != nil || out.String() != "a3\n" || missed != 6 {
		t.Errorf("Follow = %q, %v, missed %d; want a3 and 6 missed", out.String(), err, missed)
	}
}

func TestFollowSaysWhatIsMissing(t *testing.T) {
	dir := t.TempDir()

	if err := Follow(t.Context(), filepath.Join(dir, "none"), Options{}, &bytes.Buffer{}); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("Follow of no directory = %v, want %v", err, fs.ErrNotExist)
	}
	if err := Follow(t.Context(), dir, Options{Previous: true}, &bytes.Buffer{}); !errors.Is(err, ErrNoPrevious) {
		t.Errorf("Follow of no previous attempt = %v, want %v", err, ErrNoPrevious)
	}
}

// screen is a reader of a log: what was printed, and a wait for more.
type screen struct {
	mu   sync.Mutex
	text bytes.Buffer
	more chan struct{}
}

func newScreen() *screen { return &screen{more: make(chan struct{}, 1)} }

func (s *screen) Write(b []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	select {
	case s.more <- struct{}{}:
	default:
	}
	return s.text.Write(b)
}

// shows waits until the screen shows exactly want.
func (s *screen) shows(t *testing.T, want string) {
	t.Helper()
	late := time.After(20 * time.Second)
	for {
		s.mu.Lock()
		got := s.text.String()
		s.mu.Unlock()
		if got == want {
			return
		}
		select {
		case <-s.more:
		case <-late:
			t.Fatalf("the screen shows %d bytes %.300q, want %d bytes %.300q", len(got), got, len(want), want)
		}
	}
}

// following runs Follow until the test ends and checks that it then ends well.
func following(t *testing.T, dir string, o Options) *screen {
	t.Helper()
	s := newScreen()
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error, 1)
	o.Follow = true
	o.Missed = func(n int64) { t.Errorf("missed %d bytes", n) }
	go func() { done <- Follow(ctx, dir, o, s) }()
	t.Cleanup(func() {
		stop()
		if err := <-done; err != nil {
			t.Errorf("Follow ended with %v, want nil after its context ended", err)
		}
	})
	return s
}

func TestFollowGoesOnAcrossEverythingThatHappensToTheFile(t *testing.T) {
	for _, keep := range []int{1, 2, 9} {
		t.Run(fmt.Sprintf("%d files", keep), func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "not", "there", "yet")
			current := filepath.Join(dir, "current")
			s := following(t, dir, Options{})
			policy := Policy{MaxBytes: 6, MaxFiles: keep}

			w, p := openWriter(t, dir, policy, modes()[0]), newPipe(t)
			begin(t, w, 1)
			say(t, w, p, "one\n")
			s.shows(t, "one\n")
			say(t, w, p, "two\n")
			s.shows(t, "one\ntwo\n")
			say(t, w, p, "three\n") // rotated
			s.shows(t, "one\ntwo\nthree\n")
			w = openWriter(t, dir, policy, modes()[0])
			begin(t, w, 2)
			say(t, w, p, "four\n")
			s.shows(t, "one\ntwo\nthree\nfour\n")
			must(t, os.Truncate(current, 0))
			say(t, w, p, "five\n")
			s.shows(t, "one\ntwo\nthree\nfour\nfive\n")
			must(t, os.Remove(current))
			say(t, w, p, "six\n")
			s.shows(t, "one\ntwo\nthree\nfour\nfive\nsix\n")
			must(t, os.RemoveAll(dir))
			say(t, w, p, "seven\n")
			s.shows(t, "one\ntwo\nthree\nfour\nfive\nsix\nseven\n")
		})
	}
}

func TestFollowBeginsWithTheLastLines(t *testing.T) {
	dir := t.TempDir()
	w, p := openWriter(t, dir, Policy{}, modes()[0]), newPipe(t)
	say(t, w, p, "one\ntwo\nthree\n")

	s := following(t, dir, Options{Tail: 2})
	s.shows(t, "two\nthree\n")
	say(t, w, p, "four\n")
	s.shows(t, "two\nthree\nfour\n")
}

func TestFollowOfAFloodLosesAndRepeatsNothing(t *testing.T) {
	for _, m := range modes() {
		t.Run(m.name, func(t *testing.T) {
			dir := t.TempDir()
			w, p := openWriter(t, dir, Policy{MaxBytes: 2000, MaxFiles: 1 << 20}, m), newPipe(t)
			s := following(t, dir, Options{})
			var want strings.Builder

			for i := range 20000 {
				line := fmt.Sprintf("line %d\n", i)
				want.WriteString(line)
				say(t, w, p, line)
			}

			s.shows(t, want.String())
		})
	}
}

func TestASlowReaderIsToldWhatItMissed(t *testing.T) {
	dir := t.TempDir()
	w, p := openWriter(t, dir, Policy{MaxBytes: 4, MaxFiles: 2}, modes()[0]), newPipe(t)
	say(t, w, p, "l01\n")
	slow := &slowScreen{first: make(chan struct{}), goOn: make(chan struct{})}
	ctx, stop := context.WithCancel(t.Context())
	done, missed := make(chan error, 1), make(chan int64, 9)
	go func() {
		done <- Follow(ctx, dir, Options{Follow: true, Missed: func(n int64) { missed <- n }}, slow)
	}()

	<-slow.first
	say(t, w, p, "l02\nl03\nl04\nl05\n")
	close(slow.goOn)

	if n := <-missed; n != 8 {
		t.Errorf("missed %d bytes, want 8: l02 and l03", n)
	}
	stop()
	must(t, <-done)
}

// slowScreen holds its reader up at the first byte.
type slowScreen struct {
	first, goOn chan struct{}
	once        sync.Once
}

func (s *slowScreen) Write(b []byte) (int, error) {
	s.once.Do(func() { close(s.first); <-s.goOn })
	return len(b), nil
}

func TestAReaderThatFailsEndsTheFollowing(t *testing.T) {
	dir := t.TempDir()
	w, p := openWriter(t, dir, Policy{}, modes()[0]), newPipe(t)
	say(t, w, p, "one\n")
	r, out, err := os.Pipe()
	must(t, err)
	must(t, r.Close())
	must(t, out.Close())

	if err := Follow(t.Context(), dir, Options{Follow: true}, out); !errors.Is(err, os.ErrClosed) {
		t.Errorf("Follow = %v, want %v", err, os.ErrClosed)
	}
}
