//go:build linux

package shim

import (
	"bufio"
	"context"
	"encoding/binary"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"github.com/reconciler-dev/reconciler/pkg/runtime/child"
)

// framed is a frame with this body.
func framed(body string) []byte {
	return append(binary.BigEndian.AppendUint32(nil, uint32(len(body))), body...)
}

// greetedWith is what the shim of b answers to a brain that says body.
func (b *bench) greetedWith(body string) message {
	b.Helper()
	conn := b.say(framed(body))
	defer conn.Close()
	m, err := readFrame(bufio.NewReader(conn))
	if err != nil {
		b.Fatal(err)
	}
	return m
}

func TestBrainAndShimSpeakTheNewestVersionThatBothKnow(t *testing.T) {
	for _, c := range []struct {
		name       string
		one, other Protocols
		want       int // 0: none
	}{
		{"the same", Protocols{2, 2}, Protocols{2, 2}, 2},
		{"a newer one that remembers", Protocols{2, 5}, Protocols{2, 3}, 3},
		{"one within the other", Protocols{3, 4}, Protocols{2, 9}, 4},
		{"one that forgot", Protocols{4, 5}, Protocols{2, 3}, 0},
		{"no range at all", Protocols{3, 2}, Protocols{2, 3}, 0},
	} {
		there, ok := c.one.common(c.other)
		back, _ := c.other.common(c.one)
		if ok != (c.want != 0) || ok && (there != c.want || back != c.want) {
			t.Errorf("%s: %d, %v, the other way round %d; want %d", c.name, there, ok, back, c.want)
		}
	}
}

func TestBrainsOfOtherVersionsGetTheList(t *testing.T) {
	b := newBench(t, "")
	k := key("web", 0)
	p := b.run(k, stay)
	b.disconnect()

	for name, body := range map[string]string{
		"the first release":  `{"hello":{"protocol":2}}`,
		"a later one":        `{"hello":{"protocol":2,"protocols":{"min":2,"max":7},"later":true}}`,
		"one that forgot it": fmt.Sprintf(`{"hello":{"protocol":0,"protocols":{"min":0,"max":%d}}}`, maxProtocol),
	} {
		got := b.greetedWith(body).Listed

		if got == nil || len(got.Running) != 1 || got.Running[0].PID != p.PID || got.Shim.Protocol != maxProtocol {
			t.Errorf("%s: %+v, want the list with pid %d and protocol %d", name, got, p.PID, maxProtocol)
		}
	}

	b.connect()
	b.client.Signal(k, "SIGKILL", true)
	b.exited(k)
	b.client.Ack(k)
}

func TestBrainOfAnotherProtocolIsToldWhatToDoAndNothingIsDone(t *testing.T) {
	b := newBench(t, "")
	k := key("web", 0)
	p := b.run(k, stay)
	b.disconnect()

	for body, want := range map[string]string{
		`{"hello":{"protocol":99}}`:                                   "speaks protocol 2, this reconciler protocol 99: the children run on as they are; start the reconciler of version test again",
		`{"hello":{"protocol":98,"protocols":{"min":98,"max":99}}}`:   "this reconciler protocols 98 to 99:",
		`{"hello":{"protocol":2,"protocols":{"min":98,"max":2}}}`:     "speaks protocol 2",
		`{"hello":{"protocol":-9,"protocols":{"min":-9,"max":-300}}}`: "speaks protocol 2",
	} {
		if m := b.greetedWith(body); m.Listed != nil || !strings.Contains(m.Refused, want) {
			t.Errorf("%s: %+v, want a refusal with %q", body, m, want)
		}
	}
	b.connect()

	if diff := cmp.Diff(map[child.Key]int{k: p.PID}, pidsOf(b.list)); diff != "" {
		t.Errorf("running, want and got:\n%s", diff)
	}
	b.client.Signal(k, "SIGKILL", true)
	b.exited(k)
	b.client.Ack(k)
}

func TestShimSaysWhatItCan(t *testing.T) {
	b := newBench(t, "")

	got := b.list.Shim

	if got.Protocol != maxProtocol || len(got.Lacks()) > 0 || !got.Can(VersionedTable) || got.Can("fly") {
		t.Errorf("greeting = %+v, lacks %v", got, got.Lacks())
	}
}

func TestEveryCapabilityStandsOnThePageOfUpgrades(t *testing.T) {
	page, err := os.ReadFile("../../../docs/upgrade.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range ownCapabilities() {
		row := fmt.Sprintf("| `%s` | %s |", c, c.Without())
		if c.Without() == "" || !strings.Contains(string(page), row) {
			t.Errorf("docs/upgrade.md has no row %s", row)
		}
	}
}

// firstRelease answers one brain as the shims of the first release did: it demands
// this very hello, passes over what it does not know, and says no capability.
func firstRelease(t *testing.T, listener net.Listener) {
	conn, err := listener.Accept()
	if err != nil {
		return // the test is over
	}
	defer conn.Close()
	in := bufio.NewReader(conn)
	m, err := readFrame(in)
	answer := `{"listed":{"shim":{"pid":7,"version":"v0","started_at":"2026-01-02T03:04:05Z"},"running":[{"key":{"id":"web","incarnation":1,"generation":3},"attempt":4,"pid":77,"started_at":"2026-01-02T03:04:05Z"}]}}`
	if err != nil || m.Hello == nil || m.Hello.Protocol != 2 {
		answer = `{"refused":"the running shim (pid 7, version v0) speaks protocol 2"}`
	}
	if _, err := conn.Write(framed(answer)); err != nil {
		t.Error(err)
	}
	_, _ = in.ReadByte() // until the brain goes away
}

func TestShimOfTheFirstReleaseIsTakenAsItIs(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "s")
	if err := os.MkdirAll(shimDir(dir), 0o700); err != nil {
		t.Fatal(err)
	}
	listener, err := net.Listen("unix", filepath.Join(shimDir(dir), socketName))
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	client, err := NewClient(ClientConfig{StateDir: dir, Command: []string{"/nowhere/shim"}})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	ended := make(chan error, 2)
	go func() { firstRelease(t, listener); ended <- nil }()
	go func() { ended <- client.Run(ctx) }()

	got := <-client.Events()
	cancel()
	<-ended
	<-ended

	list, ok := got.(Listed)
	if !ok || list.Shim.PID != 7 || list.Shim.Protocol != 2 || len(list.Running) != 1 || list.Running[0].PID != 77 {
		t.Fatalf("event = %+v, want its list, of protocol 2", got)
	}
	if lacks := list.Shim.Lacks(); !slices.Equal(lacks, ownCapabilities()) {
		t.Errorf("lacks %v, want all of %v", lacks, ownCapabilities())
	}
}

// killedShim kills the shim of b for real, with no brain connected.
func (b *bench) killedShim() {
	b.Helper()
	b.disconnect()
	pid := b.list.Shim.PID
	if err := kill(pid, unix.SIGKILL); err != nil {
		b.Fatal(err)
	}
	b.until("the shim, all threads of it, is gone", func() bool {
		fd, err := dial(shimDir(b.dir))
		if err == nil {
			unix.Close(fd)
		}
		return b.gone(pid) && err != nil && nobodyListens(err)
	})
}

// editTable puts other words into the table, each in the place of words that are
// there.
func (b *bench) editTable(oldnew ...string) (edited []byte) {
	b.Helper()
	table, err := os.ReadFile(tablePath(b.dir))
	if err != nil {
		b.Fatal(err)
	}
	edited = []byte(strings.NewReplacer(oldnew...).Replace(string(table)))
	if string(edited) == string(table) {
		b.Fatalf("the table has no %q:\n%s", oldnew[0], table)
	}
	if err := os.WriteFile(tablePath(b.dir), edited, 0o600); err != nil {
		b.Fatal(err)
	}
	return edited
}

func TestTableOfALaterVersionIsLeftAlone(t *testing.T) {
	b := newBench(t, "")
	k := key("web", 0)
	p := b.run(k, stay)
	b.killedShim()
	now, later := fmt.Sprintf(`"version":%d,`, tableVersion), fmt.Sprintf(`"version":%d,`, tableVersion+1)
	table := append(b.editTable(now, later), "half a li"...)
	if err := os.WriteFile(tablePath(b.dir), table, 0o600); err != nil {
		t.Fatal(err)
	}

	ctx, cancel := context.WithTimeout(t.Context(), patience/2)
	defer cancel()
	err := Serve(ctx, Config{StateDir: b.dir, CgroupParent: b.cgroup})

	if err == nil || !strings.Contains(err.Error(), "a newer version wrote it (format 2, this one reads up to 1): the children run on") {
		t.Errorf("Serve = %v, want that the table is too new", err)
	}
	if left, err := os.ReadFile(tablePath(b.dir)); err != nil || string(left) != string(table) {
		t.Errorf("the table is %q, %v; want it as it was, %q", left, err, table)
	}
	if b.gone(p.PID) {
		t.Error("the child was ended")
	}
	b.editTable(later, now)
	b.connect()
	if diff := cmp.Diff(map[child.Key]int{k: p.PID}, pidsOf(b.list)); diff != "" {
		t.Errorf("running, want and got:\n%s", diff)
	}
	b.client.Signal(k, "SIGKILL", true)
	b.exited(k)
	b.client.Ack(k)
}

func TestTableOfTheFirstReleaseIsRead(t *testing.T) {
	b := newBench(t, "")
	k := key("web", 0)
	p := b.run(k, stay)
	b.run(key("short", 0), exitWith, 9)
	b.exited(key("short", 0)) // and not acknowledged
	b.killedShim()
	b.editTable(fmt.Sprintf(`"version":%d,`, tableVersion), "")

	b.connect()

	if diff := cmp.Diff(map[child.Key]int{k: p.PID}, pidsOf(b.list)); diff != "" {
		t.Errorf("running, want and got:\n%s", diff)
	}
	if len(b.list.Exits) != 1 || b.list.Exits[0].Code == nil || *b.list.Exits[0].Code != 9 {
		t.Errorf("exits = %+v, want code 9", b.list.Exits)
	}
	b.client.Ack(key("short", 0))
	b.client.Signal(k, "SIGKILL", true)
	b.exited(k)
	b.client.Ack(k)
}

func TestTableThatIsTooNewIsReplacedAfterAReboot(t *testing.T) {
	later := []line{{Kind: lineHead, Version: tableVersion + 1, Boot: "before"}}

	if err := tooNew(later, "before"); err == nil {
		t.Error("a table that is too new was taken")
	}
	if err := tooNew(later, "now"); err != nil {
		t.Errorf("a void table is in the way: %v", err)
	}
	if err := tooNew(nil, "now"); err != nil {
		t.Errorf("an empty table is in the way: %v", err)
	}
}

// sameAsGolden fails if text is not what stands in testdata/name.
func sameAsGolden(t *testing.T, name string, text []byte, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join("testdata", name)
	if os.Getenv("UPDATE") != "" {
		if err := os.WriteFile(path, text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	golden, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(golden), string(text)); diff != "" {
		t.Errorf("another version would read this (-golden +now); if it differs by more than a new field that may be missing, "+
			"tableVersion or maxProtocol rises too. UPDATE=1 writes it anew.\n%s", diff)
	}
}

func TestTableKeepsItsFormat(t *testing.T) {
	text, err := goldenTable()

	sameAsGolden(t, "table.golden", text, err)
}

func TestWordsKeepTheirFormat(t *testing.T) {
	text, err := goldenWords()

	sameAsGolden(t, "words.golden", text, err)
}

// The second file was written by the first release.
func TestLinesOfEveryKindAreReadBack(t *testing.T) {
	for _, name := range []string{"table.golden", "table-first-release.golden"} {
		table, lines, err := openTable(copyOf(t, filepath.Join("testdata", name)), "boot pid:[1]")
		if err != nil {
			t.Fatal(err)
		}
		table.close()

		group, places, exits := replay(lines, "boot pid:[1]")

		if group != "/sys/fs/cgroup/r" || len(lines) < 11 || len(places) != 4 || len(exits) != 1 {
			t.Errorf("%s: group %q, %d lines, %d places, exits %+v", name, group, len(lines), len(places), exits)
		}
		web, hook := places[place{id: "a/web"}], places[place{id: "b", role: child.PreStart}]
		if web == nil || web.intent == nil || web.started == nil || web.said == nil {
			t.Fatalf("%s: web = %+v, want its start and what it said", name, web)
		}
		if s := web.started; s.PID != 4711 || s.Identity.Ticks != 12345 || !s.Weak || !web.intent.Talks || !*web.said.Ready {
			t.Errorf("%s: web = %+v, started %+v", name, web.intent, s)
		}
		if hook == nil || hook.report == nil || *hook.report.Code != 3 || hook.report.Tail[0] != "last words" {
			t.Errorf("%s: hook = %+v, want its report", name, hook)
		}
	}
}

func copyOf(t *testing.T, name string) string {
	t.Helper()
	data, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "table")
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}
