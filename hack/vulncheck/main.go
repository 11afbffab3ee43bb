package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"time"
)

const (
	public = "https://vuln.go.dev"

	// module holds the reports from which the public database is made, for machines
	// that reach a module proxy and nothing else.
	module = "golang.org/x/vulndb"

	patience = 15 * time.Second // for the word that the public database is there
)

func main() {
	must := flag.Bool("must", false, "also fail when no database is reached, and for the standard library")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, *must, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "vuln:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, must bool, out io.Writer) error {
	db, why := database(ctx, os.Getenv("GOVULNDB"))
	if db == "" {
		fmt.Fprintf(out, "WARNING: NOT CHECKED for known vulnerabilities, no database is reached: %v\n", why)
		if must {
			return errors.New("set GOVULNDB to a database, or reach " + public + " or a module proxy")
		}
		return nil
	}
	fmt.Fprintln(out, "vulnerabilities known to", db)
	stream, err := scan(ctx, ".", db)
	if err != nil {
		return err
	}
	ours, library, err := judge(stream)
	if err != nil {
		return err
	}
	for _, f := range library {
		fmt.Fprintln(out, "WARNING: the Go that builds has", f)
	}
	for _, f := range ours {
		fmt.Fprintln(out, "calls", f)
	}
	fmt.Fprintf(out, "%d known in modules, %d in the standard library\n", len(ours), len(library))
	switch {
	case len(ours) > 0:
		return fmt.Errorf("%d known vulnerabilities in modules: raise them in go.mod; go tool govulncheck -db %s ./... shows the calls", len(ours), db)
	case must && len(library) > 0:
		return fmt.Errorf("%d known vulnerabilities in the standard library: build with a newer Go", len(library))
	}
	return nil
}

// database is the one to ask: chosen, else the public one, else what the module
// proxy has; "" and the reason where there is none.
func database(ctx context.Context, chosen string) (string, error) {
	if chosen != "" {
		return chosen, nil
	}
	unreached := reach(ctx, public)
	if unreached == nil {
		return public, nil
	}
	dir, err := download(ctx)
	if err != nil {
		return "", errors.Join(unreached, err)
	}
	return fileURL(filepath.Join(dir, "data", "osv")), nil
}

func reach(ctx context.Context, base string) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodHead, base+"/index/db.json", nil)
	if err != nil {
		return err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("%s answers %s", base, resp.Status)
	}
	return nil
}

// download brings the newest reports into the module cache. govulncheck reads a
// directory of them as it does a database; the reports that are newer than the
// newest version the proxy knows are missing.
func download(ctx context.Context) (string, error) {
	aside, err := os.MkdirTemp("", "vulncheck-") // our own go.mod and go.sum stay as they are
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(aside)
	cmd := exec.CommandContext(ctx, "go", "mod", "download", "-json", module+"@latest")
	cmd.Dir = aside
	cmd.Env = append(os.Environ(), "GOWORK=off", "GOFLAGS=")
	text, err := cmd.Output()
	var answer struct{ Dir, Error string }
	if parsed := json.Unmarshal(text, &answer); parsed != nil || answer.Error != "" || answer.Dir == "" {
		return "", fmt.Errorf("go mod download %s: %w %s", module, errors.Join(err, parsed), answer.Error)
	}
	return answer.Dir, nil
}

func fileURL(dir string) string {
	return (&url.URL{Scheme: "file", Path: filepath.ToSlash(dir)}).String()
}

// scan is what govulncheck prints, as JSON, about the module in dir.
func scan(ctx context.Context, dir, db string) (io.Reader, error) {
	cmd := exec.CommandContext(ctx, "go", "tool", "govulncheck", "-C", dir, "-format", "json", "-db", db, "./...")
	var out, messages strings.Builder
	cmd.Stdout, cmd.Stderr = &out, &messages
	if err := cmd.Run(); err != nil {
		return nil, fmt.Errorf("govulncheck: %w\n%s", err, messages.String())
	}
	return strings.NewReader(out.String()), nil
}
