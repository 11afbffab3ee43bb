package account

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"
)

// withService is filesOnly and a getent that is this script.
func withService(t *testing.T, script string) Database {
	t.Helper()
	d := filesOnly(t)
	write(t, d.Getent, "#!/bin/sh\n"+script, 0o755)
	return d
}

const directory = `case "$1 $2" in
"passwd ldap"|"passwd 5001") echo "ldap:*:5001:5000:Of LDAP:/home/ldap:/bin/bash";;
"group staff") echo "staff:*:5005:ldap";;
"initgroups ldap") echo "ldap                 5005 44";;
"initgroups app") echo "app  29 44 5005";;
*) exit 2;;
esac
`

func TestWhoIsNotInTheFilesIsAskedOfTheNameService(t *testing.T) {
	d := withService(t, directory)

	for _, name := range []string{"ldap", "5001"} {
		u, err := d.User(t.Context(), name)
		if err != nil || u.UID != 5001 || u.GID != 5000 || u.Home != "/home/ldap" {
			t.Fatalf("user %s = %+v, %v", name, u, err)
		}
		groups, err := d.Groups(t.Context(), u, u.GID)
		if diff := cmp.Diff([]uint32{44, 5000, 5005}, groups); diff != "" || err != nil {
			t.Errorf("groups of %s: %v (-want +got):\n%s", name, err, diff)
		}
	}
	if gid, err := d.Group(t.Context(), "staff"); gid != 5005 || err != nil {
		t.Errorf("group staff = %d, %v; want 5005", gid, err)
	}
	if _, err := d.User(t.Context(), "gone"); !errors.Is(err, ErrUnknown) {
		t.Errorf("user gone: %v; want unknown", err)
	}
}

// Supervisor/supervisor#1030 and #1631: groups that only SSSD knows, of a user of
// /etc/passwd.
func TestNsswitchDecidesWhoKnowsTheGroupsOfALocalUser(t *testing.T) {
	local, everywhere := []uint32{29, 44, 1002}, []uint32{29, 44, 1002, 5005}
	for text, want := range map[string][]uint32{
		"":                                     local,
		"group: files systemd":                 local,
		"group: files [SUCCESS=merge] systemd": local,
		"passwd: files sss":                    local,
		"#group: files sss":                    local,
		"group: files sss":                     everywhere,
		"group: files # sss":                   local,
		"group: files\ninitgroups: files ldap": everywhere,
		"group: files ldap\ninitgroups: files": local,
	} {
		d := withService(t, directory)
		write(t, d.SwitchFile, text+"\n", 0o644)
		app, err := d.User(t.Context(), "app")
		if err != nil {
			t.Fatal(err)
		}

		got, err := d.Groups(t.Context(), app, app.GID)

		if diff := cmp.Diff(want, got); diff != "" || err != nil {
			t.Errorf("%q: %v (-want +got):\n%s", text, err, diff)
		}
	}
}

func TestFilesOnlyAsksNobody(t *testing.T) {
	d := withService(t, "touch "+t.TempDir()+"/asked; exit 2")
	write(t, d.SwitchFile, "group: files sss\n", 0o644)
	d.FilesOnly = true

	app, err := d.User(t.Context(), "app")
	_, errGroups := d.Groups(t.Context(), app, app.GID)
	_, errUser := d.User(t.Context(), "ldap")
	_, errGroup := d.Group(t.Context(), "staff")

	if err != nil {
		t.Errorf("a user of the files: %v", err)
	}
	for _, err := range []error{errGroups, errUser, errGroup} {
		if !errors.Is(err, ErrElsewhere) {
			t.Errorf("error = %v, want that a name service must be asked", err)
		}
	}
}

func TestAnAnswerThatIsNoneIsNobody(t *testing.T) {
	for script, want := range map[string]string{
		"echo root:x:0:0:root:/root:/bin/sh": "answered with root (0)",
		"echo 'ldap:x:zero:0::/:/bin/sh'":    "no entry",
		"exit 1":                             "exit status 1",
		"kill -9 $$":                         "killed",
	} {
		u, err := withService(t, script).User(t.Context(), "ldap")
		if err == nil || errors.Is(err, ErrUnknown) || !strings.Contains(err.Error(), want) {
			t.Errorf("getent does %q: %+v, %v; want an error with %q", script, u, err, want)
		}
	}
	if u, err := withService(t, "exit 0").User(t.Context(), "ldap"); !errors.Is(err, ErrUnknown) {
		t.Errorf("an empty answer: %+v, %v; want unknown", u, err)
	}
	d := withService(t, "[ $1 = passwd ] && echo ldap:x:1:1::/:/bin/sh || exit 1")
	u, err := d.User(t.Context(), "ldap")
	if err != nil {
		t.Fatal(err)
	}
	if got, err := d.Groups(t.Context(), u, 1); err == nil {
		t.Errorf("groups = %v although the service did not say them", got)
	}
}

func TestAnAnswerThatIsTooLongIsNotKept(t *testing.T) {
	d := withService(t, "exec head -c 9999999 /dev/zero")

	u, err := d.User(t.Context(), "ldap")

	if err == nil || !strings.Contains(err.Error(), "broken pipe") {
		t.Errorf("ten million bytes: %+v, %v; want that nobody reads them to their end", u, err)
	}
}

func TestAServiceThatDoesNotAnswerIsLeftAfterAWhile(t *testing.T) {
	d := withService(t, "exec tail -f /dev/null")
	d.wait = time.Millisecond
	ctx, cancel := context.WithTimeoutCause(t.Context(), patience, errors.New("it was not left"))
	defer cancel()

	_, err := d.User(ctx, "ldap")

	if err == nil || !strings.Contains(err.Error(), "did not answer within 1ms") {
		t.Errorf("error = %v, want that it did not answer", err)
	}
}

// A getent that leaves a process behind, which holds its output open.
func TestWhoHoldsTheAnswerOpenIsLeftAfterAWhile(t *testing.T) {
	hold := t.TempDir() + "/hold"
	if err := unix.Mkfifo(hold, 0o600); err != nil {
		t.Fatal(err)
	}
	d := withService(t, "cat "+hold+" & echo ldap:x:1:1::/:/bin/sh")
	d.wait = 10 * time.Second
	done := make(chan error, 1)
	go func() {
		_, err := d.User(t.Context(), "ldap")
		done <- err
	}()
	end, err := os.OpenFile(hold, os.O_WRONLY, 0) // it is open when cat has it
	if err != nil {
		t.Fatal(err)
	}
	defer end.Close()

	select {
	case err := <-done:
		if !errors.Is(err, exec.ErrWaitDelay) {
			t.Errorf("error = %v, want that its output stays open", err)
		}
	case <-time.After(patience):
		end.Close()
		t.Errorf("it was waited for, until it ended: %v", <-done)
	}
}

// patience is how long a test waits for what must happen.
const patience = 5 * time.Second

func TestANameThatIsAnOptionIsNotAsked(t *testing.T) {
	d := withService(t, "echo \"$2:x:0:0::/:/bin/sh\"")

	for _, name := range []string{"-s", "--service=x", "a:b", "a\nb"} {
		if u, err := d.User(t.Context(), name); !errors.Is(err, ErrUnknown) {
			t.Errorf("user %q = %+v, %v; want unknown", name, u, err)
		}
	}
}

func TestAServiceThatDoesNotAnswerIsLeftWhenWeAreToldSo(t *testing.T) {
	asked := t.TempDir() + "/asked"
	if err := unix.Mkfifo(asked, 0o600); err != nil {
		t.Fatal(err)
	}
	d := withService(t, "echo > "+asked+"; exec tail -f /dev/null")
	ctx, cancel := context.WithCancelCause(t.Context())
	done := make(chan error, 1)
	go func() {
		_, err := d.User(ctx, "ldap")
		done <- err
	}()

	if _, err := os.ReadFile(asked); err != nil { // it is there when getent runs
		t.Fatal(err)
	}
	cancel(errors.New("told so"))

	if err := <-done; err == nil || !strings.Contains(err.Error(), "told so") {
		t.Errorf("error = %v, want the reason why it was left", err)
	}
}

func TestTheNameServiceSeesNothingOfOurEnvironment(t *testing.T) {
	t.Setenv("CANARY", "secret")

	u, err := withService(t, `echo "ldap:x:1:1::/home/$CANARY:/bin/sh"`).User(t.Context(), "ldap")

	if err != nil || u.Home != "/home/" {
		t.Errorf("home = %q, %v; want no canary in it", u.Home, err)
	}
}
