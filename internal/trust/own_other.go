//go:build !linux

package trust

// unmapped is nobody: there are no user namespaces.
func unmapped() uint32 { return 0 }
