// Package runtimetest plays the whole runtime in one goroutine: the real tree of
// package machine, and models of everything around it (its records, the shim with
// its table, the connection between the two, the kernel with its processes, an
// operator and a planner). One seeded scheduler chooses what happens next, time
// is virtual, and either process may be killed between any two steps. A run is
// its seed: the same seed plays the same schedule, so a failure replays.
//
// After each step the models compare notes with what really happened, which the
// simulated kernel knows: at most one attempt of a child lives, each key starts
// at most once, a removed or paused child does not start, no process gets a
// signal that nobody asked for, and every exit that somebody saw is recorded with
// its true code. When the faults stop, everything must come to rest in the state
// that was asked for, and a shutdown must leave no process behind.
//
// The models obey the rules of the real ones. Break switches one rule off; the
// tests use it to prove that the simulation would notice.
//
// The package imports the standard library, child and machine.
package runtimetest
