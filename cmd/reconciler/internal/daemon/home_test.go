package daemon

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/reconciler-dev/reconciler/internal/trust"
)

func TestAStateDirectoryThatIsTakenAwayIsMadeAndTakenAgain(t *testing.T) {
	for name, take := range map[string]func(dir string) error{
		"deleted":   os.RemoveAll,
		"moved":     func(dir string) error { return os.Rename(dir, dir+".old") },
		"unlocked":  func(dir string) error { return os.Remove(filepath.Join(dir, "lock")) },
		"untouched": func(string) error { return nil },
	} {
		t.Run(name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "state")
			me := Holder{PID: os.Getpid()}
			if err := os.Mkdir(dir, 0o700); err != nil {
				t.Fatal(err)
			}
			held, err := lock(dir, me)
			if err != nil {
				t.Fatal(err)
			}
			l := &stateLock{dir: dir, me: me, way: trust.Own(), file: held}
			defer l.release()

			if err := take(dir); err != nil {
				t.Fatal(err)
			}
			gone := l.look(time.Now())

			if want := name != "untouched"; gone != want || strings.Contains(l.Lost(), "it is made again") != want {
				t.Errorf("look() = %v, and it says %q", gone, l.Lost())
			}
			for _, place := range []string{dir, dir + ".old"} {
				if _, err := os.Stat(place); err != nil {
					continue
				}
				var other *HeldError
				if _, err := lock(place, Holder{PID: 4711}); !errors.As(err, &other) {
					t.Errorf("another reconciler takes %s: %v", filepath.Base(place), err)
				}
			}
		})
	}
}

func TestAStateDirectoryThatAnotherTookMeanwhileIsToldAndLeftToIt(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "state")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	held, err := lock(dir, Holder{PID: os.Getpid()})
	if err != nil {
		t.Fatal(err)
	}
	l := &stateLock{dir: dir, way: trust.Own(), file: held}
	defer l.release()
	if err := errors.Join(os.RemoveAll(dir), os.Mkdir(dir, 0o700)); err != nil {
		t.Fatal(err)
	}
	other, err := lock(dir, Holder{PID: 4711})
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()

	l.look(time.Now())

	if !strings.Contains(l.Lost(), "cannot be made again: another reconciler (pid 4711") {
		t.Errorf("it says %q", l.Lost())
	}
}
