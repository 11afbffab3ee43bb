package shim

import (
	"fmt"
	"os"
	"os/signal"
	"runtime"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/reconciler-dev/reconciler/pkg/runtime/child"
)

// asDirty as the first argument has this binary spoil all that a process inherits,
// and then become the program that the others name.
const asDirty = "as-dirty"

func playDirty(argv []string) int {
	runtime.LockOSThread() // the mask and nice of this thread survive exec
	signal.Ignore(unix.SIGHUP, unix.SIGINT, unix.SIGTERM, unix.SIGUSR2, unix.SIGTSTP, unix.SIGCONT, unix.SIGTTIN, unix.SIGTTOU, unix.Signal(40))
	blocked := unix.Sigset_t{}
	blocked.Val[0] = ^blocked.Val[0]
	for _, err := range []error{
		unix.PthreadSigmask(unix.SIG_SETMASK, &blocked, nil),
		unix.SchedSetAttr(0, &unix.SchedAttr{Size: unix.SizeofSchedAttr, Policy: unix.SCHED_BATCH, Nice: 7}, 0),
		idleDisk(),
		os.WriteFile("/proc/self/oom_score_adj", []byte("321"), 0),
		unix.Setrlimit(unix.RLIMIT_CORE, &unix.Rlimit{Cur: 1 << 20, Max: 1 << 20}),
		unix.Setrlimit(unix.RLIMIT_NOFILE, &unix.Rlimit{Cur: 123, Max: 456}),
		unix.Dup2(0, 9),
		os.Chdir("/tmp"),
	} {
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
	}
	unix.Umask(0)
	fmt.Fprintln(os.Stderr, unix.Exec(argv[0], argv, os.Environ()))
	return 1
}

// idleDisk is "ionice -c idle" for the calling thread.
func idleDisk() error {
	const whoProcess, classIdle, classShift = 1, 3, 13
	if _, _, e := unix.RawSyscall(unix.SYS_IOPRIO_SET, whoProcess, 0, classIdle<<classShift); e != 0 {
		return e
	}
	return nil
}

// newDirtyBench is newBench with a shim that begins with all of this.
func newDirtyBench(t *testing.T, cgroup string) *bench {
	if os.Getuid() != 0 {
		t.Skip("only root may lower what was raised")
	}
	b := &bench{TB: t, dir: t.TempDir(), cgroup: cgroup, dirty: true}
	b.connect()
	t.Cleanup(b.tearDown)
	return b
}

// inventory prints what a process begins with, in one line.
const inventory = `cd /proc/$$ && status=$(grep -E '^(Umask|SigBlk|SigIgn):' status | tr -d '\t' | tr '\n' ' ') &&
set -- $(cat stat) &&
printf %s "${status}own_session=$(test $6 = $$ && echo yes) nice=${19} policy=${41} idle_disk=$(ionice -p $$ | grep -c idle) oom=$(cat oom_score_adj) core=$(ulimit -Sc) of $(ulimit -Hc) files=$(ulimit -Sn) of $(ulimit -Hn) fds=" && ls -m fd && :` // no pipe and no exec: the shell would have a descriptor more

const cleanInventory = "Umask:0022 SigBlk:0000000000000000 SigIgn:0000000000000000 " +
	"own_session=yes nice=0 policy=0 idle_disk=0 oom=0 core=0 of 2048 files=123 of 456 fds=0, 1, 2"

func TestEveryStartBeginsCleanWhateverTheShimInherited(t *testing.T) {
	for _, cgroup := range []string{"", nowhere} {
		b := newDirtyBench(t, cgroup)
		for _, role := range []child.Role{child.Main, child.PreStart, child.LivenessProbe} {
			k := key("web", 0)
			k.Role = role
			l := b.launch(k, exitWith, 0)
			l.Path, l.Args = "/bin/sh", []string{"sh", "-c", inventory}

			b.client.Start(l)
			r := b.exited(k)

			got := strings.TrimSpace(b.output(k))
			if role != child.Main {
				got = strings.TrimSpace(strings.Join(r.Tail, "\n"))
			}
			if got != cleanInventory {
				t.Errorf("role %q, cgroup %q: it begins with\n%s, want\n%s", role, cgroup, got, cleanInventory)
			}
			b.client.Ack(k)
		}
	}
}

func TestAShimLetsGoOfWhatItInheritedAndKeepsItsShelter(t *testing.T) {
	b := newDirtyBench(t, "")
	k := key("web", 0)
	b.run(k, stay)
	pid := b.list.Shim.PID

	adjust, err := os.ReadFile(fmt.Sprintf("/proc/%d/oom_score_adj", pid))
	if err != nil {
		t.Fatal(err)
	}
	dir, err := os.Readlink(fmt.Sprintf("/proc/%d/cwd", pid))
	if err != nil {
		t.Fatal(err)
	}
	_, inherited := os.Lstat(fmt.Sprintf("/proc/%d/fd/9", pid))
	target, _ := os.Readlink(fmt.Sprintf("/proc/%d/fd/9", pid))

	if strings.TrimSpace(string(adjust)) != "321" || dir != "/" {
		t.Errorf("oom_score_adj %s, directory %s; want its own 321, and /", adjust, dir)
	}
	if inherited == nil && target == "/dev/null" {
		t.Error("it holds the descriptor that it inherited")
	}
	b.client.Signal(k, "SIGKILL", true)
	b.exited(k)
	b.client.Ack(k)
}

func TestASignalThatTheReconcilerInheritedAsBlockedReachesAChild(t *testing.T) {
	b := newDirtyBench(t, "")
	k := key("web", 0)
	l := b.launch(k, exitWith, 0)
	l.Path, l.Args = "/bin/sleep", []string{"sleep", "1000"} // a shell unblocks signals by itself
	b.client.Start(l)
	b.started(k)

	b.client.Signal(k, "SIGUSR2", true)
	r := b.exited(k)

	if r.Signal != "SIGUSR2" {
		t.Errorf("report = %+v, want it ended by SIGUSR2", r)
	}
	b.client.Ack(k)
}

func TestAChildOfAnotherUserHasNoKeysOfTheReconcilersSession(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("only root can change the user")
	}
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	if _, err := unix.KeyctlInt(unix.KEYCTL_JOIN_SESSION_KEYRING, 0, 0, 0, 0); err != nil {
		t.Skipf("no keyrings here: %v", err)
	}
	if _, err := unix.AddKey("user", "canary", []byte("secret"), unix.KEY_SPEC_SESSION_KEYRING); err != nil {
		t.Skipf("no keys here: %v", err)
	}
	null, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	defer null.Close()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		who  *Credential
		want int
	}{{nil, 0}, {&Credential{UID: 65534, GID: 65534}, 1}} {
		p, err := spawn(Launch{Path: "/proc/self/exe", Args: []string{self, asChild, hasCanary}, Dir: "/", Credential: c.who, Env: []string{raceEnv}},
			[]uintptr{null.Fd(), null.Fd(), 2}, -1)
		if err != nil {
			t.Fatal(err)
		}

		var info unix.Siginfo
		err = unix.Waitid(unix.P_PIDFD, p.fd, &info, unix.WEXITED, nil)

		if _, how := statusOf(&info); err != nil || how.code != c.want {
			t.Errorf("as %+v: %+v, %v; want the code %d", c.who, how, err, c.want)
		}
		p.close()
	}
	used.roles = append(used.roles, hasCanary)
}

var hasCanary = role("has-canary", func([]string) int {
	if _, err := unix.KeyctlSearch(unix.KEY_SPEC_SESSION_KEYRING, "user", "canary", 0); err != nil {
		return 1
	}
	return 0
})
