package usage

import (
	"os"
	"slices"
	"strconv"
	"strings"
)

// Credentials says for people whom a process runs as: its user, its group and its
// supplementary groups, by number. It is empty where nothing is known of the
// process, or where there is no /proc.
func Credentials(pid int) string {
	status, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/status")
	if err != nil {
		return ""
	}
	return credentials(string(status))
}

// credentials reads proc_pid_status(5). Of the four numbers of a line the second
// counts, the effective one.
func credentials(status string) string {
	var told []string
	for line := range strings.Lines(status) {
		words := strings.Fields(line)
		switch {
		case len(words) > 2 && slices.Contains([]string{"Uid:", "Gid:"}, words[0]):
			told = append(told, strings.ToLower(strings.TrimSuffix(words[0], ":"))+" "+words[2])
		case len(words) > 1 && words[0] == "Groups:":
			told = append(told, "groups "+strings.Join(words[1:], " "))
		}
	}
	return strings.Join(told, ", ")
}
