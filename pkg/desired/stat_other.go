//go:build !linux

package desired

// Guarded reports that the modes of path are to be believed.
func (host) Guarded(string) bool { return false }

// Unwatchable reports that events of path are to be believed.
func (host) Unwatchable(string) bool { return false }
