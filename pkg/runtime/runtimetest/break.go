package runtimetest

// Break is a set of rules that the models do not obey. Each rule is one that the
// real shell or the real shim must obey; the simulation has teeth when switching
// it off makes some schedule fail.
type Break uint32

// The rules.
const (
	ActFirst         Break = 1 << iota // the brain acts before it records
	StartFirst                         // the brain starts before it records, and does all else after
	SkipRecords                        // the brain records nothing
	SendEarly                          // the brain uses a new connection before it knows what lives
	DropSignals                        // the brain's signals get lost on a connection that works
	ForgetRemoved                      // records of removed children are not kept: their incarnations are given again
	ServeBeforeDrain                   // the shim serves a new brain before the old one's requests are handled
	StartTwice                         // the shim does not know a repeated start by its key
	AcceptOldKeys                      // the shim does not refuse keys that are not the newest
	IgnoreBusy                         // the shim starts beside something that still lives
	NoIntent                           // the shim writes no intent before it makes a process
	LoseTable                          // the shim's table does not survive it
	TrustPID                           // the shim takes a number for an identity
	WatchLate                          // the shim watches a process after it said that it runs
	ForgetExits                        // the shim forgets an exit once it is sent
	InventCode                         // the shim makes a code up when nobody saw one
	ForgetGroups                       // the brain does not record who restarts together
	StartUnseen                        // the brain starts what it knows of an earlier life without a look at what is declared
)

func (s *sim) broken(rule Break) bool { return s.opt.Break&rule != 0 }
