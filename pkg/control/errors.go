package control

// Error is the refusal of a request, as the socket says it and as the client
// returns it.
type Error struct {
	Code    string `json:"code"`
	Message string `json:"message"`
	Field   string `json:"field"` // of the body or the query; "": none is to blame
	Hint    string `json:"hint"`  // what to do; may be empty

	Status int `json:"-"` // of HTTP
}

// ErrorBody is the body of every answer that is an error.
type ErrorBody struct {
	Error Error `json:"error"`
}

// Error is the message, with the hint where there is one.
func (e *Error) Error() string {
	if e.Hint == "" {
		return e.Message
	}
	return e.Message + " (" + e.Hint + ")"
}

// The codes of errors.
const (
	CodeInvalid            = "invalid"
	CodeBodyTooLarge       = "body_too_large"
	CodeUnsupportedType    = "unsupported_media_type"
	CodeNotPermitted       = "not_permitted"
	CodeNotFound           = "not_found"
	CodeMethodNotAllowed   = "method_not_allowed"
	CodeChildNotFound      = "child_not_found"
	CodeChildExists        = "child_exists"
	CodeDeclaredByManifest = "declared_by_manifest"
	CodeStillStopping      = "still_stopping"
	CodeNoProcess          = "no_process"
	CodeShuttingDown       = "shutting_down"
	CodeStarting           = "starting"
	CodeNotConnected       = "not_connected"
	CodeTooManyConnections = "too_many_connections"
	CodeTooManyRequests    = "too_many_requests"
	CodeKeyReused          = "idempotency_key_reused"
	CodeInProgress         = "in_progress"
	CodeOutcomeUnknown     = "outcome_unknown"
	CodeTimedOut           = "timed_out"
	CodeGone               = "gone" // what was asked for is not kept any more
	CodeInternal           = "internal"
)
