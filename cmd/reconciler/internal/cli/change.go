package cli

import (
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/reconciler-dev/reconciler/pkg/desired"
	"github.com/reconciler-dev/reconciler/pkg/reconcile"
	"github.com/reconciler-dev/reconciler/pkg/runtime/child"
)

// effect is what an action does to the processes of a child that runs.
type effect string

const (
	effectStart   effect = "start"
	effectStop    effect = "stop"
	effectRestart effect = "restart"
	effectReload  effect = "reload"
	effectLive    effect = "live"    // it is told nothing and runs on under the new rules
	effectNothing effect = "nothing" // no field differs
)

// change is an action of a plan, with what it means and where it was written.
type change struct {
	reconcile.Action
	Effect effect `json:"effect"`
	File   string `json:"file"`           // that an editor can open from here; "" for a folder without a manifest
	Line   int    `json:"line,omitempty"` // of the first field that differs; 0 where it is not known
}

// changes gives every action of the plan that makes set of have its effect, and
// its place in the manifests of dir, which set was read from.
func changes(set *desired.Set, have []*child.Snapshot, dir string) []change {
	folders := map[child.ID]bool{}
	for _, s := range have {
		folders[s.ID] = s.Spec.Kind == child.Supervisor
	}
	all := []change{}
	for _, a := range reconcile.Plan(set, have) {
		c := change{Action: a, Effect: effectOf(a, folders[a.ID])}
		c.File, c.Line = place(a, set)
		if c.File != "" {
			c.File = locate(dir, c.File)
		}
		all = append(all, c)
	}
	return all
}

func effectOf(a reconcile.Action, wasFolder bool) effect {
	switch {
	case a.Verb == reconcile.Add && (a.Spec.Suspend || a.Spec.Kind == child.Supervisor), a.Verb == reconcile.Remove && wasFolder:
		return effectNothing // a folder has no process
	case a.Verb == reconcile.Add:
		return effectStart
	case a.Verb == reconcile.Remove:
		return effectStop
	case a.Verb == reconcile.Replace:
		return effectRestart
	case len(a.Why) == 0:
		return effectNothing
	}
	for _, d := range a.Why {
		if d.Class == reconcile.ClassReload {
			return effectReload
		}
	}
	return effectLive
}

// place is where the first field that differs was written, else where the
// manifest begins. What a folder's defaults say stands in the folder's manifest.
func place(a reconcile.Action, set *desired.Set) (file string, line int) {
	if a.Verb == reconcile.Remove {
		return a.Origin.File, 0
	}
	written := set.Explain(a.ID, nil)
	for _, d := range a.Why {
		field := explainedName(d.Field, a.Spec)
		for _, o := range written {
			if o.Line > 0 && (o.Field == field || strings.HasPrefix(o.Field, field+".") || strings.HasPrefix(field, o.Field+".") || strings.HasPrefix(field, o.Field+"[")) {
				return o.File, o.Line
			}
		}
	}
	for _, o := range written {
		if o.File == a.Origin.File && o.Line > 0 && (line == 0 || o.Line < line) {
			line = o.Line
		}
	}
	if line == 0 && a.Origin.Document == 1 {
		line = 1 // a name alone
	}
	return a.Origin.File, line
}

// explainedName is the path of a difference as desired.FieldOrigin calls it:
// "environment[1].value" is "environment[MODE]" there.
func explainedName(field string, s *child.Spec) string {
	list, rest, _ := strings.Cut(field, "[")
	index, _, _ := strings.Cut(rest, "]")
	i, err := strconv.Atoi(index)
	switch {
	case err != nil:
	case list == "environment" && i < len(s.Environment):
		return "environment[" + s.Environment[i].Name + "]"
	case list == "secrets" && i < len(s.Secrets):
		return "secrets[" + s.Secrets[i].Name + "]"
	}
	return field
}

// printChanges prints a plan for people: what changes, field by field, and what
// that does to what runs.
func printChanges(all []change, out io.Writer) error {
	for _, c := range all {
		if err := tell(out, "%s", c.headline()); err != nil {
			return err
		}
		for _, d := range c.Why {
			if err := tell(out, "    %s", d); err != nil {
				return err
			}
		}
	}
	return nil
}

// headline is the action on one line; an update says what becomes of the process.
func (c change) headline() string {
	switch {
	case c.Verb != reconcile.Update:
		return c.String()
	case c.Effect == effectNothing:
		return c.String() + " (nothing happens to what runs)"
	}
	return fmt.Sprintf("%s (%s: no restart)", c.String(), c.Effect)
}

// summary is the whole plan in one line, "" for an empty one: "1 starts, 2 restart".
func summary(all []change) string {
	n := map[effect]int{}
	for _, c := range all {
		n[c.Effect]++
	}
	var parts []string
	for _, e := range []struct {
		effect    effect
		one, many string
	}{
		{effectStart, "starts", "start"}, {effectStop, "stops", "stop"}, {effectRestart, "restarts", "restart"},
		{effectReload, "reloads", "reload"}, {effectLive, "changes while it runs", "change while they run"},
		{effectNothing, "is not touched", "are not touched"},
	} {
		switch n[e.effect] {
		case 0:
		case 1:
			parts = append(parts, "1 "+e.one)
		default:
			parts = append(parts, fmt.Sprintf("%d %s", n[e.effect], e.many))
		}
	}
	return strings.Join(parts, ", ")
}
