package machine

import (
	"strconv"
	"strings"

	"github.com/reconciler-dev/reconciler/pkg/runtime/child"
)

// hookLine is one line about the hook of a child that is under way:
//
//	hook ID started|busy|refused|lost|CODE|SIGNAL
func (w *world) hookLine(f []string) bool {
	if f[0] != "hook" {
		return false
	}
	k := w.hookKey(f[1])
	switch how := f[2]; how {
	case "started":
		w.step(Started{Process{Key: k, PID: 500, StartedAt: w.wall()}})
	case "busy", "refused":
		w.step(StartFailed{Key: k, Reason: "no such file", Busy: how == "busy", At: w.wall()})
	default:
		ev := w.exitOf(f[1], how)
		ev.Key, ev.PID, ev.LogTail = k, 500, []string{"last words of a hook"}
		w.step(ev)
	}
	return true
}

// hookKey is that of the hook under way; without one, that of a first pre_start.
func (w *world) hookKey(id string) child.Key {
	if s, ok := w.tree.children[child.ID(id)]; ok && s.hook.on() {
		return s.hookKey()
	}
	k := w.key(id)
	k.Role, k.Run = child.PreStart, 1
	return k
}

// hookOption is hooks=pre_start:2,post_stop:1 or timeout=DURATION.
func (w *world) hookOption(s *child.Spec, key, value string) bool {
	w.t.Helper()
	h := child.Hooks{Timeout: child.Seconds(duration(w.t, "10s"))}
	if s.Hooks != nil {
		h = *s.Hooks
	}
	s.Hooks = &h
	if key == "timeout" {
		h.Timeout = child.Seconds(duration(w.t, value))
		return true
	}
	if key != "hooks" {
		return false
	}
	lists := map[string]*[][]string{"pre_start": &h.PreStart, "post_start": &h.PostStart, "pre_stop": &h.PreStop, "post_stop": &h.PostStop}
	for part := range strings.SplitSeq(value, ",") {
		role, count, _ := strings.Cut(part, ":")
		n, _ := strconv.Atoi(count)
		for i := range n {
			*lists[role] = append(*lists[role], []string{role, strconv.Itoa(i + 1)})
		}
	}
	return true
}
