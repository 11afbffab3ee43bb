// Package daemon is `reconciler run`: it puts the parts together, starts them in
// order, and stops them in reverse.
//
// The parts, from the first to start and last to stop: the connection to the
// shim, the status writer, the runtime's loop, the reconcile loop, the source of
// manifests, the signals. Each returns only when its goroutines have. If one
// returns by itself with an error, all are stopped in the same order and the
// error names the part.
package daemon
