package server

import (
	"fmt"
	"maps"
	"math"
	"net/http"
	"strconv"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"github.com/reconciler-dev/reconciler/pkg/control"
)

// DefaultRate is how many requests a second each user behind a connection may send for
// ever. rateBurst seconds' worth may come at once: a command for each of ten thousand
// children.
const (
	DefaultRate = 200
	rateBurst   = 50
	maxBuckets  = 1024 // users; of more only root can make use
)

// rates bounds how often each user may ask, whatever for, and whether or not he may.
type rates struct {
	perSecond float64 // 0: no bound

	mu      sync.Mutex
	buckets map[int]*bucket
}

// bucket is the rate of one user.
type bucket struct {
	*rate.Limiter
	refused bool // the last request was
}

func newRates(perSecond float64) *rates {
	return &rates{perSecond: perSecond, buckets: map[int]*bucket{}}
}

// take lets one request through, or says how long it must wait. first is true for the
// first one that is refused in a row.
func (r *rates) take(uid int, now time.Time) (wait time.Duration, first bool) {
	if r.perSecond <= 0 {
		return 0, false
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	b := r.bucketOf(uid, now)
	reserved := b.ReserveN(now, 1)
	if wait = reserved.DelayFrom(now); wait > 0 {
		reserved.CancelAt(now)
	}
	first = wait > 0 && !b.refused
	b.refused = wait > 0
	return wait, first
}

func (r *rates) bucketOf(uid int, now time.Time) *bucket {
	if b := r.buckets[uid]; b != nil {
		return b
	}
	burst := int(math.Ceil(r.perSecond * rateBurst))
	if len(r.buckets) >= maxBuckets { // one that is full again is as good as none
		maps.DeleteFunc(r.buckets, func(_ int, b *bucket) bool { return b.TokensAt(now) >= float64(burst) })
	}
	if len(r.buckets) >= maxBuckets {
		uid = -1 // the rest shares one
		if b := r.buckets[uid]; b != nil {
			return b
		}
	}
	b := &bucket{Limiter: rate.NewLimiter(rate.Limit(r.perSecond), burst)}
	r.buckets[uid] = b
	return b
}

// admitRate says that a user asks too often, and when he may again.
func (s *Server) admitRate(w http.ResponseWriter, p peer) error {
	wait, first := s.rates.take(p.uid, time.Now())
	if wait == 0 {
		return nil
	}
	seconds := int(math.Ceil(wait.Seconds()))
	w.Header().Set("Retry-After", strconv.Itoa(seconds))
	err := &control.Error{
		Status: http.StatusTooManyRequests, Code: control.CodeTooManyRequests,
		Message: fmt.Sprintf("%s sends more than %v requests a second", p, s.rates.perSecond),
		Hint:    fmt.Sprintf("try again in %d s; run --control-rate says how many may come", seconds),
	}
	if first {
		return err
	}
	return onRecord{err} // the first of them stands for all
}
