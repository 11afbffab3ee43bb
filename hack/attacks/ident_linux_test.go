package attacks

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
)

// tellSelf prints what a process was given: its environment, and who it is.
var tellSelf = attack("tell-self", func([]string) error {
	fmt.Println(strings.Join(os.Environ(), "\n"))
	state, err := os.ReadFile("/proc/self/status")
	for line := range strings.Lines(string(state)) {
		if slices.Contains([]string{"Uid:", "Gid:", "Groups:"}, strings.SplitAfter(line, ":")[0]) {
			fmt.Println(strings.Join(strings.Fields(line), " "))
		}
	}
	return err
})

// ofRoot is what must not reach a child of another user: what root has for itself,
// and what a service manager has told the reconciler.
var ofRoot = []string{
	"AWS_SECRET_ACCESS_KEY=canary", "SSH_AUTH_SOCK=/tmp/canary", "XDG_RUNTIME_DIR=/run/user/0/canary", "LD_LIBRARY_PATH=/root/canary",
	"SHELL=/canary", "MAIL=/var/mail/canary", "CREDENTIALS_DIRECTORY=/canary", "INVOCATION_ID=canary", "LISTEN_FDNAMES=canary",
	"JOURNAL_STREAM=canary", "RECONCILER_CANARY=canary",
}

func TestAChildOfNobodySeesNothingOfRootsEnvironment(t *testing.T) {
	h := newHouse(t)
	h.manifest("web", fmt.Sprintf(`name: web
command: [%s]
restart_policy: temporary
run_as: {user: nobody}
environment: [{name: %s, value: %s}]
hooks: {pre_start: [[sh, -c, "echo the hook; env"]]}
`, quoted(attacker()), attackVariable, tellSelf))
	h.daemonIn(ofRoot)

	got := h.childResult("web")

	if !strings.Contains(got.Out, "the hook") || !strings.Contains(got.Out, "Uid: 65534 65534") {
		t.Fatalf("the child and its hook did not tell: %+v", got)
	}
	if strings.Contains(got.Out, "canary") || strings.Contains(got.Out, "=/root") || strings.Contains(got.Out, "=root") {
		t.Errorf("a child of nobody, or its hook, was given something of root's:\n%s", got.Out)
	}
}

func TestWhatAManagerToldTheReconcilerIsToldToNoChild(t *testing.T) {
	h := newHouse(t)
	h.manifest("web", fmt.Sprintf(`name: web
command: [%s]
restart_policy: temporary
inherit_environment: [AWS_SECRET_ACCESS_KEY, CREDENTIALS_DIRECTORY, INVOCATION_ID, LISTEN_FDNAMES, JOURNAL_STREAM, RECONCILER_CANARY]
environment: [{name: %s, value: %s}]
`, quoted(attacker()), attackVariable, tellSelf))
	h.daemonIn(ofRoot)

	got := h.childResult("web")

	if n := strings.Count(got.Out, "canary"); n != 1 || !strings.Contains(got.Out, "AWS_SECRET_ACCESS_KEY=canary") {
		t.Errorf("a child of root that asks for everything was given, want only the key:\n%s", got.Out)
	}
}

func TestAChildOfANumberGetsNoGroupOfRootOrByChance(t *testing.T) {
	h := newHouse(t)
	with := "command: [%s]\nrestart_policy: temporary\nenvironment: [{name: %s, value: %s}]\nrun_as: "
	with = fmt.Sprintf(with, quoted(attacker()), attackVariable, tellSelf)
	h.manifest("alone", "name: alone\n"+with+"{user: 4000000001}\n")
	h.manifest("grouped", "name: grouped\n"+with+"{user: 4000000001, group: 4000000002}\n")
	h.manifest("named", "name: named\n"+with+"{user: nobody, group: 4000000002}\n")
	h.manifest("minus", "name: minus\ncommand: [sh, -c, "+quoted(h.payload())+"]\nrun_as: {user: 4294967295, group: 4294967295}\n")
	h.daemon()

	grouped, named := h.childResult("grouped"), h.childResult("named")
	waitFor(t, func() string {
		if reason := h.field("alone", "last_exit.reason"); !strings.Contains(reason, "add run_as.group") {
			return fmt.Sprintf("a number without a group: %q, want a refusal that says what to add", reason)
		}
		return ""
	})

	if !strings.Contains(grouped.Out, "Uid: 4000000001 ") || !strings.Contains(grouped.Out, "Gid: 4000000002 4000000002") || !strings.Contains(grouped.Out, "Groups:\n") {
		t.Errorf("a number and a group: %+v, want these and no other group", grouped)
	}
	if !strings.Contains(named.Out, "Groups: 4000000002\n") {
		t.Errorf("a user and a group: %+v, want this group only", named)
	}
	h.manifest("seen", "name: seen\ncommand: [sleep, \"1000\"]\nrun_as: {user: 4000000001, group: 4000000002}\n")
	h.running("seen")
	if got := h.reconciler("describe", "seen"); !strings.Contains(got.Out, "uid 4000000001, gid 4000000002\n") {
		t.Errorf("describe does not say whom a child runs as: %+v", got)
	}
	if out := h.reconciler("logs", "alone").Out; strings.Contains(out, "Uid:") {
		t.Errorf("a number without a group ran:\n%s", out)
	}
	if phase := h.field("minus", "phase"); phase != "" {
		t.Errorf("a child of the number of nobody is %s, want no such child", phase)
	}
	h.notAsRoot()
}
