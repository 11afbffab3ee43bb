package shim

import (
	"bytes"
	"math"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

const (
	// maxNotice is how long one message may be, as for systemd.
	maxNotice = 4096

	// maxStatus is how much of a STATUS= is kept.
	maxStatus = 512

	// maxErrno is the highest error number of Linux, and so what systemd takes.
	maxErrno = 4095
)

// read takes one message: lines of NAME=value.
func (n *Notice) read(message []byte, main int) {
	yes, no := true, false
	monotonic := bytes.Contains(message, []byte("MONOTONIC_USEC="))
	for line := range bytes.SplitSeq(message, []byte{'\n'}) {
		name, value, ok := strings.Cut(string(line), "=")
		if !ok {
			continue
		}
		switch name {
		case "READY":
			if value == "1" {
				n.add(Notice{Ready: &yes})
			}
		case "RELOADING":
			if value == "1" {
				n.add(Notice{Ready: &no, Reloading: true})
				if !monotonic {
					n.refuse("RELOADING=1 came without MONOTONIC_USEC=, which sd_notify(3) wants; it was heard all the same")
				}
			}
		case "STOPPING":
			if value == "1" {
				n.add(Notice{Ready: &no, Stopping: true})
			}
		case "STATUS":
			text := clean(value)
			n.Status = &text
		case "WATCHDOG":
			n.Heartbeat, n.Broken = n.Heartbeat || value == "1", n.Broken || value == "trigger"
		case "WATCHDOG_USEC":
			n.Every = n.micros(name, value)
		case "EXTEND_TIMEOUT_USEC":
			n.Extend = max(n.Extend, n.micros(name, value))
		case "ERRNO":
			n.Errno = max(n.number(name, value, maxErrno), 0)
		case "EXIT_STATUS":
			if status := n.number(name, value, math.MaxInt32); status >= 0 {
				n.ExitStatus = strconv.Itoa(status)
			}
		case "MAINPID":
			if pid := n.number(name, value, math.MaxInt32); pid >= 0 && pid != main {
				n.refuse("MAINPID=%d is not the process that was started (%d); run it in the foreground", pid, main)
			}
		}
	}
}

// number is what a value says, and negative if it is none.
func (n *Notice) number(name, value string, most uint64) int {
	i, err := strconv.ParseUint(value, 10, 64)
	if err != nil || i > most {
		n.refuse("%s=%.20q is no number of at most %d", name, value, most)
		return -1
	}
	return int(i)
}

// micros takes what fits into 64 bits, as systemd does (2^64-1 is its "for ever");
// what is more than a Duration is cut. How much of it is granted is not for here.
func (n *Notice) micros(name, value string) time.Duration {
	us, err := strconv.ParseUint(value, 10, 64)
	if err != nil {
		n.refuse("%s=%.20q is no number of microseconds", name, value)
		return 0
	}
	return time.Duration(min(us, math.MaxInt64/1000)) * time.Microsecond
}

// clean makes text that a stranger wrote fit for one line of a terminal.
func clean(s string) string {
	s = strings.ToValidUTF8(s[:min(len(s), maxStatus+utf8.UTFMax)], "\uFFFD")
	s = strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return ' '
		}
		return r
	}, s)
	for len(s) > maxStatus {
		_, size := utf8.DecodeLastRuneInString(s)
		s = s[:len(s)-size]
	}
	return s
}
