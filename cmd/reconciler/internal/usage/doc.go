// Package usage measures what the process trees of children use: processor time,
// memory and processes.
//
// One look at /proc serves all children. A process belongs to the child whose
// process it descends from, whose session it is in (a child leads a session of its
// own), or whose cgroup it is in, where each attempt has one: so daemons that
// detached themselves are counted too. Where there is no /proc nothing is known,
// and a Sample is empty.
package usage
