//go:build !linux

package daemon

// keepMemory has no means here: a debugger of the own user may read what he could read
// from the files of the secrets too.
func keepMemory() error { return nil }
