package shim

import (
	"encoding/binary"
	"encoding/json"
	"fmt"

	"github.com/reconciler-dev/reconciler/pkg/runtime/child"
)

// maxFrame bounds one message. The largest ones are the list of 10,000 children
// (about 3 MB) and a start with the largest environment that Linux takes (6 MB).
const maxFrame = 16 << 20

const frameHead = 4 // bytes of length before each frame

// message is one frame: exactly one of its fields is set.
type message struct {
	// From the brain.
	Hello  *hello         `json:"hello,omitempty"` // first
	Start  *Launch        `json:"start,omitempty"`
	Signal *signalRequest `json:"signal,omitempty"`
	Ack    *child.Key     `json:"ack,omitempty"`
	Quit   bool           `json:"quit,omitempty"`
	Ping   bool           `json:"ping,omitempty"` // only to a shim with Heartbeat

	// From the shim.
	Listed      *listing     `json:"listed,omitempty"` // first
	Started     *Process     `json:"started,omitempty"`
	StartFailed *StartFailed `json:"start_failed,omitempty"`
	Exited      *Report      `json:"exited,omitempty"`
	Notified    *Notice      `json:"notified,omitempty"`
	Output      *Output      `json:"output,omitempty"`
	Refused     string       `json:"refused,omitempty"` // why the connection or a Quit is refused
	Bye         bool         `json:"bye,omitempty"`     // Quit is accepted: the shim ends
	Pong        bool         `json:"pong,omitempty"`    // answers Ping
}

type signalRequest struct {
	Key    child.Key `json:"key"`
	Signal string    `json:"signal"`
	Tree   bool      `json:"tree,omitempty"`
}

type listing struct {
	Shim    Info      `json:"shim"`
	Running []Process `json:"running,omitempty"`
	Exits   []Report  `json:"exits,omitempty"`
}

// appendFrame adds m to buf: four bytes of length, big endian, and JSON.
func appendFrame(buf []byte, m message) ([]byte, error) {
	body, err := json.Marshal(m)
	if err != nil {
		return buf, err
	}
	if len(body) > maxFrame {
		return buf, fmt.Errorf("message of %d bytes; at most %d can be sent", len(body), maxFrame)
	}
	buf = binary.BigEndian.AppendUint32(buf, uint32(len(body)))
	return append(buf, body...), nil
}

// cutFrame takes the first message from buf. ok is false while it is incomplete.
func cutFrame(buf []byte) (m message, rest []byte, ok bool, err error) {
	if len(buf) < frameHead {
		return m, buf, false, nil
	}
	size := binary.BigEndian.Uint32(buf)
	if size > maxFrame {
		return m, buf, false, fmt.Errorf("frame of %d bytes; at most %d are allowed", size, maxFrame)
	}
	end := frameHead + int(size)
	if len(buf) < end {
		return m, buf, false, nil
	}
	if err := json.Unmarshal(buf[frameHead:end], &m); err != nil {
		return m, buf, false, fmt.Errorf("frame: %w", err)
	}
	return m, buf[end:], true, nil
}
