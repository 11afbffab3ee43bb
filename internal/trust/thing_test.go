package trust

import (
	"errors"
	"testing"
)

func TestThingOfAnotherWalkIsJudgedAlike(t *testing.T) {
	policy := Policy{ReadOnly: true}
	yes, asked := func() bool { return true }, 0
	for name, row := range map[string]struct {
		thing Thing
		want  string
	}{
		"root's folder":                    {Thing{Dir: true, Mode: 0o755}, ""},
		"a sticky folder on the way":       {Thing{Dir: true, Mode: 0o1777}, ""},
		"a sticky folder that is named":    {Thing{Dir: true, Mode: 0o1777, Last: true}, "/x is not safe: it may be written by everybody (mode 1777) (chmod go-w /x)"},
		"a link, which has every mode":     {Thing{Link: true, Mode: 0o777}, ""},
		"a file for all":                   {Thing{Mode: 0o666, Last: true}, "/x is not safe: it may be written by everybody (mode 0666) (chmod go-w /x)"},
		"a file for all, mounted so":       {Thing{Mode: 0o666, Last: true, ReadOnly: yes}, ""},
		"another user's, mounted so":       {Thing{UID: 4242, Mode: 0o644, Last: true, ReadOnly: yes}, "/x is not safe: it belongs to user 4242 (chown root /x)"},
		"nobody asks what does not matter": {Thing{Mode: 0o644, ReadOnly: func() bool { asked++; return true }}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			got := ""
			if err := policy.JudgeThing(row.thing, "/x", "/x"); err != nil {
				got = err.Error()
			}

			if got != row.want || asked > 0 {
				t.Errorf("JudgeThing = %q, asked %d times; want %q, never", got, asked, row.want)
			}
		})
	}
}

func TestErrorTellsAnotherOwnerFromAMode(t *testing.T) {
	var owner, mode *Error

	errors.As(Policy{}.JudgeThing(Thing{UID: 4242, Mode: 0o666}, "/x", "/x"), &owner)
	errors.As(Policy{}.JudgeThing(Thing{Mode: 0o666}, "/x", "/x"), &mode)

	if !owner.Other || mode.Other || owner.Name() != "4242" {
		t.Errorf("another owner: %v of %s; a mode: %v; want true of 4242, and false", owner.Other, owner.Name(), mode.Other)
	}
}
