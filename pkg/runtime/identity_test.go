//go:build linux

package runtime

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"github.com/reconciler-dev/reconciler/internal/account"
	"github.com/reconciler-dev/reconciler/pkg/runtime/child"
	"github.com/reconciler-dev/reconciler/pkg/runtime/machine"
	"github.com/reconciler-dev/reconciler/pkg/runtime/shim"
)

// machineOf is a machine that has users and groups of its own.
func machineOf(t *testing.T, getent string) account.Database {
	t.Helper()
	dir := t.TempDir()
	db := account.Database{PasswdFile: dir + "/passwd", GroupFile: dir + "/group", SwitchFile: dir + "/nsswitch.conf", Getent: dir + "/getent"}
	files := map[string]string{
		db.PasswdFile: "root:x:0:0::/root:/bin/bash\napp:x:1001:1002::/srv/app:/bin/dash\nd:x:1005:1005::/srv/d:/usr/sbin/nologin\n",
		db.GroupFile:  "video:x:44:app\nstaff:x:50:\nappgroup:x:1002:\n",
	}
	if getent != "" {
		files[db.Getent] = "#!/bin/sh\n" + getent
	}
	for file, text := range files {
		if err := os.WriteFile(filepath.Clean(file), []byte(text), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	return db
}

func TestRootGivesAChildTheUserAndAllTheGroupsOfThatUser(t *testing.T) {
	db := machineOf(t, "")
	root := self{uid: 0, gid: 0, groups: []int{0, 1, 27}}
	for name, row := range map[string]struct {
		as   child.RunAs
		want *shim.Credential
	}{
		"a user":                          {child.RunAs{User: "app"}, &shim.Credential{UID: 1001, GID: 1002, Groups: []uint32{44, 1002}}},
		"a user by number":                {child.RunAs{User: "1001"}, &shim.Credential{UID: 1001, GID: 1002, Groups: []uint32{44, 1002}}},
		"a user and a group":              {child.RunAs{User: "app", Group: "staff"}, &shim.Credential{UID: 1001, GID: 50, Groups: []uint32{44, 50}}},
		"groups besides":                  {child.RunAs{User: "app", SupplementaryGroups: []string{"staff", "7", "video"}}, &shim.Credential{UID: 1001, GID: 1002, Groups: []uint32{7, 44, 50, 1002}}},
		"a number that nobody has":        {child.RunAs{User: "4711", Group: "4712"}, &shim.Credential{UID: 4711, GID: 4712}},
		"a group only":                    {child.RunAs{Group: "staff"}, &shim.Credential{GID: 50}},
		"root itself":                     {child.RunAs{User: "root"}, &shim.Credential{Groups: []uint32{0}}},
		"root by number, without a group": {child.RunAs{User: "0"}, &shim.Credential{Groups: []uint32{0}}},
		"nothing that concerns identity":  {child.RunAs{Umask: "0027"}, nil},
	} {
		got, err := identify(t.Context(), db, root, &row.as)

		if diff := cmp.Diff(row.want, got.credential); diff != "" || err != nil {
			t.Errorf("%s: %v (-want +got):\n%s", name, err, diff)
		}
	}
}

func TestWhoIsNotKnownIsRefusedWithTheWayOut(t *testing.T) {
	db := machineOf(t, "")
	for name, row := range map[string]struct {
		as   child.RunAs
		us   self
		want string
	}{
		"a user":                     {child.RunAs{User: "gone"}, self{}, `run_as.user: no user "gone" on this machine; make it (useradd)`},
		"a number without a group":   {child.RunAs{User: "4711"}, self{}, "has the number 4711, so nothing says which group is its own; add run_as.group"},
		"the number of nobody":       {child.RunAs{User: "4294967295", Group: "1"}, self{}, "nobody's number"},
		"a group":                    {child.RunAs{User: "app", Group: "gone"}, self{}, `run_as.group: no group "gone"`},
		"the number of no group":     {child.RunAs{User: "app", Group: "4294967295"}, self{}, "nobody's number"},
		"a supplementary group":      {child.RunAs{User: "app", SupplementaryGroups: []string{"gone"}}, self{}, `run_as.supplementary_groups: no group "gone"`},
		"another user, not root":     {child.RunAs{User: "app"}, self{uid: 1005, gid: 1005}, "only root can run a child as another user or group (uid 1001, gid 1002); the reconciler runs as uid 1005, gid 1005: run the reconciler as root, or take run_as out"},
		"another group, not root":    {child.RunAs{Group: "staff"}, self{uid: 1005, gid: 1005}, "only root can run a child as another user"},
		"a group too many, not root": {child.RunAs{User: "d", SupplementaryGroups: []string{"staff"}}, self{uid: 1005, gid: 1005}, "only root can give a child the group staff (50), which the reconciler has not: run the reconciler as root, let its user be a member"},
	} {
		got, err := identify(t.Context(), db, row.us, &row.as)

		if err == nil || !strings.Contains(err.Error(), row.want) {
			t.Errorf("%s: %+v, %v; want an error with %q", name, got.credential, err, row.want)
		}
	}
}

func TestAChildOfTheReconcilersOwnUserNeedsNoPrivileges(t *testing.T) {
	db := machineOf(t, "")
	for name, row := range map[string]struct {
		as child.RunAs
		us self
	}{
		"by name":                           {child.RunAs{User: "app"}, self{1001, 1002, nil}},
		"by number and group":               {child.RunAs{User: "1001", Group: "appgroup"}, self{1001, 1002, nil}},
		"with a group that it has":          {child.RunAs{User: "app", SupplementaryGroups: []string{"staff"}}, self{1001, 1002, []int{50}}},
		"with its own group once more":      {child.RunAs{User: "app", SupplementaryGroups: []string{"appgroup"}}, self{1001, 1002, nil}},
		"in another group (newgrp, Group=)": {child.RunAs{User: "app"}, self{1001, 50, nil}},
		"a number that nobody has":          {child.RunAs{User: "4711"}, self{4711, 0, nil}},
	} {
		got, err := identify(t.Context(), db, row.us, &row.as)

		if got.credential != nil || err != nil || !got.other {
			t.Errorf("%s: %+v, %v; want nothing to be changed, and a clean environment", name, got, err)
		}
	}
}

// rootsOwn is what stands in the environment of a reconciler that root started by
// hand, or systemd.
var rootsOwn = []string{
	"AWS_SECRET_ACCESS_KEY=canary", "SSH_AUTH_SOCK=/tmp/canary", "XDG_RUNTIME_DIR=/run/user/0", "LD_LIBRARY_PATH=/root/canary", "SUDO_USER=canary",
	"HOME=/root", "USER=root", "LOGNAME=root", "SHELL=/bin/zsh", "MAIL=/var/mail/root",
	"PATH=/opt/bin:/bin", "LANG=C.UTF-8", "LC_TIME=de_DE.UTF-8", "TZ=Europe/Berlin",
}

func TestTheEnvironmentOfAnotherUserIsClean(t *testing.T) {
	db, all := machineOf(t, ""), child.InheritEnvironment{All: true}
	ground := []string{"LANG=C.UTF-8", "LC_TIME=de_DE.UTF-8", "PATH=/opt/bin:/bin", "TZ=Europe/Berlin"}
	others := []string{"AWS_SECRET_ACCESS_KEY=canary", "LD_LIBRARY_PATH=/root/canary", "SSH_AUTH_SOCK=/tmp/canary", "SUDO_USER=canary", "XDG_RUNTIME_DIR=/run/user/0"}
	app := []string{"HOME=/srv/app", "LOGNAME=app", "SHELL=/bin/dash", "USER=app"}
	for name, row := range map[string]struct {
		spec child.Spec
		want []string
	}{
		"a user":                  {child.Spec{InheritEnvironment: all, RunAs: &child.RunAs{User: "app"}}, slices.Concat(app, ground)},
		"a user without a shell":  {child.Spec{InheritEnvironment: all, RunAs: &child.RunAs{User: "d"}}, append([]string{"HOME=/srv/d", "LOGNAME=d", "USER=d"}, ground...)},
		"a number":                {child.Spec{InheritEnvironment: all, RunAs: &child.RunAs{User: "4711", Group: "1"}}, ground},
		"everything, as said":     {child.Spec{InheritEnvironment: all, WholeEnvironment: true, RunAs: &child.RunAs{User: "app"}}, slices.Concat(app, ground, others)},
		"everything for a number": {child.Spec{InheritEnvironment: all, WholeEnvironment: true, RunAs: &child.RunAs{User: "4711", Group: "1"}}, slices.Concat(ground, others)},
		"nothing":                 {child.Spec{RunAs: &child.RunAs{User: "app"}}, append([]string{"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"}, app...)},
		"some":                    {child.Spec{InheritEnvironment: child.InheritEnvironment{Names: []string{"SUDO_USER", "HOME", "PATH"}}, RunAs: &child.RunAs{User: "app"}}, append([]string{"SUDO_USER=canary", "PATH=/opt/bin:/bin"}, app...)},
		"no other user":           {child.Spec{InheritEnvironment: all}, rootsOwn},
		"another group":           {child.Spec{InheritEnvironment: all, RunAs: &child.RunAs{Group: "staff"}}, rootsOwn},
	} {
		who, err := identify(t.Context(), db, self{}, row.spec.RunAs)
		if err != nil {
			t.Fatal(err)
		}

		got, err := Host{WorkingDir: "/", Environ: rootsOwn}.environment(startOf("x", row.spec), who)

		if diff := cmp.Diff(slices.Sorted(slices.Values(row.want)), got); diff != "" || err != nil {
			t.Errorf("%s: %v (-want +got):\n%s", name, err, diff)
		}
	}
}

func TestWhatIsForTheReconcilerAlonePassesToNobody(t *testing.T) {
	// "Environment Variables Set or Propagated by the Service Manager" of
	// systemd.exec(5), without those that are about the user, and our own.
	managers := strings.Fields(`NOTIFY_SOCKET WATCHDOG_PID WATCHDOG_USEC LISTEN_FDS LISTEN_PID LISTEN_PIDFDID LISTEN_FDNAMES FDSTORE
		MAINPID MAINPIDFDID MANAGERPID MANAGERPIDFDID SYSTEMD_EXEC_PID PIDFILE INVOCATION_ID JOURNAL_STREAM LOG_NAMESPACE
		MEMORY_PRESSURE_WATCH MEMORY_PRESSURE_WRITE CREDENTIALS_DIRECTORY RUNTIME_DIRECTORY STATE_DIRECTORY CACHE_DIRECTORY
		LOGS_DIRECTORY CONFIGURATION_DIRECTORY TRIGGER_UNIT TRIGGER_PATH TRIGGER_TIMER_REALTIME_USEC TRIGGER_TIMER_MONOTONIC_USEC
		MONITOR_SERVICE_RESULT MONITOR_EXIT_CODE MONITOR_EXIT_STATUS MONITOR_INVOCATION_ID MONITOR_UNIT
		RECONCILER_KEY RECONCILER_SECRETS RECONCILER_STATE`)
	host := Host{WorkingDir: "/", Environ: []string{"PATH=/bin", "LISTEN_ADDR=:80"}}
	for _, name := range managers {
		host.Environ = append(host.Environ, name+"=canary")
	}
	own := "of the manifest"
	for name, spec := range map[string]child.Spec{
		"everything": {InheritEnvironment: child.InheritEnvironment{All: true}},
		"by name":    {InheritEnvironment: child.InheritEnvironment{Names: append([]string{"PATH", "LISTEN_ADDR"}, managers...)}},
		"a user":     {InheritEnvironment: child.InheritEnvironment{All: true}, WholeEnvironment: true, RunAs: &child.RunAs{User: "app"}},
	} {
		for _, role := range []child.Role{child.Main, child.PreStart, child.LivenessProbe} {
			spec.Environment = []child.EnvVar{{Name: "LISTEN_FDS", Value: &own}}
			start := startOf("x", spec)
			start.Key.Role = role

			got, err := host.environment(start, identity{})

			if diff := cmp.Diff([]string{"LISTEN_ADDR=:80", "LISTEN_FDS=" + own, "PATH=/bin"}, got); diff != "" || err != nil {
				t.Errorf("%s, %q: %v (-want +got):\n%s", name, role, err, diff)
			}
		}
	}
}

// A server of LDAP that does not answer holds up the starts of its own users only.
func TestASlowNameServiceHoldsUpNobodyElse(t *testing.T) {
	asked := filepath.Join(t.TempDir(), "asked")
	if err := unix.Mkfifo(asked, 0o600); err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	p := &ShimProcesses{
		host:   Host{WorkingDir: dir, Environ: os.Environ(), accounts: machineOf(t, "echo > "+asked+"; exec tail -f /dev/null")},
		events: make(chan machine.Event), kick: make(chan struct{}, 1),
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() { defer close(ended); p.resolve(ctx) }()

	p.Start(startOf("ldap", child.Spec{RunAs: &child.RunAs{User: "of-ldap"}}))
	if _, err := os.ReadFile(asked); err != nil { // it is there when getent was started
		t.Fatal(err)
	}
	p.Start(startOf("other", child.Spec{WorkingDir: "gone"}))

	failed, ok := (<-p.events).(machine.StartFailed)
	if !ok || failed.Key.ID != "other" {
		t.Errorf("first event = %+v, want the failed start of the other child", failed)
	}
	cancel()
	<-ended
}
