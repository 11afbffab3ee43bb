package trust

import "testing"

func TestRuleOfOwnersAndModes(t *testing.T) {
	const nobody, deploy, team = 65534, 1000, 1000
	asDeploy := Policy{Owners: []uint32{deploy}, Groups: []uint32{team}}
	for name, row := range map[string]struct {
		p    Policy
		n    node
		want string
		out  string
	}{
		"root's file":                             {Policy{}, node{mode: 0o644, last: true}, "", ""},
		"another user's file":                     {Policy{}, node{uid: nobody, mode: 0o644, last: true}, "belongs to nobody", "chown root"},
		"another user's link":                     {Policy{}, node{kind: link, uid: nobody, mode: 0o777}, "belongs to nobody", "chown -h root"},
		"root's link, which has every mode":       {Policy{}, node{kind: link, mode: 0o777}, "", ""},
		"a file for all to write":                 {Policy{}, node{mode: 0o666, last: true}, "may be written by everybody (mode 0666)", "chmod go-w"},
		"a file for root's group to write":        {Policy{}, node{mode: 0o664, last: true}, "may be written by group root (mode 0664)", "chmod g-w"},
		"a sticky folder on the way":              {Policy{}, node{kind: dir, mode: 0o1777}, "", ""},
		"a sticky folder that is the thing":       {Policy{}, node{kind: dir, mode: 0o1777, last: true}, "may be written by everybody (mode 1777)", "chmod go-w"},
		"a sticky folder of another user":         {Policy{}, node{kind: dir, uid: nobody, mode: 0o1777}, "belongs to nobody", "chown root"},
		"a folder for all on the way":             {Policy{}, node{kind: dir, mode: 0o777}, "may be written by everybody (mode 0777)", "chmod go-w"},
		"a sticky file is no sticky folder":       {Policy{}, node{mode: 0o1666}, "may be written by everybody (mode 1666)", "chmod go-w"},
		"one's own with the private group":        {asDeploy, node{kind: dir, uid: deploy, gid: team, mode: 0o775}, "", ""},
		"one's own with a group of others":        {asDeploy, node{kind: dir, uid: deploy, gid: 0, mode: 0o775}, "may be written by group root (mode 0775)", "chmod g-w"},
		"the private group, but everybody too":    {asDeploy, node{kind: dir, uid: deploy, gid: team, mode: 0o777}, "may be written by everybody (mode 0777)", "chmod go-w"},
		"read-only excuses modes":                 {Policy{ReadOnly: true}, node{mode: 0o666, readOnly: true, last: true}, "", ""},
		"read-only excuses no owner":              {Policy{ReadOnly: true}, node{uid: nobody, mode: 0o644, readOnly: true, last: true}, "belongs to nobody", "chown root"},
		"read-only is asked for":                  {Policy{}, node{mode: 0o666, readOnly: true, last: true}, "may be written by everybody (mode 0666)", "chmod go-w"},
		"one whom the namespace hides, above us":  {Policy{Unmapped: nobody}, node{kind: dir, uid: nobody, mode: 0o755}, "", ""},
		"hidden, and all may write there":         {Policy{Unmapped: nobody}, node{kind: dir, uid: nobody, mode: 0o777}, "belongs to nobody", "chown root"},
		"hidden, sticky as /tmp of the host":      {Policy{Unmapped: nobody}, node{kind: dir, uid: nobody, mode: 0o1777}, "belongs to nobody", "chown root"},
		"hidden owner of the thing itself":        {Policy{Unmapped: nobody}, node{kind: dir, uid: nobody, mode: 0o755, last: true}, "belongs to nobody", "chown root"},
		"hidden owner of a link":                  {Policy{Unmapped: nobody}, node{kind: link, uid: nobody}, "belongs to nobody", "chown -h root"},
		"a stranger's remedy names who is wanted": {Policy{Owners: []uint32{0}}, node{uid: nobody, last: true}, "belongs to nobody", "chown root"},
	} {
		t.Run(name, func(t *testing.T) {
			reason, remedy := row.p.judge(row.n)

			if reason != row.want || remedy != row.out {
				t.Errorf("judge(%+v) = %q, %q; want %q, %q", row.n, reason, remedy, row.want, row.out)
			}
		})
	}
}

func TestPrivateGroupHasOneMember(t *testing.T) {
	const passwd = "root:x:0:0:root:/root:/bin/sh\nann:x:1000:1000::/home/ann:/bin/sh\nbob:x:1001:1000::/home/bob:/bin/sh\ncy:x:1002:1002::/home/cy:/bin/sh\ndot:x:1003:1003::/home/dot:/bin/sh\neve:x:1004:1004::/:/bin/sh\n"
	const group = "root:x:0:\nann:x:1000:\ncy:x:1002:\ndot:x:1003:dot,ann\nstaff:x:1004:\nfay:x:1005:fay\n"
	for name, row := range map[string]struct {
		user, gid string
		want      bool
	}{
		"alone in it":                       {"cy", "1002", true},
		"named in it, and nobody else":      {"fay", "1005", true},
		"another has it as primary group":   {"ann", "1000", false},
		"another is named in it":            {"dot", "1003", false},
		"it has another name than the user": {"eve", "1004", false},
		"no such group in the file":         {"gus", "1006", false},
	} {
		t.Run(name, func(t *testing.T) {
			if got := private(row.user, row.gid, []byte(passwd), []byte(group)); got != row.want {
				t.Errorf("private(%s, %s) = %v, want %v", row.user, row.gid, got, row.want)
			}
		})
	}
}
