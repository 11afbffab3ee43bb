// Package writers tells whether anybody has a file open for writing, so that a file
// is read when it is whole: no event says that a writer will write more.
//
// The kernel is asked by a read lease (fcntl(2), F_SETLEASE), which it refuses while
// a descriptor or a shared mapping can write. The lease is given back at once: whoever
// opens the file for writing in these microseconds waits so long, and only somebody
// who opens with O_NONBLOCK, which means nothing for files elsewhere, is told to come
// again. Unlike inotify's IN_CLOSE_WRITE this is the truth at the moment of the
// question, needs no watch, misses no event, and knows writers that were there before.
//
// It is Unknown where the kernel does not say: to a user who neither owns the file nor
// has CAP_LEASE, on file systems without leases (NFS, 9p, most of FUSE), with
// fs.leases-enable=0, and on systems other than Linux. Writers on other machines are
// never seen. How long the file has been quiet must decide there.
package writers

// Answer is what is known of the writers of a file.
type Answer int

// The answers.
const (
	Unknown  Answer = iota // the kernel does not say
	Nobody                 // nobody had it open for writing at that moment
	Somebody               // it was open, or mapped, for writing
)
