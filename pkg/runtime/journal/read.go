package journal

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"path/filepath"
	"time"

	"github.com/reconciler-dev/reconciler/internal/regular"
)

// ErrAhead says that a reader wants to go on behind a number that the journal
// has not reached: it was deleted and began anew, or the number is another's.
var ErrAhead = errors.New("the journal has not come that far")

// Options say which part of a journal is wanted. The zero value is all of it.
type Options struct {
	After  uint64            // only entries with a higher number: 0, or that of the last one that was read before
	Since  time.Time         // only what was written from then on
	Newest int               // of those, only the last so many; 0: all
	Want   func(*Entry) bool // of those, only the ones that it wants; nil: all; called before the last ones are counted
}

// Item is what a reader gets: an entry, or the news that entries are missing.
type Item struct {
	Entry
	Missed *Missed // not nil: the entries that should come here cannot be had; Entry is empty

	// Line is the entry as it stands in the journal, fields of a later version
	// included, or {"missed":{…}}: one JSON object, without a newline. It is the
	// reader's.
	Line []byte
}

// Missed are the numbers of entries that were rotated away before they could be
// read, or whose lines are damaged.
type Missed struct {
	From  uint64 `json:"from"`
	To    uint64 `json:"to"`
	Count uint64 `json:"count"`
}

func (m Missed) String() string {
	return fmt.Sprintf("%d entries (%d to %d) are gone", m.Count, m.From, m.To)
}

// Read yields the entries of the journal in dir, oldest first, across its files,
// up to the end that it finds. It needs no daemon and delays none, and it sees no
// entry twice. A journal that is missing is empty. It ends after the first error.
func Read(dir string, o Options) iter.Seq2[Item, error] {
	return func(yield func(Item, error) bool) { deliver(context.Background(), dir, o, nil, yield) }
}

// Follow is Read, and goes on with what is written from then on, within
// milliseconds, until ctx ends; that is no error. It waits for a journal that is
// missing. Whoever is slower than the rotation is told what it missed.
func Follow(ctx context.Context, dir string, o Options) iter.Seq2[Item, error] {
	return func(yield func(Item, error) bool) {
		w := newWaker(dir)
		defer w.close()
		deliver(ctx, dir, o, w, yield)
	}
}

// Last is the number of the newest entry of the journal in dir; 0 if there is none.
func Last(dir string) (uint64, error) {
	for {
		files, err := factFiles(dir)
		if err != nil || len(files) == 0 {
			return 0, err
		}
		first := files[len(files)-1]
		f, err := regular.Open(filepath.Join(dir, factsName(first)), regular.NoFollow)
		if errors.Is(err, fs.ErrNotExist) {
			continue // rotated away since the look
		}
		if err != nil {
			return 0, err
		}
		next, _, err := endOf(f, first)
		_ = f.Close() // it was only read
		return next - 1, err
	}
}

// deliver yields until the end or, with a waker, for ever.
func deliver(ctx context.Context, dir string, o Options, w *waker, yield func(Item, error) bool) {
	r, err := newReader(dir, o)
	if err == nil {
		defer r.leave()
	}
	keep := &newest{most: o.Newest, yield: yield}
	for err == nil && ctx.Err() == nil {
		var item Item
		var more bool
		if item, more, err = r.next(); err != nil {
			break
		}
		switch {
		case more && item.Missed == nil && o.Want != nil && !o.Want(&item.Entry):
		case more:
			if !keep.take(item) {
				return
			}
		case !keep.release() || w == nil:
			return
		default:
			w.wait(ctx)
		}
	}
	if err != nil {
		yield(Item{}, fmt.Errorf("read journal %s: %w", dir, err))
	}
}

// newest holds items back until the end is reached, and keeps only the last ones.
type newest struct {
	most  int // 0: nothing is held back
	held  []Item
	yield func(Item, error) bool
}

func (n *newest) take(i Item) bool {
	if n.most <= 0 {
		return n.yield(i, nil)
	}
	if i.Missed != nil {
		return true // of what comes before the last ones nobody asked
	}
	if len(n.held) >= 2*n.most { // moves each item once
		n.held = append(n.held[:0], n.held[len(n.held)-n.most+1:]...)
	}
	n.held = append(n.held, i)
	return true
}

// release yields what was held back; from now on nothing is.
func (n *newest) release() bool {
	held := n.held[max(0, len(n.held)-n.most):]
	n.most, n.held = 0, nil
	for _, i := range held {
		if !n.yield(i, nil) {
			return false
		}
	}
	return true
}
