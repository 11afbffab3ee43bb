// Package account finds users and groups of this machine: first in /etc/passwd
// and /etc/group, then by getent(1), which knows what /etc/nsswitch.conf names
// besides (LDAP, SSSD, systemd's userdb).
//
// The binary is built without cgo, so os/user would read the files only, and a
// child of an LDAP user could not start. With cgo os/user would ask the name
// services in a call that nothing can cancel; one server that does not answer would
// stop every start. Here what may be slow is asked apart: a Database with FilesOnly
// set answers at once or says ErrElsewhere, and one without takes a context.
//
// Entries are read strictly: one whose numbers are none is no entry, and never
// user 0. A number is always a number, even where somebody is called so.
package account
