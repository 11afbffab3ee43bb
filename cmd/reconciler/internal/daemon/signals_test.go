package daemon

import (
	"testing"
	"time"
)

func TestASecondSignalCountsOnlyAfterASecond(t *testing.T) {
	first := time.Unix(100, 0)
	for _, row := range []struct {
		name  string
		after time.Duration
		want  answer
	}{
		{"GNU timeout signals the child, then the group", 20 * time.Microsecond, repeats},
		{"a wrapper passes on what the terminal gave to all", 5 * time.Millisecond, repeats},
		{"nearly a second later", secondAfter - time.Millisecond, repeats},
		{"somebody insists", secondAfter, hurries},
		{"somebody insists after a while", time.Hour, hurries},
	} {
		t.Run(row.name, func(t *testing.T) {
			var told wish
			if got := told.tell(first); got != begins {
				t.Fatalf("the first signal gives %v, want %v", got, begins)
			}

			got := told.tell(first.Add(row.after))

			if got != row.want {
				t.Errorf("a signal %v after the first gives %v, want %v", row.after, got, row.want)
			}
		})
	}
}

func TestSignalsThatRepeatTheFirstDoNotPutOffTheSecond(t *testing.T) {
	var told wish
	first := time.Unix(100, 0)
	told.tell(first)
	told.tell(first.Add(900 * time.Millisecond))

	got := told.tell(first.Add(1100 * time.Millisecond))

	if got != hurries {
		t.Errorf("a signal 1.1 s after the first gives %v, want %v", got, hurries)
	}
}
