// Package trust answers one question: could anybody but those who are trusted have
// decided what stands under this path? It is the rule of sshd's StrictModes, cron and
// sudo, for our own state as well as for what we are told to run.
//
// A path is walked from the root, one openat(2) after another, and each thing on the
// way is judged where it was opened, not by its name: every folder, every symbolic
// link and what it leads to, and at last the thing itself. A folder that was judged
// can be bent by nobody afterwards, so what is opened in it is what was judged.
//
// Trusted are root, the owners of a Policy, and nobody else. A thing that another
// user owns, or that others may write, is an *Error that says which one it is, why,
// and what mends it. The mode of a folder that is sticky as /tmp is passes on the
// way, since there only the owner of an entry may take it away.
//
// What it does not do: it does not judge who may read, it knows no path that is
// relative to something else than the working directory, and it cannot see the users
// outside of a user namespace (see Policy.Unmapped).
//
// Read Policy.judge first: it is the whole rule, and pure.
package trust
