package child

// Said is what the newest attempt said of itself on its notify socket, as
// sd_notify(3) defines it. The zero value: nothing.
type Said struct {
	Status     Words  `json:"status,omitempty"` // STATUS=: one line of text, for people
	Reloading  bool   `json:"reloading,omitempty"`
	Stopping   bool   `json:"stopping,omitempty"`
	Errno      int    `json:"errno,omitempty"`
	ExitStatus string `json:"exit_status,omitempty"`

	// Refusals counts its own messages, or parts of them, that were not heard: too
	// long, not understood. Foreign counts those of others. Refused says why the
	// last one was not heard.
	Refusals int   `json:"refusals,omitempty"`
	Foreign  int   `json:"foreign,omitempty"`
	Refused  Words `json:"refused,omitempty"`
}
