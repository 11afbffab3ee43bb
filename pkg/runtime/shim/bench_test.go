//go:build linux

package shim

import (
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
)

// small is a child that costs little: what is measured is the shim.
func (b *bench) small(id string, script string) Launch {
	l := b.launch(key(id, 0), exitWith, 0)
	l.Path, l.Args = "/bin/sh", []string{"sh", "-c", script}
	return l
}

// BenchmarkStart compares 1,000 starts and exits through a shim, eight at a time,
// with a bare loop of fork, exec and wait in this process.
func BenchmarkStart(b *testing.B) {
	b.Run("bare", func(b *testing.B) {
		for b.Loop() {
			if err := exec.Command("/bin/sh", "-c", "exit 0").Run(); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("shim", func(b *testing.B) {
		h := newBench(b, "")
		n, open := 0, 0
		for b.Loop() {
			h.client.Start(h.small(fmt.Sprint("w", n), "exit 0"))
			if n, open = n+1, open+1; open == 8 {
				h.client.Ack(await[Exited](h, nil).Key)
				open--
			}
			h.seen = nil
		}
		for ; open > 0; open-- {
			h.client.Ack(await[Exited](h, nil).Key)
		}
	})
}

// BenchmarkMemory says what a shim with 1,000 sleeping children takes.
func BenchmarkMemory(b *testing.B) {
	const children = 1000
	h := newBench(b, "")
	for b.Loop() { // it is measured once, however often the benchmark would run
	}
	empty := rssOf(b, h.list.Shim.PID)
	for i := range children {
		h.client.Start(h.small(fmt.Sprint("w", i), "exec sleep 1000"))
	}
	for i := range children {
		h.started(key(fmt.Sprint("w", i), 0))
	}
	full := rssOf(b, h.list.Shim.PID)
	b.ReportMetric(float64(full)/1024, "MiB")
	b.ReportMetric(float64(full-empty)/children, "KiB/child")
	for i := range children {
		h.client.Signal(key(fmt.Sprint("w", i), 0), "SIGKILL", true)
	}
	for i := range children {
		h.exited(key(fmt.Sprint("w", i), 0))
		h.client.Ack(key(fmt.Sprint("w", i), 0))
	}
}

// rssOf is the resident memory of a process in KiB.
func rssOf(b *testing.B, pid int) int {
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		b.Fatal(err)
	}
	for line := range strings.Lines(string(data)) {
		if rest, ok := strings.CutPrefix(line, "VmRSS:"); ok {
			kib, _ := strconv.Atoi(strings.Fields(rest)[0])
			return kib
		}
	}
	b.Fatal("no VmRSS")
	return 0
}
