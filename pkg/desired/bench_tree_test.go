package desired

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// tenThousand is a directory of 10,000 manifests in one folder.
func tenThousand(b *testing.B) string {
	b.Helper()
	root := b.TempDir()
	for i := range 10_000 {
		name := fmt.Sprintf("w%05d", i)
		text := "name: " + name + "\ncommand: [\"/srv/app/worker\", \"--queue\", \"mail\"]\nenvironment:\n  - {name: WORKER_MODE, value: queue}\n"
		if err := os.WriteFile(filepath.Join(root, name+".yaml"), []byte(text), 0o644); err != nil {
			b.Fatal(err)
		}
	}
	return root
}

func benchSource(b *testing.B) (*Source, *Set, Scan) {
	b.Helper()
	s, err := newSource(Options{Root: tenThousand(b)})
	if err != nil {
		b.Fatal(err)
	}
	r := s.reader(time.Now().Add(time.Hour)) // all files are old
	scan := r.read(Scan{}, everything())
	set := Merge(nil, scan, s.policy(r.now))
	if len(set.Entries) != 10_001 {
		b.Fatalf("%d entries, want 10,001", len(set.Entries))
	}
	return s, set, scan
}

func BenchmarkFirstLookAt10000(b *testing.B) {
	s, _, _ := benchSource(b)
	for b.Loop() {
		r := s.reader(time.Now().Add(time.Hour))
		Merge(nil, r.read(Scan{}, everything()), s.policy(r.now))
	}
}

func BenchmarkRescanOf10000WithoutChange(b *testing.B) {
	s, _, scan := benchSource(b)
	for b.Loop() {
		r := s.reader(time.Now().Add(time.Hour))
		if scan = r.read(scan, everything()); r.changed {
			b.Fatal("something changed")
		}
	}
}

func BenchmarkOneChangeIn10000(b *testing.B) {
	s, set, scan := benchSource(b)
	name := "w05000.yaml"
	for i := 0; b.Loop(); i++ {
		b.StopTimer()
		text := fmt.Sprintf("name: w05000\ncommand: [\"%d\"]\n", i)
		if err := os.WriteFile(filepath.Join(s.root, name), []byte(text), 0o644); err != nil {
			b.Fatal(err)
		}
		b.StartTimer()
		d := &dirt{}
		d.touch("", name, true)
		r := s.reader(time.Now())
		scan = r.read(scan, d)
		set = Merge(set, scan, s.policy(r.now))
	}
	if e, _ := set.Get("w05000"); e.Origin.Generation < 2 {
		b.Fatalf("generation %d: the change was not seen", e.Origin.Generation)
	}
}

func BenchmarkMergeOf10000WithoutChange(b *testing.B) {
	s, set, scan := benchSource(b)
	p := s.policy(time.Now())
	for b.Loop() {
		set = Merge(set, scan, p)
	}
}
