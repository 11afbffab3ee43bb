package cli

import (
	"encoding/json"
	"fmt"
	"io"
	"path/filepath"
	"slices"

	"github.com/mattn/go-runewidth"

	"github.com/reconciler-dev/reconciler/internal/harmless"
	"github.com/reconciler-dev/reconciler/pkg/desired"
	"github.com/reconciler-dev/reconciler/pkg/runtime/child"
	"github.com/reconciler-dev/reconciler/pkg/status"
)

// effectiveSpec are the values that are in force for a child and who set them: of
// the spec that the runtime holds, explained from the manifests of now. What hinders
// that is said on messages; the rest is told all the same.
func (a *app) effectiveSpec(id child.ID, owners Owners, messages io.Writer) []desired.FieldOrigin {
	have, err := a.currentState()
	if err != nil {
		tell(messages, "%v; the values are those of the manifests", err)
	}
	running, byRequest := (*child.Spec)(nil), false
	if i := slices.IndexFunc(have, func(s *child.Snapshot) bool { return s.ID == id }); i >= 0 {
		running, byRequest = have[i].Spec, have[i].Origin.ByRequest
	}
	set, err := wanted(a.Manifests, SourceFlags{Owners: owners}, have)
	if err != nil {
		tell(messages, "where the values come from is not known: %v", err)
		set = &desired.Set{}
	}
	fields := set.Explain(id, running)
	for i := range fields {
		if byRequest && fields[i].Source == desired.FromEarlier {
			fields[i].Source = desired.FromRequest
		}
	}
	for _, s := range set.Stalls {
		if s.Reason == desired.StallEmptySource && len(fields) > 0 {
			tell(messages, "where the values come from is not known: %s: %s", a.Manifests, s.Message)
		}
	}
	return fields
}

// originText says for people where a value comes from; files are named so that
// an editor or a shell finds them from here.
func originText(dir string, o desired.FieldOrigin) string {
	place := ""
	if o.File != "" {
		place = filepath.Join(dir, filepath.FromSlash(o.File))
		if o.Line > 0 {
			place += fmt.Sprintf(":%d", o.Line)
		}
	}
	switch o.Source {
	case desired.FromManifest:
		return place
	case desired.FromFolder:
		return fmt.Sprintf("defaults of %s, %s", o.Supervisor, place)
	case desired.FromRole:
		return "role " + o.Role
	case desired.BuiltIn:
		return "built in"
	case desired.FromRequest:
		return "who put it through the control socket"
	}
	if place == "" {
		return "an earlier manifest"
	}
	return "an earlier manifest, of " + place
}

// valueText is a value for people: texts without quotes, all else as JSON.
func valueText(v json.RawMessage) string {
	var text string
	if json.Unmarshal(v, &text) == nil {
		return text
	}
	return string(v)
}

// maxValue is how wide a value may be, so that where it came from stays in sight; -o
// json has the whole.
const maxValue = 60

func (p describer) effective(dir string, all []desired.FieldOrigin) {
	if len(all) == 0 {
		return
	}
	rows := [][]string{{"  FIELD", "VALUE", "FROM"}}
	for _, o := range all {
		value := runewidth.Truncate(harmless.Text(valueText(o.Value)), maxValue, "…")
		rows = append(rows, []string{"  " + o.Field, value, originText(dir, o)})
	}
	p.out.WriteString("\nEffective spec:\n")
	p.table(rows)
}

// description is describe for programs.
type description struct {
	Status *status.Child                  `json:"status"`
	Why    []string                       `json:"why"`
	Spec   map[string]desired.FieldOrigin `json:"effective_spec"`
}

// printDescription prints a child as JSON or YAML.
func printDescription(out io.Writer, output string, d description, fields []desired.FieldOrigin) error {
	d.Spec = make(map[string]desired.FieldOrigin, len(fields))
	for _, o := range fields {
		d.Spec[o.Field] = o
	}
	if d.Why == nil {
		d.Why = []string{}
	}
	if output == "json" {
		return writeJSON(out, d)
	}
	return writeYAML(out, d)
}
