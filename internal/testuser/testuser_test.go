package testuser

import (
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

func TestATestOfRootGoesOnAsNobody(t *testing.T) {
	wasRoot := os.Geteuid() == 0

	here := Rerun(t)

	if here == wasRoot {
		t.Fatalf("Rerun = %v as uid %d; want that only one who is not root goes on", here, os.Geteuid())
	}
	if !here {
		return
	}
	if err := os.WriteFile(filepath.Join(t.TempDir(), "file"), nil, 0o600); err != nil {
		t.Errorf("the test has no directory of its own: %v", err)
	}
	if groups, err := os.Getgroups(); err != nil || len(groups) > 1 {
		t.Errorf("groups = %v, %v; want none that root has", groups, err)
	}
}

func TestAProgramRunsAsNobody(t *testing.T) {
	cmd := Command(t, "/bin/sh", "-c", "id -u; touch here; test -x "+Binary(t))

	out, err := cmd.CombinedOutput()

	if err != nil || strings.TrimSpace(string(out)) != strconv.Itoa(Nobody) {
		t.Errorf("said %q, %v; want the number of nobody, and that it may write in its directory and run the test binary", out, err)
	}
}

func TestOnlyATestThatWasThereAndPassedHasPassed(t *testing.T) {
	for name, row := range map[string]struct {
		out  string
		err  error
		want outcome
	}{
		"it passed":              {"=== RUN   TestA/b\n--- PASS: TestA (0.00s)\n    --- PASS: TestA/b (0.00s)\nPASS\n", nil, passed},
		"it was skipped":         {"--- SKIP: TestA/b (0.00s)\n    no curl\nPASS\n", nil, skipped},
		"it failed":              {"--- FAIL: TestA/b (0.00s)\nFAIL\n", errors.New("exit status 1"), failed},
		"it left a goroutine":    {"--- PASS: TestA/b (0.00s)\ngoleak\n", errors.New("exit status 1"), failed},
		"there is no such test":  {"testing: warning: no tests to run\nPASS\n", nil, failed},
		"only its parent passed": {"--- PASS: TestA (0.00s)\nPASS\n", nil, failed},
	} {
		if got := verdict("TestA/b", []byte(row.out), row.err); got != row.want {
			t.Errorf("%s: verdict = %d, want %d", name, got, row.want)
		}
	}
}

func TestThePatternFitsOneTestOnly(t *testing.T) {
	if got := exactly("TestA/with.dot"); got != `^TestA$/^with\.dot$` {
		t.Errorf("pattern = %q", got)
	}
}
