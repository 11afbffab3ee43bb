package machine

import "github.com/reconciler-dev/reconciler/pkg/runtime/child"

// whyPrimary is what a sidecar is stopped for.
const whyPrimary = "primary_gone"

func (s *state) isSidecar() bool { return s.spec.SidecarOf != "" }

// keepUp stops a sidecar whose primary has no attempt any more.
func (t *Tree) keepUp(s *state) {
	if s.isSidecar() && s.hasAttempt() && s.stop == nil && t.shutdown == nil && !t.primaryIsThere(s) {
		t.beginStop(s, whyPrimary, child.Cause{RequestedBy: runtimeItself, Reason: "its primary " + string(s.spec.SidecarOf) + " is gone"})
	}
}

func (t *Tree) primaryIsThere(s *state) bool {
	p := t.children[s.spec.SidecarOf]
	return p != nil && p.phase.HasProcess()
}

// missingPrimary names what a sidecar waits for, "" if its primary has started.
func (t *Tree) missingPrimary(s *state) (name string, undeclared bool) {
	if !s.isSidecar() {
		return "", false
	}
	p := t.children[s.spec.SidecarOf]
	switch {
	case p == nil:
		return string(s.spec.SidecarOf) + " (started), its primary, which is declared nowhere", true
	case p.phase != child.Running:
		return string(s.spec.SidecarOf) + " (started), its primary", false
	}
	return "", false
}

// eachStoppedAfter visits whatever is stopped only when a child is gone: what it
// depends on, and its sidecars.
func (t *Tree) eachStoppedAfter(s *state, visit func(*state)) {
	for _, d := range s.spec.Dependencies {
		if on, ok := t.children[d.ID]; ok && on != s && d.ID != s.spec.SidecarOf {
			visit(on)
		}
	}
	for _, id := range t.dependants[s.id] {
		if on := t.children[id]; on != s && on.spec.SidecarOf == s.id {
			visit(on)
		}
	}
}
