//go:build !linux

package control

const (
	maxAddress = 103 // sun_path of the BSDs and of macOS, without its end
	dirOfFD    = ""
)
