package metrics

import (
	"encoding/json"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"
)

const monitoring = "../../docs/monitoring/"

// served are the names of all series of a scrape: what a rule may ask for.
func served(t *testing.T) map[string]bool {
	t.Helper()
	names := map[string]bool{"up": true} // of Prometheus itself
	for line := range strings.Lines(full().scrape(t)) {
		if name := regexp.MustCompile(`^[a-z_]+`).FindString(line); name != "" {
			names[name] = true
		}
	}
	return names
}

// asked are the names of metrics in an expression of PromQL, as far as they may
// be ours or a collector's.
func asked(expr string) []string {
	return regexp.MustCompile(`\b(?:reconciler|go|process)_[a-z_]+`).FindAllString(expr, -1)
}

func read(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(monitoring + name)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestDashboardAsksOnlyForWhatIsServed(t *testing.T) {
	var dashboard struct {
		Title     string `json:"title"`
		Templates struct {
			List []struct {
				Name, Query string
			} `json:"list"`
		} `json:"templating"`
		Panels []struct {
			Title   string `json:"title"`
			ID      int    `json:"id"`
			Targets []struct {
				Expr string `json:"expr"`
			} `json:"targets"`
		} `json:"panels"`
	}
	if err := json.Unmarshal([]byte(read(t, "dashboard.json")), &dashboard); err != nil {
		t.Fatal(err)
	}

	exprs, names, ids := []string{}, served(t), map[int]bool{}
	for _, v := range dashboard.Templates.List {
		exprs = append(exprs, v.Query)
	}
	for _, p := range dashboard.Panels {
		if len(p.Targets) == 0 || p.Title == "" || ids[p.ID] {
			t.Errorf("panel %d %q has no title, no targets or the id of another", p.ID, p.Title)
		}
		ids[p.ID] = true
		for _, target := range p.Targets {
			exprs = append(exprs, target.Expr)
			if len(asked(target.Expr)) == 0 {
				t.Errorf("panel %q asks for nothing: %s", p.Title, target.Expr)
			}
		}
	}
	for _, expr := range exprs {
		for _, name := range asked(expr) {
			if !names[name] {
				t.Errorf("the dashboard asks for %s, which is not served: %s", name, expr)
			}
		}
	}
	if len(dashboard.Panels) < 10 || dashboard.Title == "" {
		t.Errorf("the dashboard %q has %d panels", dashboard.Title, len(dashboard.Panels))
	}
}

func TestRulesAskOnlyForWhatIsServed(t *testing.T) {
	names := served(t)
	for _, file := range []string{"alerts.yaml", "alerts_test.yaml"} {
		found := asked(read(t, file))
		for _, name := range found {
			if !names[name] {
				t.Errorf("%s asks for %s, which is not served", file, name)
			}
		}
		if len(found) == 0 {
			t.Errorf("%s asks for nothing", file)
		}
	}
}

func TestEveryMetricIsInThePageAndNoOther(t *testing.T) {
	page := regexp.MustCompile("(?m)^\\| `(reconciler_[a-z_]+)` \\| ([a-z]+) \\|").FindAllStringSubmatch(read(t, "README.md"), -1)
	var documented, real []string
	for _, row := range page {
		documented = append(documented, row[1]+" "+row[2])
	}
	for line := range strings.Lines(full().scrape(t)) {
		if rest, ok := strings.CutPrefix(line, "# TYPE reconciler_"); ok {
			real = append(real, "reconciler_"+strings.TrimSpace(rest))
		}
	}
	slices.Sort(documented)
	slices.Sort(real)
	if !slices.Equal(documented, real) {
		t.Errorf("docs/monitoring/README.md has\n%s\nserved are\n%s", strings.Join(documented, "\n"), strings.Join(real, "\n"))
	}
}

func TestEveryAlertIsUnitTested(t *testing.T) {
	alerts := regexp.MustCompile(`(?m)^ +- alert: (\w+)$`).FindAllStringSubmatch(read(t, "alerts.yaml"), -1)
	tests := read(t, "alerts_test.yaml")
	for _, a := range alerts {
		if !regexp.MustCompile(`alertname: ` + a[1] + `(, |\n +)exp_alerts`).MatchString(tests) {
			t.Errorf("no test expects the alert %s", a[1])
		}
	}
	if len(alerts) == 0 {
		t.Error("there are no alerts")
	}
}

func TestPromtoolAcceptsAndTestsTheRules(t *testing.T) {
	promtool, err := exec.LookPath("promtool")
	if err != nil {
		t.Skip("promtool is not installed (Debian: apt-get install prometheus); .ci/run installs it")
	}
	for _, args := range [][]string{{"check", "rules", "alerts.yaml"}, {"test", "rules", "alerts_test.yaml"}} {
		cmd := exec.CommandContext(t.Context(), promtool, args...)
		cmd.Dir = monitoring
		if said, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("promtool %s: %v\n%s", strings.Join(args, " "), err, said)
		}
	}
}
