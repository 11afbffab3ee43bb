package server

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/reconciler-dev/reconciler/pkg/control"
	"github.com/reconciler-dev/reconciler/pkg/runtime/machine"
)

// A client that lost the answer to a request cannot know whether it took effect. With
// the header Idempotency-Key (as in the IETF draft of that name) it may send it again:
// within a day it gets the first answer, also from the next life of the reconciler.
// That a request with a key begins is on disk before anything is done. So when a crash
// came in between, the second one is told that nobody knows, and does nothing.

const maxKeyLength = 128

// repeatable answers requests that carry a key.
func (s *Server) repeatable(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		keys := r.Header.Values(control.IdempotencyKey)
		if len(keys) == 0 {
			next.ServeHTTP(w, r)
			return
		}
		if err := s.once(w, r, keys, next); err != nil {
			s.answerError(w, r, err)
		}
	})
}

// once carries out a request, or repeats the answer that it had.
func (s *Server) once(w http.ResponseWriter, r *http.Request, keys []string, next http.Handler) error {
	if err := checkKey(r, keys); err != nil {
		return err
	}
	body, err := readBody(r)
	if err != nil {
		return err
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	key := fmt.Sprintf("%d %s", connOf(r.Context()).peer.uid, keys[0])
	old, err := s.answers.begin(key, fingerprint(r, body), time.Now())
	switch {
	case err != nil:
		return err
	case old != nil:
		return s.repeat(w, r, old)
	}
	kept := &keptAnswer{header: w.Header(), under: w}
	defer func() { // a panic of the handler leaves the outcome unknown
		if kept.status == 0 {
			s.answers.release(key)
		}
	}()
	next.ServeHTTP(kept, r)
	if err := s.answers.finish(key, kept.status, kept.header.Get("Content-Type"), kept.body.Bytes()); err != nil {
		s.o.Log.Error(err, "the answer to a request with an Idempotency-Key cannot be kept: sent again, it is refused")
	}
	w.WriteHeader(kept.status)
	_, _ = w.Write(kept.body.Bytes()) // a client that went away asks again
	return nil
}

// repeat gives the first answer again, and tells of it as of a request that changed
// nothing.
func (s *Server) repeat(w http.ResponseWriter, r *http.Request, old *answerKept) error {
	note := requestOf(r)
	note.Cause.RequestedBy, note.Cause.Reason = connOf(r.Context()).peer.String(), "sent again"
	note.Decision, note.Message = machine.Idempotent, "the first answer to its Idempotency-Key is repeated"
	if _, err := s.noteDone(r, note); err != nil {
		return err
	}
	w.Header().Set(control.IdempotencyReplayed, "true")
	answer(w, old.Status, old.Type, []byte(old.Body))
	return nil
}

func checkKey(r *http.Request, keys []string) error {
	bad := func(why string) error { return invalid(control.IdempotencyKey, control.IdempotencyKey+" "+why) }
	switch key := keys[0]; {
	case r.Method == http.MethodGet || r.Method == http.MethodHead:
		return bad("is for requests that change something")
	case len(keys) > 1:
		return bad("stands there twice")
	case key == "" || len(key) > maxKeyLength:
		return bad(fmt.Sprintf("has %d characters; want 1 to %d", len(key), maxKeyLength))
	default:
		for _, c := range []byte(key) {
			if c <= ' ' || c > '~' {
				return bad("holds something else than printable ASCII")
			}
		}
	}
	return nil
}

// fingerprint tells requests apart that have the same key.
func fingerprint(r *http.Request, body []byte) string {
	sum := sha256.New()
	fmt.Fprintf(sum, "%s\n%s\n%s\n", r.Method, r.URL.RequestURI(), r.Header.Get("Content-Type"))
	sum.Write(body)
	return hex.EncodeToString(sum.Sum(nil)[:16])
}

// decided reports whether an answer says what became of a request: all others may be
// tried again.
func decided(status int) bool {
	switch status {
	case http.StatusForbidden, http.StatusTooManyRequests, http.StatusServiceUnavailable, http.StatusInternalServerError:
		return false
	}
	return status != 0
}

// keptAnswer is an answer that is not sent before it is kept.
type keptAnswer struct {
	header http.Header
	under  http.ResponseWriter
	status int
	body   bytes.Buffer
}

func (k *keptAnswer) Header() http.Header { return k.header }

func (k *keptAnswer) WriteHeader(status int) {
	if k.status == 0 {
		k.status = status
	}
}

func (k *keptAnswer) Write(b []byte) (int, error) {
	k.WriteHeader(http.StatusOK)
	return k.body.Write(b)
}

// Unwrap is for http.ResponseController.
func (k *keptAnswer) Unwrap() http.ResponseWriter { return k.under }

var errTooManyKeys = errors.New("too many keys")
