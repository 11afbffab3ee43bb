package desired

import (
	"io/fs"
	"os"

	"github.com/reconciler-dev/reconciler/internal/trust"
)

// obeyed is whose word counts. As root that is the rule of sshd's StrictModes, for
// every folder and link on the way and for what is read in the end: who may write a
// manifest runs commands as us. For others it is nil, everybody's: what they run they
// could run anyway, unless they ask for the judgement of root. Owners are users whose
// word counts too.
//
// A mount that is read-only excuses modes, as those of a ConfigMap's volume are, and
// no owner: who owns files has another way to them.
func obeyed(o Options) *trust.Policy {
	if o.AnyOwner || os.Geteuid() != 0 && !o.AsRoot {
		return nil
	}
	p := trust.ObeyAsRoot(o.Owners)
	return &p
}

// judge says whether the thing m, which is open or was asked for in a folder that is,
// may decide what we run. last is for what is listed or read, not only passed.
func (r *reader) judge(m meta, path string, last bool, readOnly func() bool) error {
	if r.trust == nil {
		return nil
	}
	mode := uint32(m.mode.Perm())
	if m.mode&fs.ModeSticky != 0 {
		mode |= 0o1000
	}
	return r.trust.JudgeThing(trust.Thing{
		Dir: m.mode.IsDir(), Link: m.mode&fs.ModeSymlink != 0, Last: last,
		UID: m.uid, GID: m.gid, Mode: mode, ReadOnly: readOnly,
	}, path, path)
}

// distrusted is the problem of what stands at path in the tree.
func distrusted(path string, bad *trust.Error) *Problem {
	hint := bad.Remedy
	if bad.Other {
		hint += ", or trust this user with --manifests-owner " + bad.Name()
	}
	return &Problem{File: path, Reason: bad.Hop + " " + bad.Reason + ", who could have us run anything", Hint: hint}
}
