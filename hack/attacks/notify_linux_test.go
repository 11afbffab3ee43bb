package attacks

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// say sends messages to a notify socket.
func say(socket string, messages ...string) error {
	conn, err := net.DialUnix("unixgram", nil, &net.UnixAddr{Name: socket, Net: "unixgram"})
	if err != nil {
		return err
	}
	defer conn.Close()
	for _, m := range messages {
		if _, err := conn.Write([]byte(m)); err != nil {
			return err
		}
	}
	return nil
}

// talker declares a child that plays an attack for ever and has a notify socket.
func (h *house) talker(name string, uid int, attack, more string, args ...string) {
	h.t.Helper()
	command := []string{quoted(attacker())}
	for _, a := range args {
		command = append(command, quoted(a))
	}
	h.manifest(name, fmt.Sprintf(`name: %s
command: [%s]
run_as: {user: "%d", group: %d}
environment:
  - {name: %s, value: %s}
readiness: {notify: true}
%s
`, name, strings.Join(command, ", "), uid, uid, attackVariable, quoted(attack), more))
}

// socketOf is the notify socket that a child has printed.
func (h *house) socketOf(name string) (socket string) {
	h.t.Helper()
	waitFor(h.t, func() string {
		for line := range strings.Lines(h.reconciler("logs", name).Out) {
			if _, path, ok := strings.Cut(strings.TrimSpace(line), "socket "); ok {
				socket = path
				return ""
			}
		}
		return name + " has not said where its socket is"
	})
	return socket
}

// journalSize is how many bytes the journal takes.
func (h *house) journalSize() (size int64) {
	h.t.Helper()
	files, err := filepath.Glob(filepath.Join(h.State, "journal", "*"))
	h.do(err)
	for _, f := range files {
		info, err := os.Stat(f)
		h.do(err)
		size += info.Size()
	}
	return size
}

// beats is no attack: it is ready, and says WATCHDOG=1 ten times a second.
var beats = attack("beats", func([]string) error {
	socket := os.Getenv("NOTIFY_SOCKET")
	fmt.Println("socket", socket)
	if err := say(socket, "READY=1"); err != nil {
		return err
	}
	for range time.Tick(100 * time.Millisecond) {
		if err := say(socket, "WATCHDOG=1"); err != nil {
			return err
		}
	}
	return nil
})

// floodSocket says something many times: arguments are the socket, how often, and what.
var floodSocket = attack("flood-socket", func(args []string) error {
	times, err := strconv.Atoi(args[1])
	if err != nil {
		return err
	}
	for range times {
		if err := say(args[0], args[2]); err != nil {
			return err
		}
	}
	return nil
})

func TestNobodyCannotSpeakToTheSocketOfAChildOfAnotherUser(t *testing.T) {
	h := newHouse(t)
	const heartbeat = "health_check: {heartbeat: true, check_interval_secs: 5, max_retries: 1}"
	victims := map[string]int{"web": 0, "user": nobody - 1}
	for name, uid := range victims {
		h.talker(name, uid, beats, heartbeat)
	}
	h.daemon()
	for name := range victims {
		h.running(name)
	}

	for name := range victims {
		socket := h.socketOf(name)
		mark := markOf(t, h.field(name, "pid"))
		cmd := attackCommand(t, nobody, floodSocket, socket, "9000", "WATCHDOG=trigger")
		cmd.Env = append(cmd.Env, "RECONCILER_KEY="+mark)
		if got := run(t, cmd); !got.Refused() || !strings.Contains(got.Err, "permission denied") {
			t.Errorf("nobody speaks to %s: %+v, want to be refused", socket, got)
		}
		if got := asNobody(t, "rm", "-f", socket); got.Code == 0 {
			t.Errorf("nobody removes %s: %+v", socket, got)
		}
	}

	for name := range victims {
		h.running(name)
		if h.field(name, "attempt") != "1" || h.field(name, "said.foreign") != "" {
			t.Errorf("%s is at attempt %s and heard %s messages of others", name, h.field(name, "attempt"), h.field(name, "said.foreign"))
		}
	}
}

// markOf is how the shim marked a process.
func markOf(t *testing.T, pid string) string {
	t.Helper()
	environ, err := os.ReadFile("/proc/" + pid + "/environ")
	if err != nil {
		t.Fatal(err)
	}
	for kv := range strings.SplitSeq(string(environ), "\x00") {
		if mark, ok := strings.CutPrefix(kv, "RECONCILER_KEY="); ok {
			return mark
		}
	}
	t.Fatalf("pid %s has no mark", pid)
	return ""
}

// keepsQuiet is no attack: it says where its socket is, and is never ready.
var keepsQuiet = attack("keeps-quiet", func([]string) error {
	fmt.Println("socket", os.Getenv("NOTIFY_SOCKET"))
	select {}
})

// impersonate speaks as itself and with the mark of another child in its environment.
var impersonate = attack("impersonate", func(args []string) error {
	if len(args) == 2 {
		self, err := os.Executable()
		if err != nil {
			return err
		}
		cmd := exec.Command(self, args[0])
		cmd.Env = append(os.Environ(), "RECONCILER_KEY="+args[1])
		if err := cmd.Run(); err != nil {
			return err
		}
	}
	for range 1000 {
		if err := say(args[0], "READY=1\nSTATUS=it is me"); err != nil {
			return err
		}
	}
	return nil
})

func TestAChildCannotSpeakForAnotherOfTheSameUser(t *testing.T) {
	h := newHouse(t)
	h.talker("quiet", nobody, keepsQuiet, "")
	h.daemon()
	h.running("quiet")

	h.childAttack("impostor", impersonate, h.socketOf("quiet"), markOf(t, h.field("quiet", "pid")))
	played := h.childResult("impostor")
	waitFor(t, func() string {
		if h.field("quiet", "said.foreign") == "2000" {
			return ""
		}
		return "of 2000 strange messages " + h.field("quiet", "said.foreign") + " are counted"
	})

	if played.Code != 0 {
		t.Errorf("the attack was not played: %+v", played)
	}
	if at := h.field("quiet", "ready_at"); at != "" {
		t.Errorf("the child was heard through another: ready at %s", at)
	}
	events := h.reconciler("events", "--type", "notice_refused", "-o", "json")
	if n := strings.Count(events.Out, "\n"); n != 1 {
		t.Errorf("%d entries for 2000 strange messages, want one: %s", n, events.Out)
	}
}

// putOff asks for 285 years when it is told to end, and ends when there is a file.
var putOff = attack("put-off", func(args []string) error {
	told := make(chan os.Signal, 1)
	signal.Notify(told, syscall.SIGTERM)
	if err := say(os.Getenv("NOTIFY_SOCKET"), "READY=1"); err != nil {
		return err
	}
	<-told
	for range time.Tick(10 * time.Millisecond) {
		if err := say(os.Getenv("NOTIFY_SOCKET"), "EXTEND_TIMEOUT_USEC=9000000000000000"); err != nil {
			return err
		}
		if _, err := os.Stat(args[0]); err == nil {
			return nil
		}
	}
	return nil
})

func TestAChildCannotPutOffItsEndForEver(t *testing.T) {
	h := newHouse(t)
	let := filepath.Join(h.Open, "end")
	h.talker("late", nobody, putOff, "shutdown: {graceful_timeout_secs: 5}", let)
	h.daemon()
	h.running("late")
	waitFor(t, func() string {
		if h.field("late", "ready_at") == "" {
			return "late is not ready"
		}
		return ""
	})

	begun := time.Now()
	if got := h.reconciler("pause", "late", "--reason", "test"); got.Code != 0 {
		t.Fatalf("pause: %+v", got)
	}
	var deadline time.Time
	waitFor(t, func() string {
		deadline, _ = time.Parse(time.RFC3339Nano, h.field("late", "stop_deadline"))
		if deadline.Sub(begun) > 10*time.Minute {
			return ""
		}
		return fmt.Sprintf("the deadline is %q: it was not heard", h.field("late", "stop_deadline"))
	})
	h.write(let, "")

	if most := begun.Add(time.Hour + time.Minute); deadline.After(most) {
		t.Errorf("SIGKILL would come at %v, want %v at the latest", deadline, most)
	}
	waitFor(t, func() string {
		if phase := h.field("late", "phase"); phase != "Stopped" {
			return "late is " + phase
		}
		return ""
	})
}

// talkWithoutEnd says 100,000 things about itself once there is a file.
var talkWithoutEnd = attack("talk-without-end", func(args []string) error {
	socket := os.Getenv("NOTIFY_SOCKET")
	if err := say(socket, "READY=1"); err != nil {
		return err
	}
	for range time.Tick(10 * time.Millisecond) {
		if _, err := os.Stat(args[0]); err == nil {
			break
		}
	}
	for i := range 20_000 {
		err := say(socket, fmt.Sprint("STATUS=", i), "READY=1", "RELOADING=1\nMONOTONIC_USEC=1", "MAINPID=1", "ERRNO=none")
		if err != nil {
			return err
		}
	}
	if err := say(socket, "READY=1"); err != nil {
		return err
	}
	if err := os.WriteFile(args[1], nil, 0o644); err != nil {
		return err
	}
	select {}
})

func TestAChildThatTalksWithoutEndLeavesTheJournalToOthers(t *testing.T) {
	h := newHouse(t)
	let, all := filepath.Join(h.Open, "talk"), filepath.Join(h.Open, "all-said")
	h.talker("loud", nobody, talkWithoutEnd, "", let, all)
	h.manifest("web", sleeper)
	h.daemon()
	h.running("loud")
	h.running("web")
	if got := h.reconciler("pause", "web", "--reason", "what alice did"); got.Code != 0 {
		t.Fatalf("pause: %+v", got)
	}
	before := h.journalSize()

	h.write(let, "")
	waitFor(t, func() string {
		if _, err := os.Stat(all); err != nil {
			return "loud still talks"
		}
		return ""
	})
	grown := h.journalSize() - before

	commands := h.reconciler("events", "--type", "command_accepted", "--child", "web", "-o", "json")
	if !strings.Contains(commands.Out, "what alice did") {
		t.Errorf("the command of the operator is gone: %s", commands.Out)
	}
	t.Logf("the journal grew by %d bytes for 100,000 messages", grown)
	if grown > 100<<10 {
		t.Errorf("the journal grew by %d bytes", grown)
	}
}
