package control

import (
	"fmt"
	"os"
	"path/filepath"
)

// WithAddress calls use with an address for the socket at path that fits into the
// kernel's structure, which has room for about a hundred bytes. A longer path is
// reached through its open directory where the system can do that. The address is
// valid only during the call.
func WithAddress(path string, use func(address string) error) error {
	if len(path) <= maxAddress {
		return use(path)
	}
	if dirOfFD == "" {
		return fmt.Errorf("the path %s is longer than a socket's may be (%d bytes): choose a shorter --state", path, maxAddress)
	}
	dir, err := os.Open(filepath.Dir(path) + "/.") // no FIFO and no device is opened in its place: ENOTDIR
	if err != nil {
		return err
	}
	defer dir.Close()
	return use(fmt.Sprintf("%s/%d/%s", dirOfFD, dir.Fd(), filepath.Base(path)))
}
