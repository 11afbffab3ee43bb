package runtime

import (
	"testing"

	"github.com/go-logr/logr"

	"github.com/reconciler-dev/reconciler/pkg/runtime/machine"
	"github.com/reconciler-dev/reconciler/pkg/runtime/shim"
)

func TestTheTreeHearsThatAShimKnowsNoRealTimeSignals(t *testing.T) {
	for name, row := range map[string]struct {
		can  []shim.Capability
		want bool
	}{
		"an older one": {[]shim.Capability{shim.CleanStart, shim.RegularFiles}, true},
		"this one":     {[]shim.Capability{shim.CleanStart, shim.RegularFiles, shim.RealTimeSignals}, false},
	} {
		p := &ShimProcesses{log: logr.Discard()}

		ev := p.translated(shim.Listed{Shim: shim.Info{PID: 2, Capabilities: row.can}})

		if adopted, ok := ev.(machine.Adopted); !ok || adopted.NoRealTime != row.want {
			t.Errorf("%s: %+v, want NoRealTime %v", name, ev, row.want)
		}
	}
}
