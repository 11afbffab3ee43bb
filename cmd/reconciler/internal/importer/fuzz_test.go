package importer

import (
	"strings"
	"testing"
)

// FuzzImport: whatever a file holds, an import ends without a panic, and what it
// makes passes validate: Import checks that itself.
func FuzzImport(f *testing.F) {
	formats := Formats()
	for i, format := range formats {
		for _, file := range sampleFiles(f, format) {
			f.Add(i, string(file.Text))
		}
	}
	f.Fuzz(func(t *testing.T, format int, text string) {
		name := formats[uint(format)%uint(len(formats))]

		_, err := Import(name, []File{{Name: "/srv/shop/x.service", Text: []byte(text)}})

		if err != nil && strings.Contains(err.Error(), "do not pass validate") {
			t.Errorf("%s: %v", name, err)
		}
	})
}
