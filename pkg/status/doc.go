// Package status writes what is known of every child into a directory, one JSON
// file a child and reconciler.json for the runtime, and reads it back.
//
// The files are for shell scripts, monitors and people. A reader needs no lock
// and no retry:
//
//   - A file is written whole or not at all: a temporary file and a rename.
//   - Only Writer writes; a file changes only if its content does, and a child
//     that changes all the time is written ten times a second at most. Running,
//     Completed, Failed and Quarantined are written at once.
//   - The file of a child that is gone goes too. What a killed writer left behind
//     goes at the next start; files that are not ours are never touched.
//   - A disk that is full or read-only leaves the old files as they are, is
//     reported, and stops nothing.
//
// Nothing is fsynced: all of it can be derived again (15,500 files a second were
// measured against 332 with fsync).
//
// Encode is pure: the same input gives the same bytes. The types Child and
// Runtime are the schema; programs in Go read with ReadChild, ReadAll and
// ReadRuntime.
package status
