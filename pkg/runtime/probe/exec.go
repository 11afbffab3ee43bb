package probe

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/reconciler-dev/reconciler/pkg/runtime/child"
	"github.com/reconciler-dev/reconciler/pkg/runtime/machine"
)

const (
	// execSlots is how many commands run at the same time: each is a process.
	execSlots = 32

	maxSaid = 512 // bytes of output in a message
)

// exec runs a command beside the attempt. It waits for its turn first: that does
// not count for the timeout.
func (p *Prober) exec(ctx context.Context, j *job, command []string, timeout time.Duration) error {
	if p.config.Exec == nil {
		return errors.New("this program runs no commands as probes")
	}
	select {
	case p.execs <- struct{}{}:
		defer func() { <-p.execs }()
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	limited, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	key := j.Key
	key.Role = child.Role(j.Role)
	end, err := p.config.Exec(limited, machine.Start{Key: key, Attempt: j.Attempt, Spec: j.Spec, Command: command})
	switch {
	case err == nil:
		return verdict(end)
	case limited.Err() != nil || errors.Is(err, context.DeadlineExceeded):
		return explain(err, timeout)
	}
	return &noVerdict{err} // its file is away, the child's environment cannot be made, the shim is
}

// noVerdict is why nobody could look: it says nothing about the child.
type noVerdict struct{ error }

// verdict is what the end of a command says: an exit with 0 is well. The last
// lines of its output are the words of the error of another end.
func verdict(end machine.Exited) error {
	how := ""
	switch {
	case end.Lost || end.Code == nil && end.Signal == "":
		how = "its end was not seen"
	case end.Signal != "":
		how = "killed by " + end.Signal
	case *end.Code != 0:
		how = fmt.Sprintf("exit code %d", *end.Code)
	default:
		return nil
	}
	said := strings.TrimSpace(strings.Join(end.LogTail, "\n"))
	return &failure{why: how, words: child.Words(strings.ToValidUTF8(said[max(0, len(said)-maxSaid):], "\uFFFD"))}
}
