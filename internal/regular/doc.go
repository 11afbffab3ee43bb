// Package regular opens files at paths that somebody else may swap under us: a
// child, the user it runs as, whoever owns a directory on the way. It opens regular
// files and nothing else, and decides so before anything happens to the file.
//
// The kind of a file is only known for certain of a descriptor, and open(2) of some
// files is an act by itself: it arms /dev/watchdog, rewinds a tape, makes a terminal
// the controlling one, waits for the other end of a FIFO or of a lease. So on Linux a
// path is opened with O_PATH, which touches nothing, its kind is asked with fstat(2),
// and only a regular file is opened for reading, through /proc/self/fd: the very file
// that was judged, whatever the path means by then. (systemd's fd_reopen and Docker's
// filepath-securejoin do the same.) Elsewhere the path is judged with stat(2) and
// opened without waiting, and the two must be one file.
//
// What is read is bounded by the caller. Who may own or write a file is not judged
// here.
package regular
