// Package cli is the command line: one file a verb, and what they print.
//
// Data goes to standard output and messages to standard error, so that output can
// be piped. A verb returns an error; Execute prints it once and turns it into the
// exit code that the contract promises. The verbs that show the state read the
// status and the state directory and need no running reconciler; those that need
// one say how to start it and exit with NoDaemon.
//
// The daemon and the shim are handed in as functions: this package starts
// neither and imports neither.
package cli
