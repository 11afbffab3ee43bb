package cli

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/emicklei/dot"

	"github.com/reconciler-dev/reconciler/internal/harmless"
	"github.com/reconciler-dev/reconciler/pkg/runtime/child"
	"github.com/reconciler-dev/reconciler/pkg/status"
)

// graph draws who depends on whom, how long each one waited and took, and the
// critical path: the chain that the last one waited for.
type graph struct {
	byID map[child.ID]*status.Child
	now  time.Time
}

// writeGraph writes the children in the folder top, and what they depend on, in
// the language of Graphviz.
func (x *explainer) writeGraph(top child.ID, out io.Writer) error {
	g := graph{byID: x.byID, now: x.now}
	var shown []*status.Child
	for _, c := range x.byID {
		inside := top == child.RootSupervisor || c.ID == top || strings.HasPrefix(string(c.ID), string(top)+"/")
		if c.Kind != child.Supervisor && inside {
			shown = append(shown, c)
		}
	}
	slices.SortFunc(shown, func(a, b *status.Child) int { return cmp.Compare(a.ID, b.ID) })
	return write(out, g.draw(shown)+"\n")
}

func (g graph) draw(shown []*status.Child) string {
	d := dot.NewGraph(dot.Directed)
	d.Attr("rankdir", "RL")
	path := g.criticalPath(shown)
	if len(path) > 1 {
		names := make([]string, len(path))
		for i, id := range path {
			names[i] = string(id)
		}
		slices.Reverse(names)
		d.Attr("label", "critical path: "+strings.Join(names, ", "))
	}
	for _, c := range shown {
		from := d.Node(string(c.ID)).Attr("shape", "box").Attr("label", g.label(c))
		if slices.Contains(path, c.ID) {
			from.Attr("style", "bold")
		}
		for _, on := range c.Dependencies {
			edge := d.Edge(from, g.node(d, on.ID), edgeText(on))
			if i := slices.Index(path, c.ID); i >= 0 && i+1 < len(path) && path[i+1] == on.ID {
				edge.Attr("style", "bold")
			}
		}
	}
	return d.String()
}

// node is the node of a dependency, which may be outside of what is shown, or
// nowhere.
func (g graph) node(d *dot.Graph, id child.ID) dot.Node {
	n := d.Node(string(id)).Attr("shape", "box")
	if c := g.byID[id]; c != nil {
		return n.Attr("label", g.label(c))
	}
	return n.Attr("label", string(id)+"\nnot there").Attr("style", "dashed")
}

func edgeText(d status.Dependency) string {
	if d.Restart {
		return string(d.Condition) + ", restart"
	}
	return string(d.Condition)
}

// label says what a child is, how long it waited for its start, and how long it
// took to become ready.
func (g graph) label(c *status.Child) string {
	lines := []string{string(c.ID), harmless.Text(string(c.Phase))}
	switch {
	case c.PendingSince != nil:
		lines = append(lines, "waits for "+humanDuration(g.now.Sub(*c.PendingSince)))
	case c.Attempt > 0:
		lines = append(lines, "waited "+short(c.Waited.Duration()))
	}
	if c.ReadyAt != nil && c.StartedAt != nil {
		lines = append(lines, "ready after "+short(c.ReadyAt.Sub(*c.StartedAt)))
	}
	return strings.Join(lines, "\n")
}

func short(d time.Duration) string { return fmt.Sprintf("%.3gs", max(d, 0).Seconds()) }

// criticalPath begins with the child that was ready last, or is not ready yet, and
// goes on with the dependency that it waited for longest. Children outside of what
// is shown may be on it.
func (g graph) criticalPath(shown []*status.Child) (path []child.ID) {
	var last *status.Child
	for _, c := range shown {
		if last == nil || g.readyAt(c).After(g.readyAt(last)) {
			last = c
		}
	}
	for c := last; c != nil && !slices.Contains(path, c.ID); {
		path = append(path, c.ID)
		var next *status.Child
		for _, d := range c.Dependencies {
			if on := g.byID[d.ID]; on != nil && (next == nil || g.readyAt(on).After(g.readyAt(next))) {
				next = on
			}
		}
		c = next
	}
	return path
}

// readyAt is when others could go on because of a child: when it was ready, or
// had ended well. One that is not so far comes after all that
// are, and the longer it has waited the later.
func (g graph) readyAt(c *status.Child) time.Time {
	switch {
	case c.ReadyAt != nil:
		return *c.ReadyAt
	case c.Phase == child.Completed && c.LastExit != nil && c.LastExit.FinishedAt != nil:
		return *c.LastExit.FinishedAt
	case c.Phase == child.Stopped:
		return time.Time{}
	}
	if c.PendingSince != nil {
		return g.now.Add(g.now.Sub(*c.PendingSince))
	}
	return g.now
}
