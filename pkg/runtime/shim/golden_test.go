//go:build linux

package shim

import (
	"encoding/json"
	"time"

	"github.com/reconciler-dev/reconciler/pkg/runtime/child"
	"github.com/reconciler-dev/reconciler/pkg/runtime/logs"
)

// goldenTable is a table with a line of each kind, every field of it set.
func goldenTable() ([]byte, error) {
	at := time.Date(2026, 1, 2, 3, 4, 5, 678, time.UTC)
	yes, words, code := true, "40 % done", 3
	a := &attempt{
		Process: Process{
			Key: child.Key{ID: "a/web", Incarnation: 2, Generation: 3}, Attempt: 4, PID: 4711, StartedAt: at,
			SpecHash: "sha256:abc", WeakKill: true,
		},
		ident: identity{Ticks: 12345, Inode: 678}, token: "c0ffee", policy: logs.Policy{MaxBytes: 1 << 20, MaxFiles: 5, Timestamps: true},
		ear: ear{
			talks: true, address: &address{Path: "/run/reconciler-notify/1f0c/99e2", UID: 1000},
			said: Notice{Ready: &yes, Status: &words, Every: time.Second, Errno: 5, ExitStatus: "1"},
		},
		report: &Report{
			Key: child.Key{ID: "b", Incarnation: 1, Generation: 0, Role: child.PreStart, Run: 2}, Attempt: 1, PID: 4712, Code: &code, Signal: "SIGKILL",
			CoreDumped: true, OOMKilled: true, Lost: true, StartedAt: at, FinishedAt: at.Add(time.Minute),
			Tail: []string{"last words"}, Leftovers: []string{"pid 9 (sh)"},
		},
	}
	b := &attempt{Process: Process{Key: a.report.Key, Attempt: 1, StartedAt: at}, report: a.report}
	gone := child.Key{ID: "gone", Incarnation: 1, Generation: 7}
	lines := []line{
		{Kind: lineHead, Version: tableVersion, Boot: "boot pid:[1]", Group: "/sys/fs/cgroup/r", Tag: "0123456789abcdef"},
		{Kind: lineFence, Key: gone},
		a.line(lineIntent), a.line(lineStarted), a.line(lineNotified),
		a.line(lineStopping),
		b.line(lineIntent), b.line(lineExited),
		{Kind: lineExited, Key: gone, Report: &Report{Key: gone, Attempt: 8, PID: 4713, Lost: true, StartedAt: at, FinishedAt: at}},
		{Kind: lineIntent, Key: child.Key{ID: "c", Incarnation: 1}, Attempt: 1, StartedAt: at},
		{Kind: lineFailed, Key: child.Key{ID: "c", Incarnation: 1}},
		{Kind: lineAcked, Key: child.Key{ID: "c", Incarnation: 1}},
	}
	var text []byte
	for _, l := range lines {
		var err error
		if text, err = appendLine(text, l); err != nil {
			return nil, err
		}
	}
	return text, nil
}

// goldenWords are one of each message, every field of it set.
func goldenWords() ([]byte, error) {
	at := time.Date(2026, 1, 2, 3, 4, 5, 678, time.UTC)
	yes, words, code := true, "40 % done", 3
	k := child.Key{ID: "a/web", Incarnation: 2, Generation: 3, Role: child.PreStop, Run: 4}
	notice := Notice{
		Key: k, Ready: &yes, Status: &words, Reloading: true, Stopping: true, Heartbeat: true, Broken: true,
		Every: time.Second, Extend: time.Minute, Errno: 5, ExitStatus: "1", Refusals: 2, Foreign: 3, Refused: "too long",
	}
	p := Process{Key: k, Attempt: 4, PID: 4711, StartedAt: at, SpecHash: "sha256:abc", WeakKill: true, Said: &notice, Output: &Output{Blocked: "full", Drops: true, Dropped: 6}}
	r := Report{
		Key: k, Attempt: 4, PID: 4711, Code: &code, Signal: "SIGKILL", CoreDumped: true, OOMKilled: true, Lost: true,
		StartedAt: at, FinishedAt: at.Add(time.Minute), Tail: []string{"last words"}, Leftovers: []string{"pid 9 (sh)"},
	}
	var text []byte
	for _, m := range []message{
		{Hello: newHello(Protocols{2, 3})},
		{Start: &Launch{
			Key: k, Attempt: 4, SpecHash: "sha256:abc", Path: "/bin/web", Args: []string{"web", "-v"}, Dir: "/srv", Env: []string{"A=b"},
			Credential: &Credential{UID: 1, GID: 2, Groups: []uint32{3}}, Log: logs.Policy{MaxBytes: 1 << 20, MaxFiles: 5, Timestamps: true, Drop: true}, Notify: true,
		}},
		{Signal: &signalRequest{Key: k, Signal: "SIGHUP", Tree: true}},
		{Ack: &k},
		{Quit: true},
		{Listed: &listing{
			Shim:    Info{PID: 9, Version: "v1", StartedAt: at, Protocol: 2, Capabilities: ownCapabilities()},
			Running: []Process{p}, Exits: []Report{r},
		}},
		{Started: &p},
		{StartFailed: &StartFailed{Key: k, Reason: "no such file", Busy: true, At: at}},
		{Exited: &r},
		{Notified: &notice},
		{Output: &Output{Key: k, Blocked: "full", Drops: true, Dropped: 6}},
		{Refused: "the shim stays"},
		{Bye: true},
		{Ping: true},
		{Pong: true},
	} {
		body, err := json.Marshal(m)
		if err != nil {
			return nil, err
		}
		text = append(append(text, body...), '\n')
	}
	return text, nil
}
