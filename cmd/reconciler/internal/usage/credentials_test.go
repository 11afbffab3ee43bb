package usage

import (
	"os"
	"strconv"
	"strings"
	"testing"
)

func TestCredentialsAreTheEffectiveOnes(t *testing.T) {
	for status, want := range map[string]string{
		"Name:\tx\nUid:\t1\t2\t3\t4\nGid:\t5\t6\t7\t8\nGroups:\t6 44 \nNStgid:\t1\n": "uid 2, gid 6, groups 6 44",
		"Uid:\t1\t2\t3\t4\nGid:\t5\t6\t7\t8\nGroups:\t\n":                            "uid 2, gid 6",
		"Name:\tUid: 0 0\nUid:\n":                                                    "",
		"":                                                                           "",
	} {
		if got := credentials(status); got != want {
			t.Errorf("%q: %q, want %q", status, got, want)
		}
	}
}

func TestNothingIsKnownOfAProcessThatIsGone(t *testing.T) {
	if got := Credentials(1 << 30); got != "" {
		t.Errorf("credentials = %q, want none", got)
	}
	if _, err := os.Stat("/proc/self/status"); err != nil {
		t.Skip("there is no /proc")
	}
	if got := Credentials(os.Getpid()); !strings.HasPrefix(got, "uid "+strconv.Itoa(os.Geteuid())+", ") {
		t.Errorf("credentials = %q, want our own", got)
	}
}
