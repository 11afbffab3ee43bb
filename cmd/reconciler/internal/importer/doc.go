// Package importer makes manifests from what other supervisors read: supervisord,
// systemd units, Procfiles, process-compose, Docker Compose and Pebble layers.
//
// Each format is one file here and one function: text in, manifests and notes out.
// Nothing is left out in silence: every setting becomes a field, or a Note that says
// why not, at the manifest that it belongs to. Values of environment files are never
// copied; the file is named instead.
//
// What Import returns always passes `reconciler validate`: it is checked by the same
// code, and a field that would not pass is taken out again with a note.
package importer
