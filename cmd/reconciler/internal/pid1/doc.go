// Package pid1 is the init that the reconciler needs where it is the first process of
// a container. To such a process the kernel hands everybody whose parent ended, and
// what it does not reap stays a zombie; it is never killed by a signal that it does
// not handle; and when it ends, so does everything else.
//
// So the first process becomes an init as tini and dumb-init are: it starts the same
// program once more, reaps whatever ends, passes signals on, and ends as that program
// does. It starts nothing else, so wait4(-1) takes nobody's status: beside os/exec,
// or any other waiter in one process, it would (3 of 300 exit codes were lost where it
// was tried). It has no manifest, no socket and no file.
//
// Beyond those models it keeps a promise of ours: a program that was killed, by
// kill -9 or for lack of memory, is started again and adopts the children that run on.
// To end with it would end them all.
package pid1
