package probe

import (
	"errors"

	"github.com/reconciler-dev/reconciler/pkg/runtime/child"
)

// failure is why a look failed, in our words, and what the command printed or the
// server answered. Everybody may read the first.
type failure struct {
	why   string
	words child.Words
}

func (f *failure) Error() string { return f.why }

func wordsOf(err error) child.Words {
	var f *failure
	if errors.As(err, &f) {
		return f.words
	}
	return ""
}
