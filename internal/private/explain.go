package private

import (
	"errors"
	"fmt"
	"io/fs"
	"os"

	"golang.org/x/sys/unix"

	"github.com/reconciler-dev/reconciler/internal/trust"
)

// unknown is the user whom the kernel shows in the place of one whom it cannot show
// (/proc/sys/kernel/overflowuid), and the one that NFS makes of root where it squashes
// root (exports(5), anonuid).
const unknown = 65534

// explain adds the way out where the remedy of a verdict, or the words of the kernel,
// lead nowhere.
func explain(err error) error { return explained(err, os.Geteuid()) }

func explained(err error, euid int) error {
	var bad *trust.Error
	switch {
	case errors.As(err, &bad) && bad.Owner == unknown && euid != unknown:
		return fmt.Errorf("%w; if chown does not help, the owner is one who cannot be shown here, as on NFS with root_squash, on an id-mapped mount or in a user namespace: choose a directory of a local disk", err)
	case errors.Is(err, unix.EOVERFLOW):
		return fmt.Errorf("%w: the mount knows no user %d, as an id-mapped one: map this user, or choose another directory", err, euid)
	case errors.Is(err, fs.ErrPermission) && euid == 0:
		return fmt.Errorf("%w, not even for root, as on NFS with root_squash: choose a directory of a local disk, or export it with no_root_squash", err)
	}
	return err
}

// noLink says what is wrong with what O_NOFOLLOW refused.
func noLink(path string, err error) error {
	switch {
	case errors.Is(err, unix.ELOOP):
		return fmt.Errorf("%s is a symbolic link, which is not followed: remove it", path)
	case errors.Is(err, unix.ENXIO): // a FIFO that nobody reads, or a socket
		return fmt.Errorf("%s is not a regular file: remove it", path)
	case errors.Is(err, unix.ENOTDIR):
		// O_NOFOLLOW with O_DIRECTORY says this of a link, too.
		return fmt.Errorf("%s must be a folder, and no link to one: move it away", path)
	}
	return explain(err)
}
