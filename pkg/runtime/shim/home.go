package shim

import (
	"errors"
	"fmt"
	"io/fs"
	"log"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"

	"github.com/reconciler-dev/reconciler/internal/private"
)

// This file is what a shim does when somebody takes its files away while it runs. Its
// children need none of them; but a brain that finds no socket, or a shim that finds
// no lock, would begin anew beside them. So what is gone is made again within a second.

// lookEvery is how often a shim looks whether its files are in their places: two
// lstat(2).
const lookEvery = time.Second

// keepHome makes again what is gone of the directory.
func (s *server) keepHome(now time.Time) {
	if now.Before(s.lookAt) {
		return
	}
	s.lookAt = now.Add(lookEvery)
	lost := !s.holdsLock()
	if !lost && s.holdsSocket() {
		s.homeless = ""
		return
	}
	err := s.makeHome(lost)
	switch {
	case err == nil:
		log.Printf("what was in %s was taken away while children run; it is made again", shimDir(s.cfg.StateDir))
	case err.Error() != s.homeless:
		log.Printf("what was in %s was taken away and cannot be made again yet: %v", shimDir(s.cfg.StateDir), err)
	}
	s.homeless = ""
	if err != nil {
		s.homeless = err.Error()
	}
}

func (s *server) holdsLock() bool {
	var ours, there unix.Stat_t
	return unix.Fstat(int(s.lock.Fd()), &ours) == nil && unix.Lstat(lockPath(s.cfg.StateDir), &there) == nil &&
		ours.Dev == there.Dev && ours.Ino == there.Ino
}

func (s *server) holdsSocket() bool {
	var there unix.Stat_t
	return unix.Lstat(filepath.Join(shimDir(s.cfg.StateDir), socketName), &there) == nil &&
		uint64(there.Dev) == s.socketDev && there.Ino == s.socketIno
}

// makeHome takes the lock first: one whom somebody else has by now says that there is
// another shim, and then nothing of its own is touched.
func (s *server) makeHome(lost bool) error {
	if lost {
		if err := os.Mkdir(s.cfg.StateDir, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
			return err
		}
		if err := private.Here(s.cfg.StateDir); err != nil {
			return err
		}
		if err := private.Below(shimDir(s.cfg.StateDir)); err != nil {
			return err
		}
		held, err := tryLock(lockPath(s.cfg.StateDir))
		if err != nil {
			return err
		}
		s.leaveLock()
		s.lock = held
	}
	for _, dir := range []string{fifoDir(s.cfg.StateDir), logsDir(s.cfg.StateDir)} {
		if err := private.Below(dir); err != nil {
			return err
		}
	}
	if err := s.table.rewrite(s.image()); err != nil {
		return err
	}
	if s.conn == nil {
		s.poll.unwatch(s.listener)
	}
	unix.Close(s.listener)
	if err := s.listen(); err != nil {
		return err
	}
	if s.conn != nil { // one at a time: see accept
		s.poll.unwatch(s.listener)
	}
	return nil
}

// leaveLock gives the lock of before away, but for one that was moved with its directory:
// a shim that is started there would take the same children for its own.
func (s *server) leaveLock() {
	var st unix.Stat_t
	if unix.Fstat(int(s.lock.Fd()), &st) == nil && st.Nlink > 0 {
		s.moved = append(s.moved, s.lock)
		return
	}
	s.lock.Close()
}

func lockPath(stateDir string) string { return filepath.Join(shimDir(stateDir), "lock") }

// tryLock takes a lock if nobody has it.
func tryLock(path string) (*os.File, error) {
	file, err := private.Open(path, os.O_RDWR|os.O_CREATE)
	if err != nil {
		return nil, fmt.Errorf("lock: %w", err)
	}
	if err = unix.Flock(int(file.Fd()), unix.LOCK_EX|unix.LOCK_NB); err == nil {
		err = errors.Join(file.Truncate(0), writePID(file))
	}
	if err != nil {
		file.Close()
		return nil, fmt.Errorf("lock: %w", err)
	}
	return file, nil
}

// noteSocket keeps who the socket in its place is.
func (s *server) noteSocket() error {
	var st unix.Stat_t
	if err := unix.Lstat(filepath.Join(shimDir(s.cfg.StateDir), socketName), &st); err != nil {
		return err
	}
	s.socketDev, s.socketIno = uint64(st.Dev), st.Ino
	return nil
}
