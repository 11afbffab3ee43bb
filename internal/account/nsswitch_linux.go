package account

import (
	"slices"
	"strings"
)

// groupsElsewhere reports whether nsswitch.conf(5) has somebody beside the file say
// who is in which group. What systemd adds there is the groups of its own users,
// which do not stand in the file either.
func (d Database) groupsElsewhere() bool {
	for _, database := range []string{"initgroups", "group"} { // as initgroups(3) looks
		if services := d.services(database); services != nil {
			return slices.ContainsFunc(services, func(s string) bool {
				return !slices.Contains([]string{"files", "compat", "systemd"}, s) && !strings.ContainsAny(s, "[]=")
			})
		}
	}
	return false
}

// services are the words of the line of a database; nil if there is none. A file
// that cannot be read is as good as none: then glibc asks the files alone.
func (d Database) services(database string) (services []string) {
	_ = lines(or(d.SwitchFile, "/etc/nsswitch.conf"), database, func(line string) bool {
		line, _, _ = strings.Cut(line, "#")
		if name, list, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(name) == database {
			services = strings.Fields(list)
		}
		return services == nil
	})
	return services
}
