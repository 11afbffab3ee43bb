// Package logs keeps what children print: one directory a child, in which
// "current" grows and is rotated by size, and from which people read.
//
// The idea: the output of a child, over all its attempts, is one stream, and
// every byte has a position in it. A rotated file is named by the position of
// its first byte ("00000000000010485760.log"), so the directory itself says how
// its files follow one another, whatever was killed when, and nothing has to be
// kept in step with it. marks.jsonl says at which position each attempt begins.
//
// Promises of the Writer:
//
//   - On Linux bytes go from the pipe to the file by splice(2), in one step of
//     the kernel: a writer that is killed at any instruction has lost nothing
//     and repeats nothing. What it had not moved is still in the pipe.
//   - A file is rotated between two lines, once it has reached Policy.MaxBytes.
//     Only a line that is more than 16 KiB over the limit is split there. The
//     files one after another are exactly what the child printed, with one
//     exception: a last line that an attempt left unfinished is ended with a
//     newline when the next attempt begins.
//   - An error (a full disk) moves nothing; the same call may be repeated.
//   - A current file that a stranger deletes, renames or truncates is noticed
//     at the next output, and the log goes on in a new one.
//   - Silent children cost no file descriptor.
//
// With Policy.Timestamps bytes cannot go straight to the file. They are looked
// at by tee(2), written, and only then taken from the pipe: at least once. A
// kill -9 between the two repeats up to 32 KiB. Where there is no splice (not
// Linux) bytes are read and written, and a kill -9 loses up to 32 KiB.
//
// Reading (Tail, Follow) needs no writer and never holds one up. Directories
// are made with mode 0700, files with 0600. Nothing is fsynced: a loss of power
// may take the last seconds.
package logs
