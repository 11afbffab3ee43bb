package child

import "strings"

// FileHash is what an attempt depends on, a file or all files of a folder or of a
// pattern, and its content by a keyed SHA-256; "": it could not be read.
type FileHash struct {
	Path string `json:"path"`
	Hash string `json:"hash"`

	Trouble string `json:"-"` // why it has not been read for a while; "": it is, or is not there
}

const (
	// Absent is the hash of what is not there.
	Absent = "absent"

	// ofMany begins the hash of a folder or of a pattern.
	ofMany = "files:"
)

// OfMany is the hash of several files by the hash of all they hold.
func OfMany(hash string) string { return ofMany + hash }

// IsMany reports whether several files were read.
func (f FileHash) IsMany() bool { return strings.HasPrefix(f.Hash, ofMany) }

// WasRead reports whether there was something to read.
func (f FileHash) WasRead() bool { return f.Hash != "" && f.Hash != Absent }
