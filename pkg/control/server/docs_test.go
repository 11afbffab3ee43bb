package server

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/reconciler-dev/reconciler/pkg/control"
	"github.com/reconciler-dev/reconciler/pkg/control/client"
	"github.com/reconciler-dev/reconciler/pkg/runtime/machine"
)

// curlrc makes an error of the server one of curl, and ends what is followed.
const curlrc = "fail-with-body\nmax-time = 2\n"

func TestTheExamplesOfTheDocumentationWork(t *testing.T) {
	if _, err := exec.LookPath("curl"); err != nil {
		t.Skip("curl is not installed")
	}
	page, err := os.ReadFile("../../../docs/api.md")
	must(t, err)
	h := build(t, map[string]string{"web.yaml": web, "payments/worker.yaml": worker}, func(o *Options) {
		dir := filepath.Dir(o.Socket)
		o.Socket = filepath.Join(dir, ".reconciler", control.SocketName)
	})
	must(t, os.Mkdir(filepath.Dir(h.options.Socket), 0o700))
	h.write("curl/.curlrc", curlrc)
	h.write("logs/web/current", "hello\n")
	h.Client = client.New(filepath.Dir(h.options.Socket))
	t.Cleanup(h.Client.Close)
	h.serve(defaultLimits())
	h.procs.events <- machine.Adopted{}
	_, err = h.Reconcile(t.Context(), control.ReconcileRequest{})
	must(t, err)
	examples := examplesOf(string(page))
	if len(examples) < 15 {
		t.Fatalf("only %d examples were found", len(examples))
	}
	for _, example := range examples {
		if strings.Contains(example, "/signal") {
			h.settled(t, "/v1/children/web/signal")
		}
		out, err := h.shell(example)
		follows := strings.Contains(example, "follow")
		if exit, ok := err.(*exec.ExitError); ok && follows && exit.ExitCode() == 28 {
			err = nil // it would go on for ever
		}
		if err != nil || follows && out == "" {
			t.Errorf("%s\nends with %v and says %s", example, err, out)
		}
	}
}

// shell runs a command beside the state directory.
func (h *house) shell(command string) (string, error) {
	cmd := exec.CommandContext(context.WithoutCancel(h.t.Context()), "sh", "-c", command)
	cmd.Dir = h.dir
	cmd.Env = append(os.Environ(), "CURL_HOME="+filepath.Join(h.dir, "curl"))
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// examplesOf are the commands of the sh blocks of a page.
func examplesOf(page string) (all []string) {
	for i, block := range strings.Split(page, "```sh\n") {
		if i == 0 {
			continue
		}
		code, _, _ := strings.Cut(block, "```")
		var command string
		for line := range strings.Lines(code) {
			if command == "" && (strings.HasPrefix(line, "#") || strings.TrimSpace(line) == "") {
				continue
			}
			command += line
			if end := strings.TrimSpace(line); strings.HasSuffix(end, "\\") || strings.HasSuffix(end, "|") {
				continue
			}
			all = append(all, command)
			command = ""
		}
	}
	return all
}
