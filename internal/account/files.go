package account

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"strings"
)

// lines calls each for the lines of a file that hold a text, until it returns false.
// A file that is missing has none: a container may have no /etc/passwd. Only root
// writes these files, so their size is not bounded; 100,000 users take about 10 MB.
func lines(path, with string, each func(line string) (goOn bool)) error {
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	needle := []byte(with)
	for line := range bytes.Lines(text) {
		if bytes.Contains(line, needle) && !each(strings.TrimRight(string(line), "\r\n")) {
			break
		}
	}
	return nil
}

// parseUser reads a line of passwd(5). Lines of NIS, that begin with + or -, are
// no users.
func parseUser(line string) (User, bool) {
	f := strings.Split(line, ":")
	if len(f) < 7 || !isName(f[0]) {
		return User{}, false
	}
	uid, err1 := Number(f[2])
	gid, err2 := Number(f[3])
	return User{Name: f[0], UID: uid, GID: gid, Home: f[5], Shell: f[6]}, err1 == nil && err2 == nil
}

type group struct {
	name    string
	gid     uint32
	members []string
}

// parseGroup reads a line of group(5).
func parseGroup(line string) (group, bool) {
	f := strings.Split(line, ":")
	if len(f) < 4 || !isName(f[0]) {
		return group{}, false
	}
	gid, err := Number(f[2])
	return group{f[0], gid, strings.Split(f[3], ",")}, err == nil
}

func isName(s string) bool { return s != "" && !strings.ContainsRune("+-#", rune(s[0])) }
