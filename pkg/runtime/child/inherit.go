package child

import (
	"bytes"
	"encoding/json"
	"fmt"
)

// MarshalJSON writes what a manifest says: true, false or a list of names.
func (in InheritEnvironment) MarshalJSON() ([]byte, error) {
	if in.All || len(in.Names) == 0 {
		return json.Marshal(in.All)
	}
	return json.Marshal(in.Names)
}

// UnmarshalJSON reads true, false or a list of names.
func (in *InheritEnvironment) UnmarshalJSON(b []byte) error {
	*in = InheritEnvironment{}
	target := any(&in.All)
	if bytes.HasPrefix(bytes.TrimSpace(b), []byte("[")) {
		target = &in.Names
	}
	if err := json.Unmarshal(b, target); err != nil {
		return fmt.Errorf("inherit_environment: want true, false or a list of names: %w", err)
	}
	return nil
}
