// Package client asks a running reconciler over its control socket. The command
// line is built on it; other programs may be too.
//
// Every method takes a context and returns when it ends. A refusal is a
// *control.Error; that nobody answers at the socket is ErrNoDaemon, and that the
// file system does not let the caller reach it is fs.ErrPermission. A Client may
// be used from any number of goroutines.
package client
