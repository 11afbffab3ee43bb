package desired

import (
	"strings"
	"testing"
)

func TestNearestWordIsSuggested(t *testing.T) {
	fields := []string{"name", "command", "environment", "restart_policy", "restart_limit", "working_dir", "health_check", "tags", "dependencies", "kind"}
	for word, want := range map[string]string{
		"comand":                "command",
		"commnad":               "command",
		"restartPolicy":         "restart_policy",
		"RESTART-POLICY":        "restart_policy",
		"restart_limits":        "restart_limit",
		"env":                   "environment",
		"depends_on":            "dependencies",
		"livenessProbe":         "health_check",
		"WorkingDirectory":      "working_dir",
		"tag":                   "tags",
		"nmae":                  "name",
		"x":                     "",
		"":                      "",
		"kin":                   "kind",
		"something_else":        "",
		strings.Repeat("x", 65): "",
	} {
		wantHint := ""
		if want != "" {
			wantHint = "did you mean " + want + "?"
		}
		if got := didYouMean(word, fields); got != wantHint {
			t.Errorf("didYouMean(%q) = %q, want %q", word, got, wantHint)
		}
	}
}

func TestSynonymsLeadToWordsOfAManifest(t *testing.T) {
	words := map[string]bool{}
	for _, l := range layouts() {
		for _, f := range l.fields {
			words[f.name] = true
			for _, value := range f.rules.enum {
				words[value] = true
			}
		}
	}
	for from, to := range synonyms {
		if !words[to] || from != squash(from) {
			t.Errorf("synonym %q leads to %q; want a squashed word that leads to a field or a value", from, to)
		}
	}
	for path := range wrongSection {
		section, field, _ := strings.Cut(path, ".")
		if !words[section] || !words[field] {
			t.Errorf("wrongSection[%q] names no fields", path)
		}
	}
}

func TestDistanceCountsSlipsOfTheHand(t *testing.T) {
	for _, row := range []struct {
		a, b string
		want int
	}{
		{"", "", 0}, {"a", "", 1}, {"", "ab", 2}, {"abc", "abc", 0}, {"abc", "abd", 1}, {"abc", "acb", 1}, {"abcd", "acbd", 1}, {"abc", "cab", 2}, {"kitten", "sitting", 3},
	} {
		if got := distance(row.a, row.b); got != row.want {
			t.Errorf("distance(%q, %q) = %d, want %d", row.a, row.b, got, row.want)
		}
		if got := distance(row.b, row.a); got != row.want {
			t.Errorf("distance(%q, %q) = %d, want %d", row.b, row.a, got, row.want)
		}
	}
}
