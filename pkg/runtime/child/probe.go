package child

import "time"

// ProbeRole says what the result of a probe decides.
type ProbeRole string

// The roles of a probe.
const (
	LivenessRole  ProbeRole = "liveness"  // failing: the attempt is replaced
	ReadinessRole ProbeRole = "readiness" // failing: the child is not ready, nothing else
)

// ProbeStatus is passing, failing or unknown.
type ProbeStatus string

// The states of a probe.
const (
	ProbePassing ProbeStatus = "passing"
	ProbeFailing ProbeStatus = "failing"
	ProbeUnknown ProbeStatus = "unknown" // nobody looked, or not often enough
)

// ProbeState is what one probe of the newest attempt found. Status follows the
// thresholds: a probe that fails less often than it may is still passing.
type ProbeState struct {
	Status    ProbeStatus `json:"status,omitempty"` // "": not looked at yet
	CheckedAt time.Time   `json:"checked_at,omitzero"`
	Failures  int         `json:"consecutive_failures,omitempty"`
	Message   string      `json:"message,omitempty"` // of the last failure, while there is one
	Words     Words       `json:"words,omitempty"`   // what the probe printed or was answered then
	Latency   Seconds     `json:"latency_secs,omitempty"`
}

// The handlers of a probe, as manifests call them.
const (
	ExecHandler      = "exec"
	HTTPHandler      = "http"
	TCPHandler       = "tcp"
	GRPCHandler      = "grpc"
	HeartbeatHandler = "heartbeat"
	NotifyHandler    = "notify"
	LogMatchHandler  = "log_match"
)

// Handler names the one handler of p; "" if it has none.
func (p *Probe) Handler() string {
	switch {
	case len(p.Exec) > 0:
		return ExecHandler
	case p.HTTP != nil:
		return HTTPHandler
	case p.TCP != nil:
		return TCPHandler
	case p.GRPC != nil:
		return GRPCHandler
	case p.Heartbeat:
		return HeartbeatHandler
	case p.Notify:
		return NotifyHandler
	case p.LogMatch != "":
		return LogMatchHandler
	}
	return ""
}

// Probe is the handler of one role, and how long one probe may take; nil if the
// spec has none.
func (s *Spec) Probe(role ProbeRole) (handler *Probe, timeout time.Duration) {
	switch {
	case role == LivenessRole && s.HealthCheck != nil:
		return &s.HealthCheck.Probe, s.HealthCheck.Timeout.Duration()
	case role == ReadinessRole && s.Readiness != nil:
		return &s.Readiness.Probe, s.Readiness.Timeout.Duration()
	}
	return nil, 0
}
