package desired

import (
	"fmt"
	"slices"

	"github.com/reconciler-dev/reconciler/pkg/runtime/child"
)

// unchain finds sidecars of sidecars and of folders. Whoever changed last is
// wrong and keeps what it had; one that is new is not added. Because what it had
// may be a sidecar again, it looks until nothing changes.
func (m *merger) unchain() {
	for changed := true; changed; {
		changed = false
		for _, id := range m.sidecars() {
			changed = m.unchainOne(id) || changed
		}
	}
}

// sidecars are the ids of all sidecars, sorted.
func (m *merger) sidecars() []child.ID {
	var ids []child.ID
	for id, e := range m.entries {
		if e.Spec.SidecarOf != "" {
			ids = append(ids, id)
		}
	}
	slices.Sort(ids)
	return ids
}

// unchainOne reports whether it took something back.
func (m *merger) unchainOne(id child.ID) bool {
	e := m.entries[id]
	if e == nil || e.Spec.SidecarOf == "" {
		return false // taken back a moment ago
	}
	above := e.Spec.SidecarOf
	primary := m.entries[above]
	switch {
	case primary == nil && m.isFolder(above):
		reason, hint := folderAsPrimary(above)
		return e.made != nil && m.revert(id, "sidecar_of", reason, hint)
	case primary == nil || primary.Spec.SidecarOf == "":
		return false
	case e.made != nil && !(m.isUnchanged(id) && primary.made != nil):
		reason, hint := sidecarAsPrimary(above, primary.Spec)
		return m.revert(id, "sidecar_of", reason, hint)
	case primary.made != nil:
		reason, hint := primaryAsSidecar(id)
		return m.revert(above, "sidecar_of", reason, hint)
	}
	return false
}

// isFolder reports whether id is declared as a supervisor.
func (m *merger) isFolder(id child.ID) bool {
	if d := m.placed.claims[id]; d != nil {
		return d.Kind() == child.Supervisor
	}
	return m.top.nearest(string(id)).path == string(id)
}

// isUnchanged reports whether id is what it was before this look.
func (m *merger) isUnchanged(id child.ID) bool {
	before := m.before[id]
	return before != nil && before.Spec == m.entries[id].Spec
}

// checkSidecars reports primaries that are declared nowhere. Their sidecars stay:
// they wait, or run on.
func (m *merger) checkSidecars() {
	for _, id := range m.sidecars() {
		e := m.entries[id]
		if e.made == nil || m.entries[e.Spec.SidecarOf] != nil {
			continue
		}
		m.next.Problems = append(m.next.Problems, e.made.document.at("sidecar_of",
			fmt.Sprintf("%s is declared nowhere", e.Spec.SidecarOf), fmt.Sprintf("%s waits until it is", id)))
	}
}

func folderAsPrimary(id child.ID) (reason, hint string) {
	return fmt.Sprintf("%s is a folder; a sidecar belongs to a child", id), "name one of its children"
}

func sidecarAsPrimary(id child.ID, s *child.Spec) (reason, hint string) {
	return fmt.Sprintf("%s is a sidecar itself (of %s); a sidecar cannot have one", id, s.SidecarOf), "name the child that both accompany"
}

func primaryAsSidecar(sidecar child.ID) (reason, hint string) {
	return fmt.Sprintf("%s is its sidecar; a child that has one cannot be one", sidecar), "remove sidecar_of, or give that sidecar another child"
}
