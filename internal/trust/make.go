package trust

import (
	"os"

	"golang.org/x/sys/unix"
)

// MakeDir is Open of a folder that is made where it is missing, with all that leads
// to it, as os.MkdirAll does. Each one is made in a folder that was judged, so nobody
// can have it made elsewhere, and is judged itself: on some file systems what we make
// is not ours.
func (p Policy) MakeDir(path string, mode os.FileMode) (*os.File, error) {
	w := &walker{p: p, asked: path, at: -1, makes: func(at int, name string) error {
		err := retry(func() error { return unix.Mkdirat(at, name, uint32(mode.Perm())) })
		if err == unix.EEXIST {
			return nil // somebody was faster: that is judged
		}
		return err
	}}
	if err := w.walk(); err != nil {
		return nil, err
	}
	defer w.close()
	return w.open(path, unix.O_RDONLY|unix.O_DIRECTORY)
}
