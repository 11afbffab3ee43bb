package trust

import (
	"os"
	"slices"
	"strconv"
	"strings"
)

// unmapped is the user whom the kernel shows for all that this user namespace does
// not know, or zero where it knows everybody (user_namespaces(7)).
func unmapped() uint32 {
	data, err := os.ReadFile("/proc/self/uid_map")
	if err != nil || slices.Equal(strings.Fields(string(data)), []string{"0", "0", "4294967295"}) {
		return 0
	}
	data, err = os.ReadFile("/proc/sys/kernel/overflowuid")
	if err != nil {
		return 65534
	}
	uid, err := strconv.ParseUint(strings.TrimSpace(string(data)), 10, 32)
	if err != nil {
		return 65534
	}
	return uint32(uid)
}
