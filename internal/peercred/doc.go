// Package peercred tells who is at the other end of a unix socket, as the kernel says:
// of a client the one who connected, of a server the one who listens (unix(7),
// SO_PEERCRED). Servers ask it of their clients. Clients ask it of their server: the
// name of a socket says nothing about who made it.
package peercred
