package importer

import (
	"fmt"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

func (u *unit) restarts() {
	m := u.m
	restart := or(u.last("Service.Restart"), "no")
	switch restart {
	case "no":
		m.RestartPolicy = "temporary"
	case "always":
		m.RestartPolicy = "permanent"
	case "on-failure":
		m.RestartPolicy = "transient"
	case "on-success":
		m.RestartPolicy = "permanent"
		m.note("Restart", "on-success: it is started again after failures too")
	default:
		m.RestartPolicy = "transient"
		m.note("Restart", restart+": it is started again after every failure")
	}
	if rest, ok := u.seconds("Service.RestartSec"); ok {
		ms := rest * 1000
		m.Backoff = &backoff{InitialDelay: &ms, MaxDelay: &ms}
		if most, ok := u.seconds("Service.RestartMaxDelaySec"); ok && most > rest {
			m.Backoff.MaxDelay = ptr(most * 1000)
		}
	}
	u.all("Service.RestartSteps")
	for code := range strings.FieldsSeq(strings.Join(u.all("Service.SuccessExitStatus"), " ")) {
		if n, err := strconv.Atoi(code); err == nil {
			m.SuccessExitCodes = append(m.SuccessExitCodes, n)
		} else {
			m.note("SuccessExitStatus", code+" was left out: only numbers from 0 to 255 are exit codes here")
		}
	}
	if len(m.SuccessExitCodes) > 0 && !slices.Contains(m.SuccessExitCodes, 0) {
		m.SuccessExitCodes = append([]int{0}, m.SuccessExitCodes...) // systemd adds to 0
	}
	u.restartLimit()
}

func (u *unit) restartLimit() {
	burst, window := "", 0.0
	for _, section := range []string{"Unit.", "Service."} {
		burst = or(u.last(section+"StartLimitBurst"), burst)
		for _, key := range []string{"StartLimitIntervalSec", "StartLimitInterval"} {
			if s, ok := u.seconds(section + key); ok {
				window = s
			}
		}
	}
	if n, err := strconv.Atoi(burst); err == nil && n > 0 || window > 0 {
		if n == 0 {
			n = 5 // DefaultStartLimitBurst
		}
		if window == 0 {
			window = 10 // DefaultStartLimitIntervalSec
		}
		u.m.RestartLimit = &restarts{MaxRestarts: n, Window: window}
	}
}

// dependencies: what is needed and comes before is waited for; what is only
// ordered, or only wanted, is not.
func (u *unit) dependencies() {
	after := u.units("Unit.After")
	needed := map[string]string{}
	for _, key := range []string{"Wants", "Requisite", "Requires", "BindsTo"} {
		for _, name := range u.units("Unit." + key) {
			needed[name] = key
		}
	}
	for _, name := range after {
		key, isNeeded := needed[name]
		id, isService := strings.CutSuffix(name, ".service")
		switch {
		case !isService:
			if !slices.Contains([]string{"network.target", "network-online.target", "syslog.target", "local-fs.target", "multi-user.target", "basic.target", "remote-fs.target", "nss-lookup.target", "time-sync.target"}, name) {
				u.m.note("After", name+" is no service: a child waits for children only")
			}
		case !isNeeded:
			u.m.Dependencies = append(u.m.Dependencies, dependency{Name: id, Condition: "started"})
			u.m.note("After", name+" was only an order of starts; now it is waited for until it runs")
		case key == "Wants":
			u.m.Dependencies = append(u.m.Dependencies, dependency{Name: id, Condition: "started"})
			u.m.note("Wants", name+" may fail for systemd; now it is waited for until it runs")
		default:
			u.m.Dependencies = append(u.m.Dependencies, dependency{Name: id, Restart: key == "BindsTo"})
		}
	}
	for name, key := range needed {
		if strings.HasSuffix(name, ".service") && !slices.Contains(after, name) {
			u.m.note(key, name+" is not waited for, as systemd does not without After; add it to dependencies if it should be")
		}
	}
	slices.SortFunc(u.m.Notes, func(a, b Note) int { return strings.Compare(a.String(), b.String()) })
	if before := u.units("Unit.Before"); len(before) > 0 {
		u.m.note("Before", "add this child to the dependencies of "+strings.Join(before, ", "))
	}
	u.all("Unit.DefaultDependencies")
}

// units are the units that a key names.
func (u *unit) units(key string) []string {
	return strings.Fields(strings.Join(u.all(key), " "))
}

func (u *unit) identity() {
	if user := u.last("Service.User"); user != "" {
		u.m.runAs().User = user
	}
	if group := u.last("Service.Group"); group != "" {
		u.m.runAs().Group = group
	}
	if groups := u.units("Service.SupplementaryGroups"); len(groups) > 0 {
		u.m.runAs().SupplementaryGroups = groups
	}
	if isTrue(u.last("Service.NoNewPrivileges")) {
		u.m.runAs().NoNewPrivs = true
	}
	if umask := u.last("Service.UMask"); umask != "" {
		u.m.runAs().Umask = fmt.Sprintf("%04s", umask)
	}
	switch dir := strings.TrimPrefix(u.last("Service.WorkingDirectory"), "-"); {
	case dir == "~":
		u.m.note("WorkingDirectory", "~ is the home of its user: write the path")
	default:
		u.m.WorkingDir = dir
	}
}

func isTrue(s string) bool {
	return slices.Contains([]string{"1", "yes", "true", "on"}, strings.ToLower(s))
}

// environment: a service of systemd inherits next to nothing.
func (u *unit) environment() {
	u.m.InheritEnvironment = append([]string{"PATH", "LANG", "HOME", "USER"}, u.units("Service.PassEnvironment")...)
	for _, line := range u.all("Service.Environment") {
		assignments, err := words(line)
		if err != nil {
			u.m.note("Environment", "a line cannot be split into words and was left out")
			continue
		}
		for _, a := range assignments {
			if name, value, ok := strings.Cut(a, "="); ok {
				u.m.setEnvironment(name, value)
			}
		}
	}
	for _, file := range u.all("Service.EnvironmentFile") {
		path, optional := strings.CutPrefix(strings.TrimSpace(file), "-")
		if optional {
			u.m.note("EnvironmentFile", path+" may be missing for systemd; the child does not start without it")
		}
		u.m.EnvFiles = append(u.m.EnvFiles, path)
	}
	u.all("Service.UnsetEnvironment")
}

// stopping: systemd waits for ninety seconds.
func (u *unit) stopping() {
	grace := 90.0
	for _, key := range []string{"Service.TimeoutSec", "Service.TimeoutStopSec"} {
		if s, ok := u.seconds(key); ok {
			grace = s
		}
	}
	u.m.shutdown().GracefulTimeout = &grace
	if signal := u.last("Service.KillSignal"); signal != "" {
		u.m.shutdown().Signal = signalName(signal)
	}
	if mode := u.last("Service.KillMode"); mode != "" && mode != "control-group" && mode != "mixed" {
		u.m.note("KillMode", mode+": the whole process tree is stopped all the same")
	}
}

func (u *unit) readiness() {
	if start, ok := u.seconds("Service.TimeoutStartSec"); ok {
		if u.m.Readiness != nil {
			u.m.Readiness.Deadline = start
		} else {
			u.m.note("TimeoutStartSec", "without Type=notify a child is ready once it runs")
		}
	}
	if dog, ok := u.seconds("Service.WatchdogSec"); ok && dog > 0 {
		u.m.HealthCheck = &probe{Heartbeat: true, CheckInterval: dog, MaxRetries: 1}
	}
	u.all("Service.NotifyAccess")
}

func (u *unit) limits() {
	for _, key := range []string{"Service.MemoryLimit", "Service.MemoryMax"} {
		if size := u.last(key); size != "" && size != "infinity" {
			u.m.memory(key[len("Service."):], size)
		}
	}
	u.count("Service.LimitNOFILE", func(n int64) { u.m.limits().MaxFileDescriptors = n })
	u.count("Service.LimitNPROC", func(n int64) { u.m.limits().MaxProcesses = n })
	u.count("Service.TasksMax", func(n int64) { u.m.limits().MaxProcesses = n })
	if quota := u.last("Service.CPUQuota"); quota != "" {
		if n, err := strconv.ParseFloat(strings.TrimSuffix(quota, "%"), 64); err == nil {
			u.m.limits().MaxCPUPercent = n
		}
	}
}

// count reads a limit such as 1024 or 1024:4096, whose second number counts.
func (u *unit) count(key string, set func(int64)) {
	text := u.last(key)
	if i := strings.LastIndexByte(text, ':'); i >= 0 {
		text = text[i+1:]
	}
	switch n, err := strconv.ParseInt(text, 10, 64); {
	case text == "" || text == "infinity":
	case err != nil:
		u.m.note(key[len("Service."):], fmt.Sprintf("%q is no number", text))
	default:
		set(n)
	}
}

// spanRE is one part of a time span as systemd.time(7) has them: "5min", "20s", "1".
var spanRE = regexp.MustCompile(`([0-9]+(?:\.[0-9]+)?)\s*([a-zA-Zµ]*)`)

var spanUnits = map[string]time.Duration{
	"": time.Second, "s": time.Second, "sec": time.Second, "second": time.Second, "seconds": time.Second,
	"m": time.Minute, "min": time.Minute, "minute": time.Minute, "minutes": time.Minute,
	"h": time.Hour, "hr": time.Hour, "hour": time.Hour, "hours": time.Hour,
	"d": 24 * time.Hour, "day": 24 * time.Hour, "days": 24 * time.Hour,
	"w": 7 * 24 * time.Hour, "week": 7 * 24 * time.Hour, "weeks": 7 * 24 * time.Hour,
	"ms": time.Millisecond, "msec": time.Millisecond, "us": time.Microsecond, "usec": time.Microsecond, "µs": time.Microsecond,
}

// seconds is the time span of a key. "infinity" is none, with a note.
func (u *unit) seconds(key string) (float64, bool) {
	text := u.last(key)
	_, name, _ := strings.Cut(key, ".")
	switch {
	case text == "":
		return 0, false
	case text == "infinity":
		u.m.note(name, "infinity: there is always a bound; the default holds")
		return 0, false
	}
	total := 0.0
	for _, part := range spanRE.FindAllStringSubmatch(text, -1) {
		n, err := strconv.ParseFloat(part[1], 64)
		unit, known := spanUnits[part[2]]
		if err != nil || !known || math.IsInf(n, 0) {
			u.m.note(name, fmt.Sprintf("%q is no time span", text))
			return 0, false
		}
		total += n * unit.Seconds()
	}
	return total, true
}
