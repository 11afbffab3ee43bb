package importer

import (
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/kballard/go-shellquote"

	"github.com/reconciler-dev/reconciler/pkg/runtime/child"
)

// words splits a command as a shell does, for programs that run without a shell.
func words(command string) ([]string, error) { return shellquote.Split(command) }

// shellCharacters are what only a shell acts on.
const shellCharacters = "$`|&;<>*?~(){}[]#!\n"

// assignment is a variable that is set before a command.
var assignment = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*=`)

// shellCommand is a command that its source runs with a shell: split into words
// where that means the same, else with a shell of its own.
func shellCommand(line string) []string {
	line = strings.TrimSpace(line)
	if !strings.ContainsAny(line, shellCharacters) && !assignment.MatchString(line) {
		if w, err := words(line); err == nil && len(w) > 0 && !builtins[w[0]] {
			return w
		}
	}
	return []string{"sh", "-c", line}
}

// builtins are words that only a shell knows.
var builtins = map[string]bool{
	"cd": true, "exec": true, ".": true, "source": true, "export": true, "eval": true, "set": true, "if": true,
	"while": true, "for": true, "until": true, "case": true, "trap": true, "ulimit": true, "umask": true, "wait": true, ":": true,
}

// mark is the dollar sign of a variable that the source fills in, while other
// dollar signs are characters. No configuration holds it.
const mark = "\ue000"

// withVariables is a command whose words hold variables, as mark and {NAME} or
// NAME, for a shell that fills them in: mark{NAME} stays one word, a word that is
// markNAME alone becomes several.
func withVariables(command []string) []string {
	var b strings.Builder
	b.WriteString("exec")
	for _, word := range command {
		b.WriteByte(' ')
		switch {
		case !strings.Contains(word, mark):
			b.WriteString(shellquote.Join(word))
		case lone.MatchString(word):
			b.WriteString(strings.ReplaceAll(word, mark, "$"))
		default:
			b.WriteString(`"` + inQuotes.Replace(word) + `"`)
		}
	}
	return []string{"sh", "-c", b.String()}
}

// hasVariables reports whether a command needs a shell.
func hasVariables(command []string) bool {
	return slices.ContainsFunc(command, func(w string) bool { return strings.Contains(w, mark) })
}

// inQuotes makes a word safe between double quotes.
var inQuotes = strings.NewReplacer(`\`, `\\`, `"`, `\"`, "`", "\\`", "$", `\$`, mark, "$")

// lone is a word that is one variable and nothing else.
var lone = regexp.MustCompile(`^` + mark + `[A-Za-z_][A-Za-z0-9_]*$`)

// signalName is the name of a signal as manifests write it.
func signalName(s string) string {
	s = strings.ToUpper(strings.TrimSpace(s))
	if name, ok := signalNumbers[s]; ok {
		return name
	}
	if number, err := strconv.Atoi(s); err == nil && child.RealTimeName(number) != "" {
		return child.RealTimeName(number)
	}
	if s == "" || strings.HasPrefix(s, "SIG") {
		return s
	}
	return "SIG" + s
}

// signalNumbers are those that configurations name by number (Linux).
var signalNumbers = map[string]string{
	"1": "SIGHUP", "2": "SIGINT", "3": "SIGQUIT", "6": "SIGABRT", "9": "SIGKILL", "10": "SIGUSR1",
	"12": "SIGUSR2", "14": "SIGALRM", "15": "SIGTERM", "18": "SIGCONT", "19": "SIGSTOP", "20": "SIGTSTP", "28": "SIGWINCH",
}

func ptr[T any](v T) *T { return &v }
