package main_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

// patience is how long a script waits for something that must happen; it is
// generous because the race detector and a busy machine are slow.
const patience = 60 * time.Second

// scriptCommands are what our scripts can say beyond testscript's own words.
// Words that begin with "until" and "phase-of" wait; the others look once.
func scriptCommands() map[string]func(ts *testscript.TestScript, neg bool, args []string) {
	return map[string]func(*testscript.TestScript, bool, []string){
		"phase-of":     cmdPhaseOf,     // phase-of CHILD|reconciler PHASE: waits
		"field":        cmdField,       // field CHILD PATH VALUE: waits until the status field has the value
		"until":        cmdUntil,       // until FILE REGEXP: waits until the file matches
		"until-not":    cmdUntilNot,    // until-not FILE REGEXP: waits until it exists and does not match
		"until-gone":   cmdUntilGone,   // until-gone FILE: waits
		"running":      cmdRunning,     // running N: waits until N children run
		"save":         cmdSave,        // save VAR CHILD PATH, or save VAR @FILE
		"same":         cmdSame,        // [!] same VALUE CHILD PATH
		"alive":        cmdAlive,       // [!] alive PID...
		"gone":         cmdGone,        // gone PID...: waits
		"save-all":     cmdSaveAll,     // save-all VAR PATH: CHILD=VALUE of every child
		"same-all":     cmdSameAll,     // same-all SAVED PATH [EXCEPT...]
		"alive-all":    cmdAliveAll,    // alive-all SAVED-PIDS
		"gone-all":     cmdGoneAll,     // gone-all SAVED-PIDS [EXCEPT...]: waits
		"free-port":    cmdFreePort,    // free-port VAR...: each a port on which nobody listens now
		"fill":         cmdFill,        // fill FILE...: $VAR in files becomes its value
		"valid-status": cmdValidStatus, // valid-status N: the status files are as the schemas say
		"scrape":       cmdScrape,      // scrape ADDR FILE REGEXP...: waits until the metrics match
		"ask":          cmdAsk,         // ask PATH FILE: what the control socket answers to GET PATH
		"gapless":      cmdGapless,     // gapless N: the output of c1 to cN counts "line 1", "line 2", … without a gap
	}
}

func usage(ts *testscript.TestScript, args []string, n int, text string) {
	if len(args) < n {
		ts.Fatalf("usage: %s", text)
	}
}

// waitFor polls until ok says "" and fails with what it said last.
func waitFor(ts *testscript.TestScript, ok func() string) {
	deadline := time.Now().Add(patience)
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for {
		why := ok()
		if why == "" {
			return
		}
		if time.Now().After(deadline) {
			ts.Fatalf("after %v: %s", patience, why)
		}
		<-tick.C
	}
}

// statusField is the value of a dotted path in a status file, as text.
func statusField(ts *testscript.TestScript, id, path string) (string, error) {
	data, err := os.ReadFile(ts.MkAbs(filepath.Join("status", id+".json")))
	if err != nil {
		return "", err
	}
	var v any
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.UseNumber()
	if err := dec.Decode(&v); err != nil {
		return "", fmt.Errorf("torn status file: %w", err)
	}
	for name := range strings.SplitSeq(path, ".") {
		m, ok := v.(map[string]any)
		if !ok {
			return "", fmt.Errorf("%s has no %s", id, path)
		}
		v = m[name]
	}
	return fmt.Sprint(v), nil
}

func awaitField(ts *testscript.TestScript, id, path, want string) {
	waitFor(ts, func() string {
		got, err := statusField(ts, id, path)
		if err == nil && got == want {
			return ""
		}
		return fmt.Sprintf("%s of %s is %q (%v), want %q", path, id, got, err, want)
	})
}

func cmdPhaseOf(ts *testscript.TestScript, _ bool, args []string) {
	usage(ts, args, 2, "phase-of CHILD|reconciler PHASE")
	path := "phase"
	if args[0] == "reconciler" {
		path = "state"
	}
	awaitField(ts, args[0], path, args[1])
}

func cmdField(ts *testscript.TestScript, _ bool, args []string) {
	usage(ts, args, 3, "field CHILD PATH VALUE")
	awaitField(ts, args[0], args[1], args[2])
}

func matches(ts *testscript.TestScript, file, expr string) (found, exists bool) {
	data, err := os.ReadFile(ts.MkAbs(file))
	return regexp.MustCompile(`(?m)` + expr).Match(data), err == nil
}

func cmdUntil(ts *testscript.TestScript, _ bool, args []string) {
	usage(ts, args, 2, "until FILE REGEXP")
	waitFor(ts, func() string {
		if found, _ := matches(ts, args[0], args[1]); found {
			return ""
		}
		return fmt.Sprintf("%s does not match %q", args[0], args[1])
	})
}

func cmdUntilNot(ts *testscript.TestScript, _ bool, args []string) {
	usage(ts, args, 2, "until-not FILE REGEXP")
	waitFor(ts, func() string {
		if found, exists := matches(ts, args[0], args[1]); exists && !found {
			return ""
		}
		return fmt.Sprintf("%s still matches %q, or is not there", args[0], args[1])
	})
}

func cmdUntilGone(ts *testscript.TestScript, _ bool, args []string) {
	usage(ts, args, 1, "until-gone FILE")
	waitFor(ts, func() string {
		if _, err := os.Lstat(ts.MkAbs(args[0])); os.IsNotExist(err) {
			return ""
		}
		return args[0] + " is still there"
	})
}

// children are the IDs of all status files of the root folder but the
// reconciler's own and those of supervisors.
func children(ts *testscript.TestScript) []string {
	files, err := filepath.Glob(ts.MkAbs("status/*.json"))
	ts.Check(err)
	var ids []string
	for _, f := range files {
		id := strings.TrimSuffix(filepath.Base(f), ".json")
		if kind, err := statusField(ts, id, "kind"); err == nil && id != "reconciler" && kind != "supervisor" {
			ids = append(ids, id)
		}
	}
	return ids
}

func cmdRunning(ts *testscript.TestScript, _ bool, args []string) {
	usage(ts, args, 1, "running N")
	waitFor(ts, func() string {
		n := 0
		for _, id := range children(ts) {
			if phase, err := statusField(ts, id, "phase"); err == nil && phase == "Running" {
				n++
			}
		}
		if strconv.Itoa(n) == args[0] {
			return ""
		}
		return fmt.Sprintf("%d children run, want %s", n, args[0])
	})
}

func cmdSave(ts *testscript.TestScript, _ bool, args []string) {
	usage(ts, args, 2, "save VAR CHILD PATH | save VAR @FILE")
	if file, ok := strings.CutPrefix(args[1], "@"); ok {
		ts.Setenv(args[0], strings.TrimSpace(ts.ReadFile(file)))
		return
	}
	usage(ts, args, 3, "save VAR CHILD PATH")
	value, err := statusField(ts, args[1], args[2])
	ts.Check(err)
	ts.Setenv(args[0], value)
}

func cmdSame(ts *testscript.TestScript, neg bool, args []string) {
	usage(ts, args, 3, "[!] same VALUE CHILD PATH")
	got, err := statusField(ts, args[1], args[2])
	ts.Check(err)
	if (got == args[0]) == neg {
		ts.Fatalf("%s of %s is %q; before it was %q", args[2], args[1], got, args[0])
	}
}

// lives reports whether pid is a process that is not a zombie.
func lives(pid string) bool {
	stat, err := os.ReadFile("/proc/" + pid + "/stat")
	if err != nil || pid == "" {
		return false
	}
	_, after, _ := bytes.Cut(stat, []byte(") "))
	return len(after) > 0 && after[0] != 'Z' && after[0] != 'X'
}

func cmdAlive(ts *testscript.TestScript, neg bool, args []string) {
	usage(ts, args, 1, "[!] alive PID...")
	for _, pid := range args {
		if lives(pid) == neg {
			ts.Fatalf("process %q: alive is %v, want %v", pid, neg, !neg)
		}
	}
}

func cmdGone(ts *testscript.TestScript, _ bool, args []string) {
	usage(ts, args, 1, "gone PID...")
	waitFor(ts, func() string {
		for _, pid := range args {
			if lives(pid) {
				return "process " + pid + " is still alive"
			}
		}
		return ""
	})
}

func cmdSaveAll(ts *testscript.TestScript, _ bool, args []string) {
	usage(ts, args, 2, "save-all VAR PATH")
	var all []string
	for _, id := range children(ts) {
		value, err := statusField(ts, id, args[1])
		ts.Check(err)
		all = append(all, id+"="+value)
	}
	ts.Setenv(args[0], strings.Join(all, ","))
}

// each calls do with every pair that save-all saved, but for the children of except.
func each(saved string, except []string, do func(id, value string)) {
	for pair := range strings.SplitSeq(saved, ",") {
		id, value, _ := strings.Cut(pair, "=")
		if !slices.Contains(except, id) {
			do(id, value)
		}
	}
}

func cmdSameAll(ts *testscript.TestScript, _ bool, args []string) {
	usage(ts, args, 2, "same-all SAVED PATH [EXCEPT...]")
	each(args[0], args[2:], func(id, value string) {
		cmdSame(ts, false, []string{value, id, args[1]})
	})
}

func cmdAliveAll(ts *testscript.TestScript, _ bool, args []string) {
	usage(ts, args, 1, "alive-all SAVED-PIDS [EXCEPT...]")
	each(args[0], args[1:], func(_, pid string) { cmdAlive(ts, false, []string{pid}) })
}

func cmdGoneAll(ts *testscript.TestScript, _ bool, args []string) {
	usage(ts, args, 1, "gone-all SAVED-PIDS [EXCEPT...]")
	each(args[0], args[1:], func(_, pid string) { cmdGone(ts, false, []string{pid}) })
}

func cmdGapless(ts *testscript.TestScript, _ bool, args []string) {
	usage(ts, args, 1, "gapless N")
	n, err := strconv.Atoi(args[0])
	ts.Check(err)
	for i := 1; i <= n; i++ {
		file := fmt.Sprintf(".reconciler/logs/c%d/current", i)
		next := 1
		for line := range strings.Lines(ts.ReadFile(file)) {
			if want := fmt.Sprintf("line %d\n", next); line != want {
				ts.Fatalf("%s: got %q, want %q", file, line, want)
			}
			next++
		}
		if next < 3 {
			ts.Fatalf("%s: only %d lines", file, next-1)
		}
	}
}
