package desired

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/reconciler-dev/reconciler/pkg/runtime/child"
)

// Spec is what m declares once it stands in folder: its own fields, then what
// the supervisors of chain (from the root down, nil where a folder has no
// manifest) give as defaults, the nearest first, then what its work role says,
// then what is built in. Lists whose
// order means nothing are sorted, so that a manifest written in another order
// is the same Spec. exists tells which ids are declared; a dependency that is
// declared nowhere is no problem here. With problems there is no Spec.
func (m *Manifest) Spec(folder child.ID, chain []*Manifest, exists func(child.ID) bool) (*child.Spec, []Problem) {
	fields := m.fields
	role := "supervisor"
	if m.Kind() != child.Supervisor {
		role = "worker"
		fields.inheritable, fields.Reload = rooted(folder, fields.inheritable), rootedReload(folder, fields.Reload)
		for n, by := range slices.Backward(chain) {
			if by != nil && by.fields.Defaults != nil {
				defaults := rooted(above(folder, n), *by.fields.Defaults)
				inherit(&fields.inheritable, &defaults)
			}
		}
	}
	inheritRole(&fields)
	s := &child.Spec{}
	settle(s, &fields, role)
	p := placing{manifest: m, spec: s}
	if role == "worker" {
		complement(s, &fields)
		p.dependencies(folder, exists)
		p.sidecar(folder, exists)
		p.secrets()
		p.schedule()
	}
	complementBackoff(s, &fields)
	p.backoff()
	if len(p.problems) > 0 {
		return nil, p.problems
	}
	normalise(s)
	return s, nil
}

// folderSpec is the Spec of a folder without a supervisor manifest.
func folderSpec() *child.Spec {
	kind := child.Supervisor
	s, _ := (&Manifest{fields: manifestFields{Kind: &kind}}).Spec("", nil, nil)
	return s
}

// placing is a manifest while it becomes a Spec.
type placing struct {
	manifest *Manifest
	spec     *child.Spec
	problems []Problem
}

func (p *placing) problem(field, reason, hint string) {
	if len(p.problems) == maxProblems {
		return
	}
	line, column := p.manifest.Position(field)
	p.problems = append(p.problems, p.manifest.problem(Problem{Line: line, Column: column, Field: field, Reason: reason, Hint: hint}))
}

// dependencies turns names into ids.
func (p *placing) dependencies(folder child.ID, exists func(child.ID) bool) {
	own := child.Join(folder, p.manifest.Name)
	first := map[child.ID]int{}
	for i := range p.spec.Dependencies {
		d := &p.spec.Dependencies[i]
		field := fmt.Sprintf("dependencies[%d]", i)
		d.ID = Resolve(string(d.ID), folder, exists)
		j, twice := first[d.ID]
		switch {
		case d.ID == own:
			p.problem(field, "a child cannot depend on itself", "remove it")
		case d.ID == child.RootSupervisor, strings.HasPrefix(string(own), string(d.ID)+"/"):
			p.problem(field, fmt.Sprintf("a child cannot depend on %s, the folder it stands in", d.ID), "remove it, or name a child of that folder")
		case twice:
			p.problem(field, fmt.Sprintf("%s is already element %d of the list", d.ID, j), "keep one of them")
		}
		first[d.ID] = i
	}
}

// sidecar turns the name of a sidecar's primary into an id.
func (p *placing) sidecar(folder child.ID, exists func(child.ID) bool) {
	if p.spec.SidecarOf == "" {
		return
	}
	own, primary := child.Join(folder, p.manifest.Name), Resolve(string(p.spec.SidecarOf), folder, exists)
	p.spec.SidecarOf = primary
	switch {
	case primary == own:
		p.problem("sidecar_of", "a child cannot be its own sidecar", "name the child that it accompanies")
	case primary == child.RootSupervisor, strings.HasPrefix(string(own), string(primary)+"/"):
		p.problem("sidecar_of", fmt.Sprintf("%s is the folder it stands in, not a child", primary), "name a child of that folder")
	}
}

// secrets demands that each secret_ref is declared, here or in a default.
func (p *placing) secrets() {
	declared := map[string]bool{}
	for _, s := range p.spec.Secrets {
		declared[s.Name] = true
	}
	for i, v := range p.spec.Environment {
		name := strings.TrimSuffix(strings.TrimPrefix(v.SecretRef, "${"), "}")
		if v.SecretRef == "" || declared[name] {
			continue
		}
		field := "environment"
		if i < len(p.manifest.fields.Environment) { // own variables stand before inherited ones
			field = fmt.Sprintf("environment[%d].secret_ref", i)
		}
		p.problem(field, fmt.Sprintf("the secret %s of variable %s is not declared", name, v.Name), fmt.Sprintf("add {name: %s, key: …} to secrets", name))
	}
}

// backoff looks at the bounds once more: one of them may be inherited.
func (p *placing) backoff() {
	if b := p.spec.Backoff; b.InitialDelay > b.MaxDelay {
		p.problem("backoff.initial_delay_ms", fmt.Sprintf("the first rest (%v) is longer than the longest (%v); one of them is inherited",
			b.InitialDelay.Duration(), b.MaxDelay.Duration()), "write both")
	}
}

// normalise makes equal what means the same.
func normalise(s *child.Spec) {
	if s.Logs.WhenFull == child.BlockOutput {
		s.Logs.WhenFull = "" // as it was before the field: see child.Logs
	}
	s.SuccessExitCodes = sortedSet(s.SuccessExitCodes)
	s.Tags = sortedSet(s.Tags)
	s.EnvFiles = nilIfEmpty(s.EnvFiles)
	s.Dependencies = nilIfEmpty(s.Dependencies)
	s.Environment = nilIfEmpty(s.Environment)
	s.Secrets = nilIfEmpty(s.Secrets)
	slices.SortFunc(s.Dependencies, func(a, b child.Dependency) int { return cmp.Compare(a.ID, b.ID) })
	slices.SortFunc(s.Environment, func(a, b child.EnvVar) int { return cmp.Compare(a.Name, b.Name) })
	slices.SortFunc(s.FailureGroups, func(a, b child.FailureGroup) int { return cmp.Compare(a.Tag, b.Tag) })
	slices.SortFunc(s.Secrets, func(a, b child.Secret) int { return cmp.Compare(a.Name, b.Name) })
	if s.RunAs != nil {
		s.RunAs.SupplementaryGroups = sortedSet(s.RunAs.SupplementaryGroups)
		if r := s.RunAs; r.User == "" && r.Group == "" && r.SupplementaryGroups == nil && !r.NoNewPrivs && r.Umask == "" {
			s.RunAs = nil
		}
	}
	if s.CommandPermissions != nil {
		s.CommandPermissions.AllowedSignals = sortedSet(s.CommandPermissions.AllowedSignals)
	}
	if s.Reload != nil {
		s.Reload.Files = sortedSet(s.Reload.Files)
	}
	if s.ResourceLimits != nil && *s.ResourceLimits == (child.ResourceLimits{}) {
		s.ResourceLimits = nil
	}
	if h := s.Hooks; h != nil && len(h.PreStart)+len(h.PostStart)+len(h.PreStop)+len(h.PostStop) == 0 {
		s.Hooks = nil
	}
}

func nilIfEmpty[E any](s []E) []E {
	if len(s) == 0 {
		return nil
	}
	return s
}
