package cli

import (
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/reconciler-dev/reconciler/pkg/runtime/child"
	"github.com/reconciler-dev/reconciler/pkg/status"
)

const treeExamples = `  # The whole tree: folders are supervisors
  reconciler tree

  # One folder
  reconciler tree payments

  # What depends on what, and what did the start of it all wait for longest?
  reconciler tree --graph | dot -Tsvg > graph.svg

  # Which supervisors have which strategy?
  reconciler tree -o json | jq -r '.. | objects | select(.strategy) | [.child_id, .strategy] | @tsv'`

func (a *app) treeCommand() *cobra.Command {
	var output string
	var noHeaders, graph bool
	cmd := &cobra.Command{
		Use:   "tree [FOLDER]",
		Short: "Show supervisors and their children as a tree",
		Long: `Show supervisors, which are folders, and their children as a tree: of a supervisor
its strategy and restart limit, of a child that is not well why not.`,
		Example:           treeExamples,
		Args:              args(cobra.MaximumNArgs(1)),
		ValidArgsFunction: a.completeOneChild,
		RunE: func(cmd *cobra.Command, names []string) error {
			if err := oneOf("output", output, "table", "json"); err != nil {
				return err
			}
			r, err := a.warnIfDead(cmd.ErrOrStderr())
			if err != nil {
				return err
			}
			top := string(child.RootSupervisor)
			if len(names) == 1 {
				top = names[0]
			}
			if graph {
				output = "graph"
			}
			return a.tree(top, r, output, noHeaders, cmd.OutOrStdout())
		},
	}
	cmd.Flags().StringVarP(&output, "output", "o", "table", "table or json")
	cmd.Flags().BoolVar(&noHeaders, "no-headers", false, "print no line of headers")
	cmd.Flags().BoolVar(&graph, "graph", false, "print who depends on whom, in the language of Graphviz: how long each waited, and the critical path in bold")
	cmd.MarkFlagsMutuallyExclusive("graph", "output")
	completeValues(cmd, "output", "table", "json")
	return cmd
}

func (a *app) tree(top string, runtime *status.Runtime, output string, noHeaders bool, out io.Writer) error {
	all, err := status.ReadAll(a.Status)
	if err != nil {
		return err
	}
	x := newExplainer(all, runtime, a.Now())
	id, err := child.ParseID(top)
	if _, known := x.byID[id]; err != nil || !known {
		return a.noSuchChild(top)
	}
	if output == "graph" {
		return x.writeGraph(id, out)
	}
	root := x.node(id, byFolder(all))
	if output == "json" {
		return writeJSON(out, root)
	}
	var rows [][]string
	if !noHeaders {
		rows = [][]string{{"NAME", "READY", "PHASE", "RESTARTS", "WHY"}}
	}
	t := a.newTable(out)
	return t.print(root.rows(rows, string(root.ID), ""))
}

// byFolder are the children of each supervisor, in the order of all.
func byFolder(all []*status.Child) map[child.ID][]*status.Child {
	members := map[child.ID][]*status.Child{}
	for _, c := range all {
		members[folderOf(c.ID)] = append(members[folderOf(c.ID)], c)
	}
	return members
}

// node is one child in the tree.
type node struct {
	ID           child.ID               `json:"child_id"`
	Kind         child.Kind             `json:"kind"`
	Phase        child.Phase            `json:"phase"`
	Ready        bool                   `json:"ready"`
	RestartCount uint64                 `json:"restart_count"`
	Strategy     child.Strategy         `json:"strategy,omitempty"`
	RestartLimit *child.RestartLimitUse `json:"restart_limit,omitempty"`
	Why          []string               `json:"why,omitempty"`
	Children     []*node                `json:"children,omitempty"`
}

func (x *explainer) node(id child.ID, members map[child.ID][]*status.Child) *node {
	c := x.byID[id]
	n := &node{ID: id, Kind: c.Kind, Phase: c.Phase, Ready: c.Ready(), RestartCount: c.RestartCount,
		Strategy: c.Strategy, RestartLimit: c.RestartLimit, Why: why(c, x.runtime.State, x.now)}
	for _, m := range members[id] {
		n.Children = append(n.Children, x.node(m.ID, members))
	}
	return n
}

// rows adds a line for n and for each one below it. branch stands before the
// name, below before those of its children.
func (n *node) rows(rows [][]string, name, below string) [][]string {
	restarts := strconv.FormatUint(n.RestartCount, 10)
	if n.Kind == child.Supervisor {
		restarts = "-"
	}
	ready := "False"
	if n.Ready {
		ready = "True"
	}
	rows = append(rows, []string{name, ready, string(n.Phase), restarts, n.remark()})
	for i, c := range n.Children {
		branch, next := "├─ ", "│  "
		if i == len(n.Children)-1 {
			branch, next = "└─ ", "   "
		}
		rows = c.rows(rows, below+branch+c.ID.Name(), below+next)
	}
	return rows
}

// remark is what the last column says: a supervisor's rules, and the first reason.
func (n *node) remark() string {
	var parts []string
	if n.Kind == child.Supervisor {
		rules := string(n.Strategy)
		if l := n.RestartLimit; l != nil {
			rules += fmt.Sprintf(", %d of %d restarts used in %s", l.Used, l.Limit, humanDuration(l.Window.Duration()))
		}
		parts = append(parts, rules)
	}
	if len(n.Why) > 0 {
		parts = append(parts, n.Why[0])
	}
	return strings.Join(parts, "; ")
}
