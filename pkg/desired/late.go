package desired

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"golang.org/x/sys/unix"
)

// Late says why changes of the manifests are seen later than at once, and how late.
// The zero value says that they are seen at once.
type Late struct {
	Reason  string `json:"reason"` // LateNoInstance and its like; "": they are not late
	Message string `json:"message"`
}

// The reasons of being late.
const (
	LateNoInstance = "NoInotifyInstance" // all of the user's are taken
	LateNoWatch    = "NoInotifyWatch"    // likewise
	LateNoEvents   = "NoEvents"          // of a file system that has none
	LateOverflow   = "EventsLost"        // more than the kernel's queue holds
)

// polls reports whether events cannot be relied upon.
func (w *watch) polls() bool { return len(w.blind) > 0 }

// late is what somebody should know of the events now. Nothing is missed: without
// them all is read every second, and always at each rescan.
func (w *watch) late(rescan time.Duration) Late {
	dirs := slices.Sorted(maps.Keys(w.blind))
	if len(dirs) == 0 {
		if w.overflow.IsZero() {
			return Late{}
		}
		return Late{LateOverflow, fmt.Sprintf("more changed at once than the kernel's queue of events holds (fs.inotify.max_queued_events): all was read anew at once, and is every %v", rescan)}
	}
	err, where := w.blind[dirs[0]], dirs[0]
	if more := len(dirs) - 1; more > 0 {
		where += fmt.Sprintf(" and %d more folders", more)
	}
	switch {
	case dirs[0] == "":
		return Late{LateNoInstance, fmt.Sprintf("the manifests cannot be watched (%v); they are read every second instead, so a change is seen within %v. Raise fs.inotify.max_user_instances, or the limit of open files", err, pollEvery)}
	case errors.Is(err, unix.ENOSPC):
		return Late{LateNoWatch, fmt.Sprintf("%s cannot be watched, since fs.inotify.max_user_watches are used up; all is read every second instead, so a change is seen within %v. Raise it", where, pollEvery)}
	}
	return Late{LateNoEvents, fmt.Sprintf("%s: %v; all is read every second instead, so a change is seen within %v", where, err, pollEvery)}
}

// forget takes an overflow for over once a rescan has followed it.
func (w *watch) forget(rescan time.Duration) {
	if time.Since(w.overflow) >= rescan {
		w.overflow = time.Time{}
	}
}

// noteLate publishes what is new about it.
func (l *loop) noteLate() {
	last, late := l.Current(), l.watch.late(l.options.Rescan)
	if last.Late == late {
		return
	}
	next := *last
	next.Late = late
	l.publish(last, &next)
}
