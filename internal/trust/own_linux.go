package trust

import (
	"fmt"
	"os"
	"strconv"
	"strings"
)

// unmapped is the user whom the kernel shows for all that this user namespace does
// not know, or zero where it knows everybody (user_namespaces(7)).
func unmapped() uint32 {
	known, err := os.ReadFile("/proc/self/uid_map")
	if err != nil {
		return 0
	}
	uid := uint64(65534)
	if data, err := os.ReadFile("/proc/sys/kernel/overflowuid"); err == nil {
		if n, err := strconv.ParseUint(strings.TrimSpace(string(data)), 10, 32); err == nil {
			uid = n
		}
	}
	if mapped(string(known), uid) {
		return 0
	}
	return uint32(uid)
}

// mapped reports whether a user namespace with this uid_map has a user of this number
// of its own. Then the kernel shows two under one number, that one and all whom the
// namespace does not know, and which it is cannot be told: so nobody is excused.
// Containers mostly map 65,536 users, nobody among them.
func mapped(uidMap string, uid uint64) bool {
	for line := range strings.Lines(uidMap) {
		var first, outside, count uint64
		n, _ := fmt.Sscan(line, &first, &outside, &count)
		if n == 3 && uid >= first && uid-first < count {
			return true
		}
	}
	return false
}
