package desired

import (
	"fmt"
	"reflect"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"

	"github.com/kballard/go-shellquote"
	"go.yaml.in/yaml/v3"
	"golang.org/x/sys/unix"

	"github.com/reconciler-dev/reconciler/pkg/runtime/child"
)

// This file holds the values that may be written in more than one way.

// command is a program and its arguments: a list, or one string that is split
// as a shell splits words.
type command []string

// operators are what a shell would act on. As a word of its own in a command
// they nearly always mean that somebody expects a shell.
var operators = []string{"|", "||", "&", "&&", ";", ">", ">>", "<", "<<", "2>", "2>>", "2>&1", "&>"}

func (c *command) read(w *walk, n *yaml.Node, path string, r *rules) {
	if deref(n).Kind != yaml.ScalarNode || deref(n).Tag == "!!null" {
		words := []string{}
		w.list(n, path, &rules{minItems: r.minItems}, reflect.ValueOf(&words).Elem())
		*c = words
		return
	}
	*c = command{}
	line, ok := w.text(n, path)
	if !ok {
		return
	}
	words, err := shellquote.Split(line)
	at := position{n.Line, n.Column}
	if err != nil {
		w.report(path, at, strings.ToLower(err.Error()), "close the quotes, or write the command as a list")
		return
	}
	*c = words
	for _, word := range strings.Fields(line) {
		if slices.Contains(operators, word) && slices.Contains(words, word) {
			w.report(path, at, fmt.Sprintf("no shell runs, so %s would be an argument", quoted(word)),
				`write ["sh", "-c", "…"], or quote it inside the string if it is one`)
			return
		}
	}
}

func (c *command) check(ck *checker) {
	if len(*c) == 0 || (*c)[0] == "" {
		ck.problem("", "is an empty command", "name a program or remove the line")
		return
	}
	if strings.HasPrefix((*c)[0], "-") {
		ck.problem("", quoted((*c)[0])+" is an option, not a program", `name the program first; where several commands are meant, each is a list of its own: [["sh", "-c", "…"]]`)
	}
}

// read takes a name, or a section with one.
func (d *dependency) read(w *walk, n *yaml.Node, path string, _ *rules) {
	if deref(n).Kind == yaml.ScalarNode {
		d.Name, _ = w.text(n, path)
		return
	}
	w.section(n, path, reflect.ValueOf(d).Elem())
}

func (d *dependency) check(c *checker) {
	field := "name"
	if c.walk.pos[len(c.walk.pos)-1].path == c.path {
		field = "" // written as a name alone
	}
	if strings.HasPrefix(d.Name, "/") {
		c.problem(field, quoted(d.Name)+" is a path; want a name or an id", "write "+strings.TrimLeft(d.Name, "/"))
	} else if _, err := child.ParseID(d.Name); err != nil {
		c.problem(field, err.Error(), "write a name beside this child, or an id such as payments/db")
	}
}

// inheritEnvironment is true, false, or a list of names.
type inheritEnvironment child.InheritEnvironment

func (e *inheritEnvironment) read(w *walk, n *yaml.Node, path string, _ *rules) {
	if deref(n).Kind == yaml.ScalarNode {
		e.All, _ = w.truth(n, path)
		return
	}
	names := []string{}
	w.list(n, path, variableRules, reflect.ValueOf(&names).Elem())
	e.Names = sortedSet(names)
}

// variableRules are those of the name of an environment variable.
var variableRules = fieldRules[envVar]("Name")

// fieldRules are the rules of one field of T.
func fieldRules[T any](name string) *rules {
	f, _ := reflect.TypeFor[T]().FieldByName(name)
	r := readRules(f.Tag)
	return &r
}

// account is a user or a group: a name, or a number with or without quotes.
type account string

// highest is the last number of a user or a group. The one above it is what
// setuid(2) and chown(2) take for "as it is".
const highest = 1<<32 - 2

func (a *account) read(w *walk, n *yaml.Node, path string, _ *rules) {
	d, at := deref(n), position{n.Line, n.Column}
	text := d.Value
	if d.Kind != yaml.ScalarNode || d.Tag != "!!int" {
		var ok bool
		if text, ok = w.text(n, path); !ok {
			return
		}
	}
	if strings.TrimSpace(text) == "" {
		w.report(path, at, "is empty", "name somebody or remove the line")
		return
	}
	if strings.Trim(text, "0123456789") == "" || d.Tag == "!!int" {
		if id, err := strconv.ParseUint(text, 10, 32); err != nil || id > highest || !decimal.MatchString(text) {
			w.report(path, at, cut(text)+" is not the number of a user or a group", fmt.Sprintf("write a name, or a decimal number from 0 to %d", highest))
			return
		}
	} else if !accountName.MatchString(text) {
		w.report(path, at, quoted(text)+" is not the name of a user or a group", "write a name such as app, or a decimal number")
		return
	}
	*a = account(text)
}

// accountName is what may name somebody, as systemd's relaxed rule has it: names of
// directories (DOMAIN\user, user@realm, 2fast) are fine. What begins like an option,
// is a number in another notation, or cannot stand in passwd(5) is none.
var accountName = regexp.MustCompile(`^([^-+~0:,/\x00-\x20\x7f]|0[^xXoObB:,/\x00-\x20\x7f])[^:,/\x00-\x1f\x7f]*$`)

// signal is the name of a signal that the system knows, such as SIGTERM.
type signal string

func (s *signal) read(w *walk, n *yaml.Node, path string, _ *rules) {
	d := deref(n)
	name := d.Value
	if d.Kind != yaml.ScalarNode || d.Tag != "!!int" {
		var ok bool
		if name, ok = w.text(n, path); !ok {
			return
		}
	}
	if number, realTime := child.RealTimeSignal(name); realTime {
		*s = signal(child.RealTimeName(number)) // one signal, one name, one hash
		return
	}
	if unix.SignalNum(name) == 0 {
		w.report(path, position{n.Line, n.Column}, quoted(name)+" is not a signal", meantSignal(name))
		return
	}
	*s = signal(name)
}

// meantSignal is a hint for a signal written by number, in lower case or
// without SIG.
func meantSignal(name string) string {
	if number, err := strconv.Atoi(name); err == nil {
		if known := unix.SignalName(unix.Signal(number)); known != "" {
			return "write " + known
		}
		if known := child.RealTimeName(number); known != "" {
			return "write " + known
		}
		return "write a name such as SIGTERM"
	}
	upper := "SIG" + strings.TrimPrefix(strings.ToUpper(name), "SIG")
	_, realTime := child.RealTimeSignal(upper)
	if realTime || unix.SignalNum(upper) != 0 {
		return "did you mean " + upper + "?"
	}
	if strings.HasPrefix(upper, "SIGRT") && runtime.GOOS == "linux" {
		return "write a real-time signal as SIGRTMIN to SIGRTMIN+30"
	}
	var names []string
	for number := unix.Signal(1); number < 32; number++ {
		names = append(names, unix.SignalName(number))
	}
	if hint := didYouMean(upper, names); hint != "" {
		return hint
	}
	return "write a name such as SIGTERM"
}

// sortedSet is s without duplicates, sorted; nil if s holds nothing.
func sortedSet[T ~string | ~int](s []T) []T {
	if len(s) == 0 {
		return nil
	}
	s = slices.Clone(s)
	slices.Sort(s)
	return slices.Compact(s)
}
