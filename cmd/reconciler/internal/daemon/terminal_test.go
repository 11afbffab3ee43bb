package daemon

import (
	"testing"
	"time"
)

func TestOnlyTheSIGHUPOfATerminalThatIsClosedEndsTheRun(t *testing.T) {
	const hup, gone, look = "SIGHUP", "the terminal goes", "a look"
	type moment struct {
		after time.Duration
		what  string
	}
	for _, row := range []struct {
		name    string
		there   bool
		moments []moment
		ends    bool
	}{
		{"a service has no terminal", false, []moment{{0, hup}, {time.Second, look}}, false},
		{"somebody signals a run in a terminal", true, []moment{{0, hup}, {time.Second, look}, {time.Second, hup}}, false},
		{"the window is closed", true, []moment{{0, gone}, {0, hup}}, true},
		{"the shell passes it on after a look", true, []moment{{0, gone}, {time.Millisecond, look}, {time.Millisecond, hup}}, true},
		{"zsh signals its jobs and ends then", true, []moment{{0, hup}, {time.Millisecond, gone}, {time.Second, look}}, true},
		{"disowned, told nothing", true, []moment{{0, gone}, {time.Second, look}, {time.Minute, look}}, false},
		{"disowned, and told to look a minute later", true, []moment{{0, gone}, {time.Second, look}, {time.Minute, hup}}, false},
		{"told to look, and disowned a minute later", true, []moment{{0, hup}, {time.Minute, gone}, {time.Second, look}}, false},
	} {
		t.Run(row.name, func(t *testing.T) {
			open := row.there
			tty := terminal{open: func() bool { return open }, there: open}
			now, ends := time.Unix(100, 0), false

			for _, m := range row.moments {
				now = now.Add(m.after)
				switch m.what {
				case gone:
					open = false
				case look:
					ends = tty.look(now) || ends
				case hup:
					ends = tty.hangUp(now) || ends
				}
			}

			if ends != row.ends {
				t.Errorf("the run ends: %v, want %v", ends, row.ends)
			}
		})
	}
}
