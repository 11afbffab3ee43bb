package desired

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/reconciler-dev/reconciler/pkg/runtime/child"
)

// Request is a child that somebody declared without a file. It goes through the same
// merge as the documents of the directory, as if it stood in the folder of its id: the
// defaults of that count, cycles are refused, others may depend on it. A document of the
// same name in that folder wins. It is immutable.
type Request struct {
	ID   child.ID
	JSON bool   // Body is JSON, else YAML
	Body []byte // empty: it is not known, and what is in force stays

	manifest *Manifest
	problems []Problem // of a body that could be read once
}

// NewRequest reads the body of a request, which is one manifest.
func NewRequest(id child.ID, isJSON bool, body []byte) (Request, []Problem) {
	r := Request{ID: id, JSON: isJSON, Body: body}
	file := "body.yaml"
	if isJSON {
		file = "body.json"
	}
	manifests, problems := Decode(file, body)
	switch {
	case len(problems) > 0:
	case len(manifests) > 1:
		problems = []Problem{manifests[0].at("", fmt.Sprintf("these are %d documents", len(manifests)), "send one")}
	case manifests[0].Kind() == child.Supervisor:
		problems = []Problem{manifests[0].at("kind", "a supervisor is declared by a file in its folder", "put the file there")}
	case manifests[0].Name != id.Name():
		problems = []Problem{manifests[0].at("name", fmt.Sprintf("the name is %q, and the id ends with %q", manifests[0].Name, id.Name()), "they must be the same")}
	default:
		m := manifests[0]
		m.File, m.Document, m.request = "", 0, id
		r.manifest = &m
	}
	for i := range problems {
		problems[i].Child = id
	}
	r.problems = problems
	return r, problems
}

// withRequests is the tree with a file more in each folder that requests stand in,
// which is made where there is none. Nothing of top is changed.
func withRequests(top *folder, requests []Request) *folder {
	byFolder := map[child.ID][]Request{}
	for _, r := range requests {
		if len(r.Body) > 0 {
			byFolder[r.ID.Folder()] = append(byFolder[r.ID.Folder()], r)
		}
	}
	for at, these := range byFolder {
		top = top.withFile(string(at), func(f *folder) *file { return requestFile(f, these) })
	}
	return top
}

// withFile is f with a file more in the folder at path below it.
func (f *folder) withFile(path string, make func(*folder) *file) *folder {
	next := *f
	if path == "" {
		next.files = append(slices.Clip(f.files), make(f))
		return (&next).finish()
	}
	name, rest, _ := strings.Cut(path, "/")
	sub := f.folder(name)
	if sub == nil {
		sub = &folder{path: string(child.Join(child.ID(f.path), name))}
	}
	next.folders = put(slices.Clone(f.folders), sub.withFile(rest, make), name, (*folder).name, true)
	return (&next).finish()
}

// requestFile declares what is requested in a folder, but for what its files declare.
func requestFile(f *folder, these []Request) *file {
	declared := map[string]bool{}
	for _, x := range f.files {
		for i := range contentOf(x).manifests {
			declared[x.content.manifests[i].Name] = true
		}
	}
	x := &file{requested: &requested{}}
	for _, r := range these {
		switch {
		case declared[r.ID.Name()]:
		case r.manifest != nil:
			x.requested.manifests = append(x.requested.manifests, r.manifest)
		default:
			x.requested.problems = append(x.requested.problems, r.problems...)
		}
	}
	return x
}

// requested is what a file that is none declares.
type requested struct {
	manifests []*Manifest
	problems  []Problem
}

func contentOf(x *file) *content {
	if x.content == nil {
		return &content{}
	}
	return x.content
}

// takenOver are the requests whose child a document of the directory declares now.
func (s *Set) takenOver(requests []Request) (ids []child.ID) {
	for _, r := range requests {
		if e, ok := s.Get(r.ID); ok && e.Origin.File != "" && e.Spec.Kind != child.Supervisor && len(e.Problems) == 0 {
			ids = append(ids, r.ID)
		}
	}
	return ids
}

// trial is a request that somebody wants to know the meaning of.
type trial struct {
	request Request
	result  chan tried
}

type tried struct {
	entry    Entry
	problems []Problem
}

// Try says what would be in force for a request beside everything that is declared
// now, or why it would not be. Nothing is changed. The error is that of ctx.
func (s *Source) Try(ctx context.Context, r Request) (Entry, []Problem, error) {
	t := trial{r, make(chan tried, 1)}
	select {
	case s.tries <- t:
	case <-ctx.Done():
		return Entry{}, nil, context.Cause(ctx)
	}
	select {
	case got := <-t.result:
		return got.entry, got.problems, nil
	case <-ctx.Done():
		return Entry{}, nil, context.Cause(ctx)
	}
}

// Refresh returns once Current holds the requests that there are now.
func (s *Source) Refresh(ctx context.Context) error {
	done := make(chan struct{})
	select {
	case s.refreshes <- done:
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// tryRequest merges as if the request were there.
func tryRequest(last *Set, seen Scan, p Policy, r Request) tried {
	p.Requests = append(slices.DeleteFunc(slices.Clone(p.Requests), func(o Request) bool { return o.ID == r.ID }), r)
	next := Merge(last, seen, p)
	if i := next.items[r.ID]; i != nil && i.made != nil && i.made.document == r.manifest {
		return tried{entry: i.Entry}
	}
	var problems []Problem
	for _, bad := range next.Problems {
		if bad.Child == r.ID {
			problems = append(problems, bad)
		}
	}
	if len(problems) == 0 {
		problems = []Problem{{Child: r.ID, Reason: "it would not be in force", Hint: "reconciler get says what stands in its place, and reconciler health what is wrong with the manifests"}}
	}
	return tried{problems: problems}
}

// requestsOf are the requests in a folder. They do not count as documents: with one of
// them a directory can still be empty.
func (p *placement) requestsOf(f *folder, r *requested) (all []claimant) {
	for _, bad := range r.problems {
		p.report(bad)
	}
	for _, m := range r.manifests {
		if f.path == "" && isReserved(m.Name) {
			p.report(reserved(m))
			continue
		}
		all = append(all, claimant{key: strings.ToLower(m.Name), name: m.Name, worker: m})
	}
	return all
}

// keepRequest keeps a request that is not in force by its body now, because that is
// not known, or cannot be taken any more. One that was taken back goes at once.
func (m *merger) keepRequest(e *Entry) {
	if m.requested[e.ID] {
		m.stay(e.ID, append(slices.Clip(m.placed.named[e.ID]), m.placed.disputed[e.ID]...))
	}
}

// withoutWithdrawn is a set that is kept as it is, but for requests that were taken back.
func (m *merger) withoutWithdrawn(s *Set) {
	withdrawn := func(e Entry) bool { return e.Origin.ByRequest && !m.requested[e.ID] }
	if !slices.ContainsFunc(s.Entries, withdrawn) {
		return
	}
	s.Entries = slices.DeleteFunc(slices.Clone(s.Entries), withdrawn)
	s.items = maps.Clone(s.items)
	maps.DeleteFunc(s.items, func(_ child.ID, i *item) bool { return withdrawn(i.Entry) })
}
