package importer

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// restarts: without autorestart supervisord starts again what failed.
func (p *program) restarts() {
	if start := p.value("autostart"); isFalse(start) {
		p.m.Suspend = true
		p.m.note("autostart", "false became suspend: true; to start it, take that line out")
	}
	switch restart := strings.ToLower(p.value("autorestart")); {
	case restart == "", restart == "unexpected":
		p.m.RestartPolicy = "transient"
	case isFalse(restart):
		p.m.RestartPolicy = "temporary"
	default:
		p.m.RestartPolicy = "permanent"
	}
	for code := range strings.SplitSeq(p.value("exitcodes"), ",") {
		if n, err := strconv.Atoi(strings.TrimSpace(code)); err == nil {
			p.m.SuccessExitCodes = append(p.m.SuccessExitCodes, n)
		}
	}
}

func isFalse(s string) bool {
	return slices.Contains([]string{"false", "no", "off", "0", "none"}, strings.ToLower(s))
}

// stop: supervisord waits for ten seconds, a manifest without a word for five.
func (p *program) stop() {
	grace := 10.0
	if wait := p.value("stopwaitsecs"); wait != "" {
		if n, err := strconv.ParseFloat(wait, 64); err == nil {
			grace = n
		}
	}
	p.m.shutdown().GracefulTimeout = &grace
	if signal := p.value("stopsignal"); signal != "" {
		first, more, several := strings.Cut(signal, ",")
		p.m.shutdown().Signal = signalName(first)
		if several {
			p.m.note("stopsignal", "only the first signal is sent; "+more+" was left out")
		}
	}
}

// assignmentRE is one KEY=value of environment=, whose value may stand in quotes.
var assignmentRE = regexp.MustCompile(`\s*([^=,\s]+)\s*=\s*("(?:[^"\\]|\\.)*"|'[^']*'|[^,]*)\s*(?:,|$)`)

func (p *program) environment(text string) {
	for _, parts := range assignmentRE.FindAllStringSubmatch(strings.ReplaceAll(text, "\n", " "), -1) {
		value := strings.TrimSpace(parts[2])
		if n := len(value); n >= 2 && (value[0] == '"' || value[0] == '\'') && value[n-1] == value[0] {
			value = value[1 : n-1]
		}
		if name, ok := strings.CutPrefix(value, "%(ENV_"); ok && strings.TrimSuffix(name, ")s") == parts[1] {
			continue // it is inherited
		}
		p.m.setEnvironment(parts[1], p.expand("environment", value))
	}
}

// logs: supervisord keeps ten old files beside the newest one.
func (p *program) logs() {
	if size := p.value("stdout_logfile_maxbytes"); size != "" {
		if n, ok := bytesOf(size); ok && n > 0 {
			p.m.logs().MaxSizeMB = max(float64(n)/(1<<20), 0.001)
		} else {
			p.m.note("stdout_logfile_maxbytes", size+" means no limit; the defaults of logs hold")
		}
	}
	if backups := p.value("stdout_logfile_backups"); backups != "" {
		if n, err := strconv.Atoi(backups); err == nil {
			p.m.logs().MaxFiles = n + 1
		}
	}
}

// sizeRE is a number with a unit, such as 50MB, 1g or 512 KiB.
var sizeRE = regexp.MustCompile(`(?i)^\s*([0-9]+(?:\.[0-9]+)?)\s*([kmgt]?)(?:i?b)?\s*$`)

// bytesOf is a size in bytes. Units are powers of 1024, as all these formats
// count memory.
func bytesOf(text string) (int64, bool) {
	parts := sizeRE.FindStringSubmatch(text)
	if parts == nil {
		return 0, false
	}
	n, err := strconv.ParseFloat(parts[1], 64)
	unit := map[string]float64{"": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30, "t": 1 << 40}[strings.ToLower(parts[2])]
	if n *= unit; err != nil || n > 1<<60 {
		return 0, false
	}
	return int64(n), true
}

// memory sets max_memory_mb from a size for max_memory_mb, rounded up.
func (m *Manifest) memory(key, text string) {
	n, ok := bytesOf(text)
	if !ok || n == 0 {
		m.note(key, fmt.Sprintf("%q is no size in bytes", text))
		return
	}
	m.limits().MaxMemoryMB = (n + 1<<20 - 1) >> 20
}

func or(s, otherwise string) string {
	if s == "" {
		return otherwise
	}
	return s
}

func sortedKeys(m map[string]string) []string { return slices.Sorted(maps.Keys(m)) }

// without is m but for one key; m stays as it is.
func without(m map[string]string, key string) map[string]string {
	m = maps.Clone(m)
	delete(m, key)
	return m
}
