package attacks

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Nobody made the log of a child while the state directory was open to all, and what he
// made is there when its mode is mended.
func TestNobodyReadsOutputThroughALogThatHeMade(t *testing.T) {
	const secret = "what-roots-child-prints"
	h := newHouse(t)
	logs := filepath.Join(h.State, "logs")
	dir := filepath.Join(logs, "web")
	h.do(os.MkdirAll(logs, 0o755), os.Chmod(logs, 0o777))
	made := asNobody(t, "sh", "-c", `umask 0 && mkdir "$1" && : >"$1/current"`, "sh", dir)
	h.do(os.Chmod(logs, 0o755))
	if made.Code != 0 {
		t.Fatalf("nobody makes no log: %+v", made)
	}
	h.manifest("web", fmt.Sprintf("name: web\ncommand: [sh, -c, %s]\n", quoted("echo "+secret+"; exec sleep 1000")))

	h.daemon()

	var why string
	waitFor(t, func() string {
		if why = h.reconciler("describe", "web").Out; strings.Contains(why, "move it away") || strings.Contains(why, "Running") {
			return ""
		}
		return "nothing is said of the log: " + why
	})
	text, err := os.ReadFile(filepath.Join(dir, "current")) // as nobody's open descriptor shows it
	if err != nil || strings.Contains(string(text), secret) || !strings.Contains(why, dir) {
		t.Errorf("nobody's file holds %q (%v), and describe says %s", text, err, why)
	}
	h.do(os.Rename(dir, filepath.Join(h.Dir, "aside")))
	h.running("web")
}
