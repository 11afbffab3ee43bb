// Package metrics tells Prometheus of the children and of the runtime.
//
// What holds now (phases, up, ready) is read from the snapshots when somebody asks;
// what happened (exits, restarts, commands, durations) is counted from the facts of
// the runtime, of which none is missed. Counters begin at zero with the process, as
// usual, and only rise; the series of a child go with it. Labels are ids of
// children and words of ours: nothing that a user wrote, and never a secret.
//
// Names and labels are part of the contract with users; docs/monitoring describes
// them, its dashboard and its rules are tested against them.
package metrics
