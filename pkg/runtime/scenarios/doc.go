// Package scenarios has no code of its own. Its tests are stories of what an
// operator does and sees, told with the whole runtime: handle, loop, tree, shim
// and real processes, in a PID namespace of their own where one can be had.
// docs/semantics.md lists which test tells which story.
package scenarios
