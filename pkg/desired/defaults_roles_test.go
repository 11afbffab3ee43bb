package desired

import (
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/reconciler-dev/reconciler/pkg/runtime/child"
)

// roleFields are those fields of a spec that a role may decide.
type roleFields struct {
	Policy      child.RestartPolicy
	Criticality child.Criticality
	Rest        [2]time.Duration
	Limit       child.RestartLimit
}

func roleFieldsOf(s *child.Spec) roleFields {
	f := roleFields{Policy: s.RestartPolicy, Criticality: s.Criticality, Rest: [2]time.Duration{s.Backoff.InitialDelay.Duration(), s.Backoff.MaxDelay.Duration()}}
	if s.RestartLimit != nil {
		f.Limit = *s.RestartLimit
	}
	return f
}

func TestRoleIsAPackOfDefaults(t *testing.T) {
	const ms, s = time.Millisecond, time.Second
	for text, want := range map[string]roleFields{
		"":                   {child.Permanent, child.Optional, [2]time.Duration{10 * ms, 60 * s}, child.RestartLimit{}},
		"work_role: service": {child.Permanent, child.Critical, [2]time.Duration{50 * ms, 5 * s}, child.RestartLimit{}},
		"work_role: worker":  {child.Transient, child.Optional, [2]time.Duration{50 * ms, 60 * s}, child.RestartLimit{}},
		"work_role: job":     {child.Transient, child.Optional, [2]time.Duration{s, 60 * s}, child.RestartLimit{MaxRestarts: 3, Window: seconds(3600)}},
	} {
		if diff := cmp.Diff(want, roleFieldsOf(specOf(t, "name: web\n"+text))); diff != "" {
			t.Errorf("%q (-want +got):\n%s", text, diff)
		}
	}
	folder := specOf(t, "name: payments\nkind: supervisor\nwork_role: supervisor")
	if want := (child.RestartLimit{MaxRestarts: 30, Window: seconds(60)}); folder.RestartLimit == nil || *folder.RestartLimit != want {
		t.Errorf("restart_limit of a supervisor by role = %v, want %v", folder.RestartLimit, want)
	}
}

func TestExplicitFieldWinsOverFolderOverRoleOverBuiltIn(t *testing.T) {
	root := decodeOne(t, "root.yaml", "name: root\nkind: supervisor\ndefaults: {criticality: critical, restart_policy: temporary, restart_limit: {max_restarts: 7}}")

	got := roleFieldsOf(specOf(t, "name: web\nwork_role: job\nrestart_policy: permanent", root))

	want := roleFields{
		Policy:      child.Permanent,                                                          // its own
		Criticality: child.Critical,                                                           // the folder's
		Rest:        [2]time.Duration{time.Second, time.Minute},                               // the role's
		Limit:       child.RestartLimit{MaxRestarts: 7, Window: seconds(time.Hour.Seconds())}, // the folder's and the role's
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("what decides (-want +got):\n%s", diff)
	}
}

func TestRoleNeverContradictsWhatWasWritten(t *testing.T) {
	for text, want := range map[string][2]time.Duration{
		"backoff: {max_delay_ms: 20}":                     {20 * time.Millisecond, 20 * time.Millisecond},
		"backoff: {initial_delay_ms: 90000}":              {90 * time.Second, 90 * time.Second},
		"backoff: {initial_delay_ms: 3, max_delay_ms: 7}": {3 * time.Millisecond, 7 * time.Millisecond},
		"backoff: {jitter_ratio: 0}":                      {time.Second, time.Minute},
	} {
		if got := roleFieldsOf(specOf(t, "name: web\nwork_role: job\n"+text)).Rest; got != want {
			t.Errorf("a job with %s rests %v, want %v", text, got, want)
		}
	}
	if again := roleFieldsOf(specOf(t, "name: web\nwork_role: job")).Rest; again != [2]time.Duration{time.Second, time.Minute} {
		t.Errorf("the pack of job was written into: it rests %v", again)
	}
}

func TestEveryRoleOfTheSchemaHasAPack(t *testing.T) {
	l := layouts()
	for _, fields := range l {
		if i, ok := fields.byName["work_role"]; ok {
			want := slices.Sorted(slices.Values(fields.fields[i].rules.enum))
			if diff := cmp.Diff(want, slices.Sorted(slices.Values(append(rolesOf("worker"), rolesOf("supervisor")...)))); diff != "" {
				t.Errorf("roles (-schema +packs):\n%s", diff)
			}
			return
		}
	}
	t.Error("no section has work_role")
}
