package machine

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/reconciler-dev/reconciler/pkg/runtime/child"
)

// reloadWatch is how long after a reload the end of an attempt, or its loss of
// readiness, is said to have come of it.
const reloadWatch = 30 * time.Second

// FilesSeen tells what is in the files that an attempt was started with and may
// have to be told about: reload.files, env_files and secrets of its spec, by their
// paths, with the trouble of those that are not read. The first one of an attempt, told before it starts, is what it knows.
type FilesSeen struct {
	Key   child.Key
	Files []child.FileHash // sorted by path
}

func (FilesSeen) event() {}

// The facts about reloads.
const (
	ChildReloaded FactKind = "child_reloaded" // it was told that its files changed
	ReloadFailed  FactKind = "reload_failed"  // it ended, or was not ready any more, soon after
)

// filesSeen tells an attempt that its files changed: by the signal of its manifest,
// or by a restart. A file that cannot be read is not a changed one: editors take
// files away for a moment, and a running child is not stopped for a mistake.
func (t *Tree) filesSeen(ev FilesSeen) {
	s, ok := t.children[ev.Key.ID]
	if !ok || s.key() != ev.Key || !s.hasAttempt() || s.stop != nil {
		return
	}
	if s.live.files == nil {
		s.live.files = merged(nil, ev.Files)
		t.save(s)
		return
	}
	if s.phase != child.Running || !t.connected {
		return // it will be seen again
	}
	if unread := unreadOf(ev.Files); unread != s.live.unread {
		s.live.unread = unread
		t.touch(s)
	}
	changed := s.changedFiles(ev.Files)
	if next := merged(s.live.files, ev.Files); !slices.Equal(next, s.live.files) {
		s.live.files = next
		t.save(s)
	}
	if len(changed) > 0 {
		t.reload(s, changed)
	}
}

// changedFiles are the paths whose content is another one than the attempt knows. One
// that it does not know was added to its manifest: that is no change of a file. Nor is
// that a folder can be read now: earlier versions could read none.
func (s *state) changedFiles(seen []child.FileHash) []string {
	var changed []string
	for _, f := range seen {
		known, listed := hashOf(s.live.files, f.Path)
		if listed && f.WasRead() && known != f.Hash && !(known == "" && f.IsMany()) {
			changed = append(changed, f.Path)
		}
	}
	return changed
}

func hashOf(files []child.FileHash, path string) (hash string, listed bool) {
	for _, f := range files {
		if f.Path == path {
			return f.Hash, true
		}
	}
	return "", false
}

// merged is seen, with what was known of the files that cannot be read now.
func merged(known, seen []child.FileHash) []child.FileHash {
	all := slices.Clone(seen)
	for i, f := range all {
		all[i].Trouble = ""
		if before, listed := hashOf(known, f.Path); listed && !f.WasRead() {
			all[i].Hash = before
		}
	}
	return all
}

// unreadOf is why files have not been read for a while, in one sentence.
func unreadOf(files []child.FileHash) string {
	var all []string
	for _, f := range files {
		if f.Trouble != "" {
			all = append(all, f.Path+" "+f.Trouble)
		}
	}
	return strings.Join(all, "; ")
}

func (t *Tree) reload(s *state, changed []string) {
	s.reloadFailed = ""
	why := strings.Join(changed, ", ") + " changed"
	byEnv := slices.ContainsFunc(changed, func(path string) bool {
		return s.spec.Reload == nil || !slices.Contains(s.spec.Reload.Files, path)
	})
	if byEnv || s.spec.Reload.Signal == "" {
		t.renew(s, Restart, child.Cause{RequestedBy: runtimeItself, Reason: "reload: " + why})
		return
	}
	s.live.reloadedAt, s.live.reloaded = t.now, why
	t.emit(Signal{Key: s.key(), Signal: s.spec.Reload.Signal})
	t.fact(s, ChildReloaded, s.spec.Reload.Signal+": "+why)
}

// afterReload says how soon after a reload this is; "" if none was soon before.
func (t *Tree) afterReload(s *state) string {
	if s.live.reloaded == "" || t.now-s.live.reloadedAt > Instant(reloadWatch) {
		return ""
	}
	return fmt.Sprintf("%s after a reload (%s)", time.Duration(t.now-s.live.reloadedAt).Round(time.Millisecond), s.live.reloaded)
}

// blameReload tells that something went wrong soon after a reload. It stays to be
// seen until the next reload, or a new manifest.
func (t *Tree) blameReload(s *state, what string) {
	if when := t.afterReload(s); when != "" {
		s.reloadFailed = what + " " + when
		t.fact(s, ReloadFailed, s.reloadFailed)
	}
}
