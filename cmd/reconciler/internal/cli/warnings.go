package cli

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/reconciler-dev/reconciler/internal/account"
	"github.com/reconciler-dev/reconciler/pkg/desired"
	"github.com/reconciler-dev/reconciler/pkg/runtime/child"
)

// finding is a problem or a warning as programs read it.
type finding struct {
	desired.Problem
	Severity string `json:"severity,omitempty"` // "warning", or nothing
}

// level is what code hosts call it.
func (f finding) level() string {
	if f.Severity != "" {
		return f.Severity
	}
	return "error"
}

func findings(problems, warnings []desired.Problem) []finding {
	all := make([]finding, 0, len(problems)+len(warnings))
	for _, p := range problems {
		all = append(all, finding{Problem: p})
	}
	for _, w := range warnings {
		all = append(all, finding{w, "warning"})
	}
	return all
}

// warner looks for what is no mistake of a manifest, and will not do here: users
// and groups that this machine does not know, and variables that never pass. The
// manifest may be for another machine.
type warner struct {
	accounts account.Database
	known    map[string]string // of what was looked up, why it will not do; "": it will
	seen     map[desired.Problem]bool
	found    []desired.Problem
}

// warnings are those of a set, each once, wherever it was inherited from.
func warnings(ctx context.Context, set *desired.Set, accounts account.Database) []desired.Problem {
	w := warner{accounts: accounts, known: map[string]string{}, seen: map[desired.Problem]bool{}}
	for _, e := range set.Entries {
		w.environment(set, e)
		if as := e.Spec.RunAs; as != nil {
			w.identity(ctx, set, e, as)
		}
	}
	return w.found
}

func (w *warner) identity(ctx context.Context, set *desired.Set, e desired.Entry, as *child.RunAs) {
	if as.User != "" {
		hint := "make it (useradd), name another one, or run there where it is known"
		reason := w.lookUp(ctx, "user", as.User)
		if account.IsNumber(as.User) {
			hint = "add run_as.group"
			if as.Group != "" {
				reason = "" // all that a start needs to know is there
			}
		}
		w.add(set, e, "run_as.user", reason, hint)
	}
	hint := "make it (groupadd), name another one, or run there where it is known"
	if as.Group != "" {
		w.add(set, e, "run_as.group", w.lookUp(ctx, "group", as.Group), hint)
	}
	for _, name := range as.SupplementaryGroups {
		w.add(set, e, "run_as.supplementary_groups", w.lookUp(ctx, "group", name), hint)
	}
}

// lookUp says why a user or a group will not do here; "" if it will. Once a name
// service did not answer, nobody is asked again.
func (w *warner) lookUp(ctx context.Context, kind, name string) string {
	key := kind + " " + name
	if reason, ok := w.known[key]; ok {
		return reason
	}
	var err error
	if kind == "user" {
		_, err = w.accounts.User(ctx, name)
	} else {
		_, err = w.accounts.Group(ctx, name)
	}
	reason := ""
	switch {
	case errors.Is(err, account.ErrUnknown) && account.IsNumber(name):
		reason = fmt.Sprintf("this machine knows no %s with the number %s, so nothing says which group is its own", kind, name)
	case errors.Is(err, account.ErrUnknown):
		reason = fmt.Sprintf("this machine knows no %s %q", kind, name)
	case errors.Is(err, account.ErrElsewhere): // it was said once
	case err != nil:
		reason = fmt.Sprintf("the %s %q cannot be looked up: %v", kind, name, err)
		w.accounts.FilesOnly = true
	}
	w.known[key] = reason
	return reason
}

func (w *warner) environment(set *desired.Set, e desired.Entry) {
	for _, name := range e.Spec.InheritEnvironment.Names {
		if child.OfManager(name) {
			w.add(set, e, "inherit_environment", name+" is for the reconciler alone, and passes to no child", "remove it, or give the child one of its own under environment")
		}
	}
}

func (w *warner) add(set *desired.Set, e desired.Entry, field, reason, hint string) {
	if reason == "" {
		return
	}
	p := desired.Problem{File: e.Origin.File, Field: field, Reason: reason, Hint: hint}
	for _, o := range set.Explain(e.ID, nil) {
		if o.Field == field && o.File != "" {
			p.File, p.Line, p.Column = o.File, o.Line, o.Column
		}
	}
	if !w.seen[p] {
		w.seen[p] = true
		w.found = append(w.found, p)
	}
}

// warningText is a warning on one line, as compilers write it.
func warningText(p desired.Problem) string {
	place := desired.Problem{File: p.File, Line: p.Line, Column: p.Column}.String()
	return strings.TrimSuffix(place, " ") + " warning: " + problemText(p)
}
