// Package server answers on the control socket: who asks is known by the
// credentials of the connection, and no client can hold up the daemon.
//
//   - Reads copy immutable snapshots and never enter the runtime's loop. Commands
//     go through the runtime's handle, as anybody's, and are answered when it has
//     decided.
//   - requested_by begins with the user that the kernel names. What the client
//     claims comes behind it.
//   - Bounded: the body, the header, the connections, and how long a client may
//     take to send or to read. When all connections are taken, one that says
//     nothing makes way. A stream goes at the pace of its reader, from the files of
//     the journal and the logs; one that does not read at all is cut off.
//   - A socket in the way is replaced only when nobody answers there, and only
//     if it is a socket.
//
// The package starts no child and decides nothing.
package server
