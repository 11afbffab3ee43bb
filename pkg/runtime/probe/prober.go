package probe

import (
	"context"
	"errors"
	"regexp"
	"sync"
	"time"

	"github.com/reconciler-dev/reconciler/pkg/runtime/child"
	"github.com/reconciler-dev/reconciler/pkg/runtime/machine"
)

// DefaultSlots is how many looks are under way at the same time if nobody says
// otherwise: enough for a thousand servers that answer nothing for five seconds
// to be asked each ten, and few enough for their sockets.
const DefaultSlots = 512

// Config is what a Prober is made of. All of it may be left out.
type Config struct {
	Slots int // looks under way at the same time; 0: DefaultSlots

	// LogDir is where the captured output of a child is, for log_match.
	LogDir func(child.ID) string

	// Exec runs the command of s beside the attempt of s.Key, whose role is that of
	// the probe, and returns how it ended. When ctx ends it kills the command with
	// all that it made.
	Exec func(ctx context.Context, s machine.Start) (machine.Exited, error)

	// Observe is called with each result that is not cancelled, from any goroutine.
	Observe func(p machine.Probe, ok bool, took time.Duration)
}

// Prober makes the looks that it is asked for. Its methods never wait and may be
// called from any goroutine.
type Prober struct {
	config  Config
	web     *web
	results chan machine.Probed
	regexps sync.Map      // pattern to *regexp.Regexp
	execs   chan struct{} // one for each command under way

	mu      sync.Mutex
	ctx     context.Context // of Run; nil before and after
	jobs    map[slot]*job   // the newest of each child and role, until it is answered
	queue   []*job          // that have not begun
	watches []*job          // the same, of those that take no slot
	busy    int
	working sync.WaitGroup
}

// slot is what can be probed once at a time.
type slot struct {
	id   child.ID
	role child.ProbeRole
}

// job is one look.
type job struct {
	machine.Probe
	cancel context.CancelFunc // nil until it begins
	void   bool               // nobody waits for it
}

// New makes a prober. It looks at nothing before Run.
func New(c Config) *Prober {
	if c.Slots <= 0 {
		c.Slots = DefaultSlots
	}
	return &Prober{config: c, web: newWeb(), results: make(chan machine.Probed), execs: make(chan struct{}, execSlots), jobs: map[slot]*job{}}
}

// Results are the answers.
func (p *Prober) Results() <-chan machine.Probed { return p.results }

// Run works until ctx ends, and returns when no look is under way any more. What
// was asked for before it is begun by it.
func (p *Prober) Run(ctx context.Context) error {
	p.mu.Lock()
	p.ctx = ctx
	p.begin()
	p.mu.Unlock()
	<-ctx.Done()
	p.mu.Lock()
	p.ctx, p.queue, p.watches = nil, nil, nil
	p.mu.Unlock()
	p.working.Wait()
	return context.Cause(ctx)
}

// Probe asks for one look.
func (p *Prober) Probe(ask machine.Probe) {
	p.mu.Lock()
	defer p.mu.Unlock()
	at := slot{ask.Key.ID, ask.Role}
	p.end(at)
	j := &job{Probe: ask}
	p.jobs[at] = j
	if isWatch(j) {
		p.watches = append(p.watches, j)
	} else {
		p.queue = append(p.queue, j)
	}
	p.begin()
}

// Cancel ends a look, if it is still the newest.
func (p *Prober) Cancel(c machine.CancelProbe) {
	p.mu.Lock()
	defer p.mu.Unlock()
	at := slot{c.Key.ID, c.Role}
	if j := p.jobs[at]; j != nil && j.Key == c.Key && j.Number == c.Number {
		p.end(at)
	}
}

// CancelAll ends all looks.
func (p *Prober) CancelAll() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for at := range p.jobs {
		p.end(at)
	}
	p.queue, p.watches = nil, nil
}

// end makes the job of a slot void; p.mu is held.
func (p *Prober) end(at slot) {
	if j := p.jobs[at]; j != nil {
		j.void = true
		if j.cancel != nil {
			j.cancel()
		}
		delete(p.jobs, at)
	}
}

// begin starts what there is room for; p.mu is held. A look for a line of output
// lasts until there is one, so it takes nobody's room.
func (p *Prober) begin() {
	if p.ctx == nil {
		return
	}
	for _, j := range p.watches {
		if !j.void {
			p.work(j)
		}
	}
	p.watches = nil
	for len(p.queue) > 0 && p.busy < p.config.Slots {
		j := p.queue[0]
		p.queue[0] = nil
		p.queue = p.queue[1:]
		if !j.void {
			p.busy++
			p.work(j)
		}
	}
}

func isWatch(j *job) bool {
	handler, _ := j.Spec.Probe(j.Role)
	return handler != nil && handler.Handler() == child.LogMatchHandler
}

// work makes one look in a goroutine; p.mu is held.
func (p *Prober) work(j *job) {
	ctx, cancel := context.WithCancel(p.ctx)
	j.cancel = cancel
	p.working.Go(func() {
		defer cancel()
		begun := time.Now()
		err := p.look(ctx, j)
		took := time.Since(begun)
		if p.finish(j) {
			p.answer(ctx, j, err, took)
		}
	})
}

// finish takes a job off the books and reports whether its answer is awaited.
func (p *Prober) finish(j *job) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !isWatch(j) {
		p.busy--
	}
	if !j.void {
		delete(p.jobs, slot{j.Key.ID, j.Role})
	}
	p.begin()
	return !j.void
}

func (p *Prober) answer(ctx context.Context, j *job, err error, took time.Duration) {
	if ctx.Err() != nil {
		return // the prober ends
	}
	if p.config.Observe != nil {
		p.config.Observe(j.Probe, err == nil, took)
	}
	result := machine.Probed{Key: j.Key, Role: j.Role, Number: j.Number, OK: err == nil, Latency: took}
	if err != nil {
		result.Message, result.Words = err.Error(), wordsOf(err)
		result.Unknown = errors.As(err, new(*noVerdict))
	}
	select {
	case p.results <- result:
	case <-ctx.Done():
	}
}

// look is one look; nil means that all is well.
func (p *Prober) look(ctx context.Context, j *job) error {
	handler, timeout := j.Spec.Probe(j.Role)
	if handler == nil {
		return errors.New("the spec has no such probe")
	}
	if isWatch(j) {
		return p.awaitLine(ctx, j, handler.LogMatch)
	}
	if len(handler.Exec) > 0 {
		return p.exec(ctx, j, handler.Exec, timeout)
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	switch handler.Handler() {
	case child.HTTPHandler:
		return p.web.look(ctx, handler.HTTP, p.regexp, timeout)
	case child.TCPHandler:
		return lookTCP(ctx, handler.TCP, timeout)
	case child.GRPCHandler:
		return lookGRPC(ctx, handler.GRPC, timeout)
	}
	return errors.New("this prober does not know the handler " + handler.Handler())
}

// regexp is a compiled pattern. Patterns are those of manifests: there are few.
func (p *Prober) regexp(pattern string) (*regexp.Regexp, error) {
	if known, ok := p.regexps.Load(pattern); ok {
		return known.(*regexp.Regexp), nil
	}
	re, err := regexp.Compile(pattern)
	if err == nil {
		p.regexps.Store(pattern, re)
	}
	return re, err
}
