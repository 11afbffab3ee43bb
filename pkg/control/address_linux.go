package control

const (
	maxAddress = 107 // sun_path, without its end
	dirOfFD    = "/proc/self/fd"
)
