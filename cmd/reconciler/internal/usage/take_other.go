//go:build !linux

package usage

import (
	"time"

	"github.com/reconciler-dev/reconciler/pkg/runtime/child"
)

// Take knows nothing here: there is no /proc.
func Take(map[child.ID]int) (Sample, error) { return Sample{At: time.Now()}, nil }
