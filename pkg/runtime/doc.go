// Package runtime runs children and keeps them running. It is one goroutine
// around the pure tree of package machine: events go in, and what the tree
// answers is carried out in a fixed order (records, effects, snapshots, facts,
// replies), so that nothing is ever acted on that would be forgotten by a crash.
//
// A program talks to it through a Handle, from any number of goroutines.
// Commands are answered as soon as the tree has decided; waiting for a child to
// come so far is built on Subscribe. Reads never enter the loop: they copy
// pointers to immutable snapshots.
//
// The operating system is behind the Processes interface. ShimProcesses is the
// real one: a small process of its own, see package shim, that owns every child,
// so that the death of this one loses nothing.
//
// The package knows nothing of manifests: it can be embedded in a program that
// makes its specs by itself. Open puts together what such a program needs; its
// children may be processes and, with package task, its own functions.
package runtime
