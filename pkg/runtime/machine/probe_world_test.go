package machine

import (
	"strconv"
	"strings"
	"time"

	"github.com/reconciler-dev/reconciler/pkg/runtime/child"
)

// probeLine is the lines about probes:
//
//	ok|fail|unknown ID[.GENERATION] ROLE [NUMBER]   the answer to the newest Probe of that role, or to another
//	ready|unready|beat|broken ID            what it says of itself
//	every ID DURATION                       how often it will give a heartbeat
func (w *world) probeLine(f []string) bool {
	w.t.Helper()
	yes, no := true, false
	switch verb := f[0]; verb {
	case "ok", "fail":
		w.step(w.probedOf(verb == "ok", f[1:]))
	case "unknown":
		ev := w.probedOf(false, f[1:])
		ev.Unknown, ev.Message = true, "no such file"
		w.step(ev)
	case "ready":
		w.step(Notified{Key: w.key(f[1]), Ready: &yes})
	case "unready":
		w.step(Notified{Key: w.key(f[1]), Ready: &no})
	case "beat":
		w.step(Notified{Key: w.key(f[1]), Heartbeat: true})
	case "broken":
		w.step(Notified{Key: w.key(f[1]), Broken: true})
	case "every":
		w.step(Notified{Key: w.key(f[1]), Every: duration(w.t, f[2])})
	default:
		return false
	}
	return true
}

func (w *world) probedOf(ok bool, f []string) Probed {
	ev := Probed{Key: w.key(f[0]), Role: child.ProbeRole(f[1]), OK: ok, Latency: 3 * time.Millisecond}
	if !ok {
		ev.Message = "connection refused"
	}
	if s := w.tree.children[ev.Key.ID]; s != nil && ev.Role != "" {
		ev.Number = s.probing(ev.Role).number
	}
	if len(f) > 2 {
		ev.Number, _ = strconv.ParseUint(f[2], 10, 64)
	}
	return ev
}

// probeOption reads the options of probes: probe=HANDLER[,SETTING…] for readiness
// and live=HANDLER[,SETTING…] for liveness, or "off". Settings are every, delay,
// deadline, up and down. Without them a probe is made each second and one result
// decides.
func (w *world) probeOption(s *child.Spec, key, value string) bool {
	w.t.Helper()
	parts := strings.Split(value, ",")
	set := map[string]string{}
	for _, part := range parts[1:] {
		name, v, _ := strings.Cut(part, "=")
		set[name] = v
	}
	secs := func(name string, preset time.Duration) child.Seconds {
		if v, ok := set[name]; ok {
			return child.Seconds(duration(w.t, v))
		}
		return child.Seconds(preset)
	}
	count := func(name string) int {
		n, _ := strconv.Atoi(set[name])
		return max(n, 1)
	}
	switch {
	case key == "probe" && value == "off":
		s.Readiness = nil
	case key == "live" && value == "off":
		s.HealthCheck = nil
	case key == "probe":
		s.Readiness = &child.Readiness{
			CheckInterval: secs("every", time.Second), Timeout: child.Seconds(time.Second), InitialDelay: secs("delay", 0),
			Deadline: secs("deadline", 0), SuccessThreshold: count("up"), FailureThreshold: count("down"), Probe: handlerOf(parts[0]),
		}
	case key == "live":
		s.HealthCheck = &child.HealthCheck{
			CheckInterval: secs("every", time.Second), Timeout: child.Seconds(time.Second), InitialDelay: secs("delay", 0),
			MaxRetries: count("down"), Probe: handlerOf(parts[0]),
		}
	default:
		return false
	}
	return true
}

func handlerOf(name string) child.Probe {
	switch name {
	case child.HTTPHandler:
		return child.Probe{HTTP: &child.HTTPProbe{Port: 80}}
	case child.TCPHandler:
		return child.Probe{TCP: &child.TCPProbe{Port: 80}}
	case child.ExecHandler:
		return child.Probe{Exec: []string{"check"}}
	case child.NotifyHandler:
		return child.Probe{Notify: true}
	case child.HeartbeatHandler:
		return child.Probe{Heartbeat: true}
	case child.LogMatchHandler:
		return child.Probe{LogMatch: "ready"}
	}
	return child.Probe{}
}
