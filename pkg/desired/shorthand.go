package desired

import (
	"fmt"
	"reflect"
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

func (a *account) read(w *walk, n *yaml.Node, path string, _ *rules) {
	d := deref(n)
	if d.Kind == yaml.ScalarNode && d.Tag == "!!int" && d.Style&(yaml.DoubleQuotedStyle|yaml.SingleQuotedStyle) == 0 {
		if _, err := strconv.ParseUint(d.Value, 10, 32); err != nil || !decimal.MatchString(d.Value) {
			w.report(path, position{n.Line, n.Column}, cut(d.Value)+" is not the number of a user or a group", "write a name, or a decimal number from 0 to 4294967295")
			return
		}
		*a = account(d.Value)
		return
	}
	s, ok := w.text(n, path)
	if ok && strings.TrimSpace(s) == "" {
		w.report(path, position{n.Line, n.Column}, "is empty", "name somebody or remove the line")
	}
	*a = account(s)
}

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
		return "write a name such as SIGTERM"
	}
	upper := "SIG" + strings.TrimPrefix(strings.ToUpper(name), "SIG")
	if unix.SignalNum(upper) != 0 {
		return "did you mean " + upper + "?"
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
