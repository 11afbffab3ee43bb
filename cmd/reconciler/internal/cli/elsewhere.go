package cli

import "slices"

// elsewhere are verbs of kubectl, systemctl, docker and supervisorctl that are
// called otherwise here, and what to do instead.
var elsewhere = []struct {
	verbs   []string
	instead string
}{
	{[]string{"ps", "ls", "list", "status", "show", "list-units", "is-active", "avail"}, "`reconciler get` shows the children, `reconciler describe CHILD` one of them"},
	{[]string{"inspect", "explain", "cat"}, "`reconciler describe CHILD` tells all of a child, `reconciler schema` the fields of a manifest"},
	{[]string{"apply", "create", "add", "new", "enable"}, "put a manifest into the manifests directory: its child starts; `reconciler diff` tells what it would do"},
	{[]string{"edit", "set", "patch", "replace", "scale", "update"}, "edit the manifest: the change is followed; `reconciler diff` tells what it would do"},
	{[]string{"delete", "rm", "destroy", "disable", "uninstall"}, "remove the manifest: its child stops; `reconciler remove CHILD` is for those without one"},
	{[]string{"stop", "suspend", "mask", "freeze"}, "`reconciler pause CHILD` stops a child and keeps it stopped, `reconciler shutdown` stops all and ends the reconciler"},
	{[]string{"start", "unpause", "unmask", "thaw", "continue"}, "`reconciler resume CHILD` starts a child that was paused, `reconciler run` the reconciler"},
	{[]string{"up", "daemon", "serve", "server", "supervise"}, "`reconciler run` starts the reconciler and the children"},
	{[]string{"down", "exit", "quit", "halt"}, "`reconciler shutdown` stops the children and ends the reconciler"},
	{[]string{"rollout", "try-restart"}, "`reconciler restart CHILD` restarts a child, `reconciler wait CHILD` waits until it is ready"},
	{[]string{"kill"}, "`reconciler signal CHILD --signal NAME` sends a signal, `reconciler restart CHILD` restarts a child"},
	{[]string{"reload", "daemon-reload", "reread", "sync", "refresh"}, "`reconciler reconcile` looks at the manifests now, `reconciler signal CHILD --signal HUP` tells a child to reload"},
	{[]string{"stats", "usage"}, "`reconciler top` shows what the children use"},
	{[]string{"tail", "journal"}, "`reconciler logs CHILD -f` prints the output of a child, `reconciler events` what happened"},
	{[]string{"check", "lint", "verify", "test"}, "`reconciler validate` lists the problems of manifests, `reconciler health` tells whether all is well"},
	{[]string{"doctor", "ping"}, "`reconciler health` tells whether all is well, `reconciler why CHILD` what is the matter"},
	{[]string{"convert"}, "`reconciler import FORMAT FILE` makes manifests of another supervisor's files"},
}

// insteadOf is what to do instead of a verb that is known elsewhere; "" for others.
func insteadOf(verb string) string {
	for _, e := range elsewhere {
		if slices.Contains(e.verbs, verb) {
			return e.instead
		}
	}
	return ""
}
