package runtime

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/reconciler-dev/reconciler/pkg/runtime/child"
)

const (
	// maxSecret is what a variable can hold with room to spare: Linux takes 128 KiB
	// of one, its name included.
	maxSecret = 64 << 10

	// tooOpen are the bits of a mode that a secret may not have. Its group may read
	// it: fsGroup of Kubernetes and the access lists of systemd show as that bit.
	tooOpen = 0o027
)

var errNoSecretsDir = errors.New("no secrets directory is set; start the reconciler with --secrets DIR")

// variable is the value of one variable of a manifest. It is not set when its
// secret is missing and need not be there. An error names the secret and its key,
// and never shows a value.
func (h Host) variable(spec *child.Spec, v child.EnvVar) (value string, set bool, err error) {
	if v.Value != nil {
		return *v.Value, true, nil
	}
	s, declared := secretOf(spec, v)
	if !declared {
		return "", false, fmt.Errorf("environment: %s is no secret that is declared for variable %s", v.SecretRef, v.Name)
	}
	value, err = h.readSecret(s.Key)
	missing := errors.Is(err, fs.ErrNotExist)
	switch {
	case err == nil:
		return value, true, nil
	case !s.Required && (missing || h.SecretsDir == ""):
		return "", false, nil
	case missing:
		err = fmt.Errorf("no such file in %s; put it there, or declare it with required: false", h.SecretsDir)
	}
	return "", false, fmt.Errorf("secret %s (key %s): %w", s.Name, s.Key, err)
}

// secretOf is the declaration of the secret that a variable refers to.
func secretOf(spec *child.Spec, v child.EnvVar) (child.Secret, bool) {
	i := slices.IndexFunc(spec.Secrets, func(s child.Secret) bool { return v.SecretRef == "${"+s.Name+"}" })
	if i < 0 {
		return child.Secret{}, false
	}
	return spec.Secrets[i], true
}

// secretKeys are the keys of the secrets that variables of a spec refer to.
func secretKeys(spec *child.Spec) []string {
	var keys []string
	for _, v := range spec.Environment {
		if s, ok := secretOf(spec, v); ok {
			keys = append(keys, s.Key)
		}
	}
	slices.Sort(keys)
	return slices.Compact(keys)
}

// readSecret reads the file key of SecretsDir. Links are followed as long as they stay
// in it, as those of a mounted Secret do. Newlines at the end are no part of the
// secret, as in "$(cat FILE)".
func (h Host) readSecret(key string) (string, error) {
	f, err := h.openSecret(key)
	if err != nil {
		return "", err
	}
	defer f.Close()
	return secretIn(f)
}

// openSecret opens the file of a secret, if it may be used.
func (h Host) openSecret(key string) (*os.File, error) {
	dir := h.SecretsDir
	if dir == "" {
		return nil, errNoSecretsDir
	}
	root, err := os.OpenRoot(dir + "/.") // no FIFO and no device is opened in its place: ENOTDIR
	if err != nil {
		return nil, err
	}
	defer root.Close()
	f, err := root.OpenFile(key, os.O_RDONLY|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	path := filepath.Join(dir, key)
	if err = checkSecret(f, path); err == nil {
		err = h.checkSecretOwner(f, path)
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}

// secretIn is the secret that an open file holds.
func secretIn(f *os.File) (string, error) {
	path := filepath.Clean(f.Name())
	data, err := io.ReadAll(io.LimitReader(f, maxSecret+1))
	if err != nil {
		return "", err
	}
	value := strings.TrimRight(string(data), "\n")
	switch {
	case len(data) > maxSecret:
		return "", fmt.Errorf("%s is larger than %d bytes", path, maxSecret)
	case strings.ContainsRune(value, 0):
		return "", fmt.Errorf("%s holds a zero byte, which no variable can", path)
	case value == "":
		return "", fmt.Errorf("%s is empty", path)
	}
	return value, nil
}

func checkSecret(f *os.File, path string) error {
	fi, err := f.Stat()
	if err != nil {
		return err
	}
	if !fi.Mode().IsRegular() {
		return fmt.Errorf("%s is not a regular file", path)
	}
	if mode := fi.Mode().Perm(); mode&tooOpen != 0 {
		return fmt.Errorf("%s has mode %04o: nobody but its owner may write it, and nobody but owner and group may read it; chmod 0400 it", path, mode)
	}
	return nil
}

// secretFile is a secret that a child must be told about.
func (h Host) secretFile(key string) watched {
	dir := h.SecretsDir
	return watched{
		path: filepath.Join(dir, key),
		stat: func(string) (fs.FileInfo, error) { return statSecret(dir, key) },
		open: func(string) (*os.File, error) { return h.openSecret(key) },
		copy: func(to io.Writer, f *os.File) error {
			value, err := secretIn(f)
			if err == nil {
				_, err = io.WriteString(to, value)
			}
			return err
		},
	}
}

// statSecret is what stat(2) says of the file key of dir.
func statSecret(dir, key string) (fs.FileInfo, error) {
	root, err := os.OpenRoot(dir + "/.") // no FIFO and no device is opened in its place: ENOTDIR
	if err != nil {
		return nil, err
	}
	defer root.Close()
	return root.Stat(key)
}

// shownPath is PATH for the eyes of people.
func shownPath(spec *child.Spec, path string) string {
	if slices.ContainsFunc(spec.Environment, func(v child.EnvVar) bool { return v.Name == "PATH" && v.SecretRef != "" }) {
		return "(a secret)"
	}
	return path
}
