package server

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/reconciler-dev/reconciler/internal/private"
	"github.com/reconciler-dev/reconciler/pkg/control"
)

const (
	keyLife       = 24 * time.Hour
	maxKeys       = 20_000   // remembered at a time; with a kilobyte each 20 MB
	maxKeysOfOne  = 10_000   // of one user
	maxAnswerKept = 64 << 10 // of a larger one (a shutdown of thousands) only that it was given
)

// answerKept is the line of one key in the file, and what is known of it.
type answerKept struct {
	Key    string    `json:"key"` // the user's number, and what he sent
	Hash   string    `json:"hash,omitempty"`
	At     time.Time `json:"at"`               // when it began
	Status int       `json:"status,omitempty"` // 0: it began
	Type   string    `json:"type,omitempty"`
	Body   string    `json:"body,omitempty"`
	Large  bool      `json:"large,omitempty"` // the answer was too large to be kept
	Gone   bool      `json:"gone,omitempty"`  // nothing was decided: it may come again

	running bool
}

// answerBook remembers what requests with a key were answered. It is a file of JSON
// lines, the newest of a key counts.
type answerBook struct {
	path string // "": nothing is kept over a restart

	mu    sync.Mutex
	kept  map[string]*answerKept
	order []string // keys, oldest first; some are gone
	file  *os.File
	lines int
}

// openAnswerBook reads what an earlier life kept.
func openAnswerBook(path string, now time.Time) (*answerBook, error) {
	a := &answerBook{path: path, kept: map[string]*answerKept{}}
	if path == "" {
		return a, nil
	}
	file, err := private.Open(path, os.O_RDWR|os.O_CREATE)
	if err != nil {
		return nil, err
	}
	err = a.read(file)
	if err = errors.Join(err, file.Close()); err != nil {
		return nil, fmt.Errorf("read %s: %w", path, err)
	}
	a.forget(now)
	return a, a.rewrite()
}

// read takes what can be read: a last line may be cut short by a kill.
func (a *answerBook) read(file io.Reader) error {
	for lines := bufio.NewReader(file); ; {
		line, err := lines.ReadBytes('\n')
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		k := &answerKept{}
		if json.Unmarshal(line, k) == nil && k.Key != "" {
			a.set(k)
		}
	}
}

func (a *answerBook) set(k *answerKept) {
	if k.Gone {
		delete(a.kept, k.Key)
		return
	}
	if a.kept[k.Key] == nil {
		a.order = append(a.order, k.Key)
	}
	a.kept[k.Key] = k
}

// forget drops what is older than a day. A clock that was set back keeps it longer.
func (a *answerBook) forget(now time.Time) {
	for len(a.order) > 0 {
		k := a.kept[a.order[0]]
		if k != nil && (k.running || now.Sub(k.At) < keyLife) {
			return
		}
		delete(a.kept, a.order[0])
		a.order = a.order[1:]
	}
}

// begin says that a request begins, or how the first one with its key was answered.
func (a *answerBook) begin(key, hash string, now time.Time) (*answerKept, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.forget(now)
	refused := func(status int, code, message, hint string) error {
		return &control.Error{Status: status, Code: code, Field: control.IdempotencyKey, Message: message, Hint: hint}
	}
	switch k := a.kept[key]; {
	case k == nil:
	case k.Hash != hash:
		return nil, refused(http.StatusUnprocessableEntity, control.CodeKeyReused, "this key was sent with another request before", "use a new key for each request")
	case k.running:
		return nil, refused(http.StatusConflict, control.CodeInProgress, "the first request with this key is not answered yet", "try again")
	case k.Status == 0:
		return nil, refused(http.StatusConflict, control.CodeOutcomeUnknown, "the reconciler ended before it answered the first request with this key", "look at what holds now (GET /v1/events has what was done), and use a new key")
	case k.Large:
		return nil, refused(http.StatusConflict, control.CodeOutcomeUnknown, fmt.Sprintf("the first request with this key was answered with %d; the answer was too large to be kept", k.Status), "")
	default:
		return k, nil
	}
	if err := a.room(key); err != nil {
		return nil, refused(http.StatusTooManyRequests, control.CodeTooManyRequests, err.Error(), "keys are forgotten after a day; send requests that may be repeated anyway without one")
	}
	k := &answerKept{Key: key, Hash: hash, At: now.UTC(), running: true}
	if err := a.append(k); err != nil {
		return nil, fmt.Errorf("remember the Idempotency-Key: %w", err)
	}
	a.set(k)
	return nil, nil
}

// room says that no more keys can be remembered.
func (a *answerBook) room(key string) error {
	user, _, _ := bytes.Cut([]byte(key), []byte(" "))
	mine := 0
	if len(a.kept) >= maxKeysOfOne { // counting is rare
		for k := range a.kept {
			if bytes.HasPrefix([]byte(k), append(bytes.Clone(user), ' ')) {
				mine++
			}
		}
	}
	if len(a.kept) >= maxKeys || mine >= maxKeysOfOne {
		return fmt.Errorf("%w: %d are remembered already", errTooManyKeys, len(a.kept))
	}
	return nil
}

// finish keeps the answer of a request that began, or forgets a request of which
// nothing was decided.
func (a *answerBook) finish(key string, status int, kind string, body []byte) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	k := *a.kept[key]
	k.running = false
	switch {
	case status == http.StatusGatewayTimeout: // it may be carried out yet
	case !decided(status):
		k.Gone = true
	case len(body) > maxAnswerKept:
		k.Status, k.Large = status, true
	default:
		k.Status, k.Type, k.Body = status, kind, string(body)
	}
	a.set(&k)
	return a.append(&k)
}

// release says that nobody is at work on a key any more, and no more.
func (a *answerBook) release(key string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if k := a.kept[key]; k != nil {
		k.running = false
	}
}

// append makes a line durable.
func (a *answerBook) append(k *answerKept) error {
	if a.path == "" {
		return nil
	}
	if a.lines > 2*len(a.kept)+10_000 {
		if err := a.rewrite(); err != nil {
			return err
		}
	}
	line, err := json.Marshal(k)
	if err != nil {
		return err
	}
	a.lines++
	if _, err := a.file.Write(append(line, '\n')); err != nil {
		return errors.Join(err, a.rewrite()) // what was written of the line is gone
	}
	return a.file.Sync()
}

// rewrite replaces the file by one with what counts, and goes on there.
func (a *answerBook) rewrite() error {
	next := a.path + ".next"
	file, err := private.Open(next, os.O_WRONLY|os.O_CREATE|os.O_TRUNC)
	if err != nil {
		return err
	}
	var order []string
	text := bufio.NewWriter(file)
	enc := json.NewEncoder(text)
	for _, key := range a.order {
		if k := a.kept[key]; k != nil && err == nil {
			order = append(order, key)
			err = enc.Encode(k)
		}
	}
	if err = errors.Join(err, text.Flush()); err == nil {
		err = errors.Join(file.Sync(), os.Rename(next, a.path), syncDir(filepath.Dir(a.path)))
	}
	if err != nil {
		return errors.Join(err, file.Close(), os.Remove(next))
	}
	if a.file != nil {
		_ = a.file.Close() // it was synced
	}
	a.file, a.order, a.lines = file, order, len(order)
	return nil
}

func syncDir(path string) error {
	d, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

func (a *answerBook) close() error {
	if a.file == nil {
		return nil
	}
	return a.file.Close()
}
