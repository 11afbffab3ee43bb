package child

// Schedule says when a job runs.
type Schedule struct {
	Cron     string  `json:"cron"`                // five fields, or a descriptor such as @daily
	TimeZone string  `json:"time_zone,omitempty"` // empty: that of the machine
	Missed   Missed  `json:"missed"`
	Overlap  Overlap `json:"overlap"`
}

// Missed is what becomes of a run that was due while nobody was there.
type Missed string

// Overlap is what becomes of a run that is due while the last one is under way.
type Overlap string

// The policies.
const (
	MissedSkip    Missed = "skip"
	MissedRunOnce Missed = "run_once" // once, however many were missed

	OverlapSkip    Overlap = "skip"
	OverlapQueue   Overlap = "queue" // one, after the last one
	OverlapReplace Overlap = "replace"
)
