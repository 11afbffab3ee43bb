package child

// FileHash is one file that an attempt depends on, and its content by its
// SHA-256; "": it could not be read.
type FileHash struct {
	Path string `json:"path"`
	Hash string `json:"hash"`
}
