// Package child holds the names and values that every part of the reconciler
// shares: what a child is called, what it should run, how an attempt ended and
// what is known of it now. It decides nothing, knows no clock and no kernel,
// and imports only the standard library.
//
// Values of this package are immutable once they have been handed to somebody
// else: a *Spec, an *Exit or a Snapshot that was published is never written
// again.
package child
