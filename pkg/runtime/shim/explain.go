package shim

import (
	"bytes"
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"

	"github.com/reconciler-dev/reconciler/internal/regular"
)

// explain says in a user's words why a process could not be started. The kernel
// has one ENOENT for a missing file, a missing directory and a missing
// interpreter.
func explain(l Launch, err error) error {
	if fi, dirErr := os.Stat(l.Dir); l.Dir != "" && (dirErr != nil || !fi.IsDir()) {
		return fmt.Errorf("start %s: its working directory %s is no directory", l.Path, l.Dir)
	}
	switch {
	case errors.Is(err, unix.ENOENT):
		return fmt.Errorf("start %s: %s", l.Path, whatIsMissing(l.Path))
	case errors.Is(err, unix.EACCES):
		return fmt.Errorf("start %s: %w", l.Path, whyNotAllowed(l, err))
	case errors.Is(err, unix.ENOEXEC):
		return fmt.Errorf("start %s: %w: it is neither a program for this machine nor a script with #! at its beginning", l.Path, err)
	case errors.Is(err, unix.EPERM) && l.Credential != nil:
		return fmt.Errorf("start %s as uid %d, gid %d: %w: only root may change the user", l.Path, l.Credential.UID, l.Credential.GID, err)
	case errors.Is(err, unix.E2BIG):
		return fmt.Errorf("start %s: %w: its arguments and environment are too long", l.Path, err)
	case errors.Is(err, unix.EAGAIN):
		return fmt.Errorf("start %s: %w: the limit of processes is reached (ulimit -u, pids.max)", l.Path, err)
	case errors.Is(err, unix.EMFILE), errors.Is(err, unix.ENFILE):
		return fmt.Errorf("start %s: %w: raise the limit of open files (ulimit -n) of the reconciler", l.Path, err)
	}
	return fmt.Errorf("start %s: %w", l.Path, err)
}

func whatIsMissing(path string) string {
	if _, err := os.Stat(path); err != nil {
		return "no such file"
	}
	if interpreter := interpreterOf(path); interpreter != "" {
		return fmt.Sprintf("its first line names %s, and there is no such file", interpreter)
	}
	return "the loader or library that it needs is not on this machine"
}

func whyNotAllowed(l Launch, err error) error {
	fi, statErr := os.Stat(l.Path)
	switch {
	case statErr != nil:
		return statErr
	case !fi.Mode().IsRegular():
		return fmt.Errorf("%w: it is no regular file", err)
	case fi.Mode()&0o111 == 0:
		return fmt.Errorf("%w: it is not executable; chmod +x it", err)
	case l.Credential != nil:
		return fmt.Errorf("%w: uid %d may not execute it or enter its directory", err, l.Credential.UID)
	}
	if interpreter := interpreterOf(l.Path); interpreter != "" {
		return fmt.Errorf("%w: it, or %s that its first line names, may not be executed", err, interpreter)
	}
	return fmt.Errorf("%w: it, or its directory, may not be executed (is it mounted noexec?)", err)
}

// interpreterOf is what the first line of a script names after #!; "" for a
// program and for a file that cannot be read.
func interpreterOf(path string) string {
	fd, _, err := regular.Descriptor(path, regular.Follow) // it may have been swapped since the start
	if err != nil {
		return ""
	}
	defer unix.Close(fd)
	head := make([]byte, 256)
	n, _ := unix.Pread(fd, head, 0)
	first, _, _ := bytes.Cut(head[:max(n, 0)], []byte("\n"))
	rest, ok := bytes.CutPrefix(first, []byte("#!"))
	fields := bytes.Fields(rest)
	if !ok || len(fields) == 0 {
		return ""
	}
	return string(fields[0])
}
