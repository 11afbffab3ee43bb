package main_test

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/reconciler-dev/reconciler/internal/pidns"
)

func TestAFullDiskOfTheLogsIsSaidByEveryVerbAndItsEndToo(t *testing.T) {
	if os.Getuid() != 0 || !pidns.Isolated() {
		skipOutsideCI(t, "only root can mount a small file system in a namespace of its own")
	}
	c := &container{t: t, dir: t.TempDir()}
	c.write("manifests/talker.yaml", `{name: talker, command: [sh, -c, 'yes | head -c 900000; echo x > printed; exec sleep 1000']}`)
	c.write("manifests/loser.yaml", `{name: loser, logs: {when_full: drop}, command: [sh, -c, 'yes | head -c 900000; echo x > lost; exec sleep 1000']}`)
	c.write("manifests/quiet.yaml", `{name: quiet, command: [sleep, "1000"]}`)
	disk := filepath.Join(c.dir, ".reconciler", "logs")
	if err := os.MkdirAll(disk, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := unix.Mount("none", disk, "tmpfs", 0, "mode=0700,size=256k"); err != nil {
		t.Skipf("no rights to mount: %v", err)
	}
	t.Cleanup(func() { _ = unix.Unmount(disk, unix.MNT_DETACH) })
	c.outer = exec.Command("reconciler", "run")
	c.outer.Dir, c.outer.Stdout, c.outer.Stderr = c.dir, &c.log, &c.log
	if err := c.outer.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.outer.Process.Kill() }) // it ended, where all is well
	verb := func(args ...string) (code int, text string) {
		cmd := exec.Command("reconciler", args...)
		cmd.Dir = c.dir
		out, _ := cmd.CombinedOutput() // its exit code says it
		return cmd.ProcessState.ExitCode(), string(bytes.TrimSpace(out))
	}

	c.await("one that is held up", c.says("status/talker.json", `"reason": "OutputBlocked"`))
	c.await("one that loses output and goes on", c.says("lost", "x"))
	c.await("what it lost", c.says("status/loser.json", `"reason": "OutputDropped"`))
	c.await("the whole says it", c.says("status/reconciler.json", `"type": "LogsWritable"`))
	_, get := verb("get")
	_, why := verb("why", "talker")
	code, health := verb("health")
	printed := c.says("printed", "x")()
	quiet := c.says("status/quiet.json", "LogWritable")()
	if err := unix.Mount("none", disk, "tmpfs", unix.MS_REMOUNT, "mode=0700,size=8m"); err != nil {
		t.Fatal(err)
	}
	c.await("the end of it", c.says("printed", "x"))
	c.await("a condition that ends", func() bool {
		return !c.says("status/talker.json", "LogWritable")() && !c.says("status/loser.json", "LogWritable")()
	})
	well, _ := verb("health")

	if !strings.Contains(get, "Running,OutputBlocked") || !strings.Contains(get, "Running,OutputDropped") {
		t.Errorf("get says\n%s", get)
	}
	if !strings.Contains(why, "no space left on device") {
		t.Errorf("why says\n%s", why)
	}
	if code != 1 || !strings.Contains(health, "talker") || strings.Contains(health, "loser") || strings.Contains(health, "quiet") {
		t.Errorf("health ends with %d and says %q; want 1, and talker alone", code, health)
	}
	if printed || quiet {
		t.Errorf("talker printed all: %v, quiet has the condition: %v; want neither", printed, quiet)
	}
	if well != 0 {
		t.Errorf("health ends with %d when there is room again", well)
	}
	if out, err := os.ReadFile(filepath.Join(disk, "talker", "current")); err != nil || len(out) != 900000 {
		t.Errorf("the log of talker has %d bytes (%v), want all 900000", len(out), err)
	}
	if !c.says(".reconciler/logs/loser/current", "bytes were dropped here: no space left on device")() {
		t.Error("the log of loser does not say where output was dropped")
	}
	if code, text := verb("shutdown"); code != 0 {
		t.Errorf("shutdown ends with %d: %s", code, text)
	}
	if code := c.ended(); code != 0 {
		t.Errorf("it ended with %d:\n%s", code, c.log.String())
	}
}
