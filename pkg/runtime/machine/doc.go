// Package machine is the pure heart of the runtime: a tree of children that is
// told what happened (Step) and says what is to be done about it (Ready). It
// acts on nothing itself. It has no clock, no goroutine, no lock and no log, so
// that every rule can be tested in microseconds and every run can be replayed
// from its seed and its events.
//
// What it promises:
//
//   - The same seed and the same events give the same output, in the same order.
//   - At most one attempt of a child is alive: a Start is issued only when no
//     earlier attempt is alive or unaccounted for.
//   - Deadlines are state. Next says when the next one is due, the shell arms one
//     timer for it and steps with Ticked. A timer that belongs to an older state
//     cannot exist.
//   - Every child that is not at rest has a deadline or awaits something that
//     Snapshot names. Check proves this and every other invariant, and tests call
//     it after every step.
//   - What is durable comes first: a Ready lists records before the effects that
//     rely on them. Restore builds the same tree from the newest records, and
//     the Adopted that follows brings it in line with the processes that live.
//   - No step looks at all children, except those for Adopted, Detached, ShutdownTree
//     and HurryUp. What makes several children of a folder restart together looks at
//     those, and so does each end of a rest among them; the quarantine of a failure
//     group looks at the members of its folder.
//
// A folder is a supervisor, a child without a process. Its members are indexed, and
// five files hold the rules among them: members.go who they are and in which order
// they start, regroup.go restarts of several, budget.go limits that are shared and
// what becomes of who uses them up, sidecar.go children tied to another one, and
// critical.go whose trouble is everybody's.
//
// Event and Effect are the two closed sets at its border. One loop, in package
// runtime, feeds the tree and carries out what it leaves.
package machine
