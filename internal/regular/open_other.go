//go:build !linux

package regular

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// open has no O_PATH here: what is swapped in between stat(2) and open(2) is opened,
// without waiting, and then let go.
func open(path string, links Links) (fd int, st unix.Stat_t, err error) {
	look, flags := unix.Stat, unix.O_RDONLY|unix.O_NONBLOCK|unix.O_NOCTTY|unix.O_CLOEXEC
	if links == NoFollow {
		look, flags = unix.Lstat, flags|unix.O_NOFOLLOW
	}
	var judged unix.Stat_t
	if err := retry(func() error { return look(path, &judged) }); err != nil {
		return -1, st, err
	}
	if err := check(&judged); err != nil {
		return -1, judged, err
	}
	err = retry(func() (err error) {
		fd, err = unix.Open(path, flags, 0)
		return err
	})
	if err != nil {
		return -1, st, err
	}
	if err = unix.Fstat(fd, &st); err == nil && (st.Dev != judged.Dev || st.Ino != judged.Ino) {
		err = fmt.Errorf("%w: it was swapped while it was opened", ErrKind)
	}
	if err != nil {
		unix.Close(fd)
		return -1, st, err
	}
	return fd, st, nil
}
