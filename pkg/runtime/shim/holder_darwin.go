package shim

// nobodyBeside finds nobody here: the kernel tells no names of deleted files.
func nobodyBeside(string) error { return nil }
