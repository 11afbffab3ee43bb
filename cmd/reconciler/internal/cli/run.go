package cli

import (
	"fmt"
	"io"
	"net"
	"os"
	"runtime"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
)

// RunConfig is what `run` was told. It was checked.
type RunConfig struct {
	Dirs
	Source SourceFlags

	Rescan     time.Duration // how often the whole directory is looked at
	OnExit     OnExit
	LogFormat  LogFormat
	Verbosity  int // 0: changes of state, each once
	StartSlots int

	ExitOnCritical bool // end the run with the exit code of a critical child that ended for good

	// ControlGroup may use the control socket, beside root and the own user; "": nobody.
	ControlGroup string

	// ControlRate is how many requests a second each user may send; 0: any.
	ControlRate int

	// StatusGroup may read the status files, which are then complete and closed to
	// others; "": everybody reads them, and they come without captured output.
	StatusGroup string

	// Secrets is the directory of the secrets, each in the file of its key; "": none.
	Secrets string

	// MetricsListen is where metrics are served: "host:port", or the path of a unix
	// socket; "" is nowhere but on the control socket. See SplitListen.
	MetricsListen string

	Version string
	Stderr  io.Writer
}

// OnExit says what becomes of the children when the reconciler is told to end.
type OnExit string

// The values of --on-exit.
const (
	StopChildren  OnExit = "stop"  // the tree is shut down
	LeaveChildren OnExit = "leave" // they run on, and the next run adopts them
)

// LogFormat says how the reconciler's own log is written.
type LogFormat string

// The values of --log-format.
const (
	LogAuto LogFormat = "auto" // text on a terminal, JSON elsewhere
	LogText LogFormat = "text"
	LogJSON LogFormat = "json"
)

const (
	// defaultRescan is how long a lost notification of the kernel can stay
	// unnoticed; a look that finds nothing new costs one stat a file.
	defaultRescan = 30 * time.Second

	// slotsPerCore keep all cores busy while a thousand children start, and leave
	// commands their turn in between.
	slotsPerCore = 2
)

const runExamples = `  # Keep the children of ./manifests running; ^C stops them all
  reconciler run

  # A service: its own directories, the log as JSON, children that outlive a restart
  reconciler run --manifests /etc/app/children --status /run/app/status \
    --state /var/lib/app --on-exit leave --log-format json

  # In a container: end when the critical child does, with its exit code
  reconciler run --exit-on-critical

  # Look at the directory again now
  reconciler reconcile`

func (a *app) runCommand() *cobra.Command {
	c := RunConfig{OnExit: StopChildren, LogFormat: LogAuto}
	cmd := &cobra.Command{
		Use:   "run",
		Short: "Run the children that the manifests declare, in the foreground",
		Long: `Run the children that the manifests declare, in the foreground, and follow every
change of the directory.

SIGTERM and SIGINT shut the children down, dependants before what they depend on; a
second one, a second later or more, cuts their grace short. SIGHUP looks at the
directory now; that of a terminal which is closed ends the run as SIGTERM does, but
not under nohup. After kill -9 the children run on, and the next run adopts them. A log
that nobody reads any more ends nothing.

With --exit-on-critical the run ends, after an orderly shutdown, as soon as a child
with criticality: critical is Completed, Failed or quarantined by its restart limit.
The exit code is that of the child: for a container whose one service it is.

The exit code is 6 if the shutdown may have left something alive: the error, and
exit_report in reconciler.json, name it.`,
		Example: runExamples,
		Args:    args(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			c.Dirs, c.Version, c.Stderr = a.Dirs, a.Version, cmd.ErrOrStderr()
			if err := c.check(); err != nil {
				return err
			}
			return a.Run(cmd.Context(), c)
		},
	}
	c.Source.add(cmd)
	f := cmd.Flags()
	f.DurationVar(&c.Rescan, "rescan", defaultRescan, "look at the whole directory this often, beside every notification")
	f.StringVar((*string)(&c.OnExit), "on-exit", string(c.OnExit), "at SIGTERM, SIGINT and the end of the terminal: stop the children, or leave them to the next run")
	f.StringVar((*string)(&c.LogFormat), "log-format", string(c.LogFormat), "auto, text or json; auto is text on a terminal and json elsewhere")
	f.CountVarP(&c.Verbosity, "verbose", "v", "log more; -vv logs still more")
	f.IntVar(&c.StartSlots, "start-slots", slotsPerCore*runtime.NumCPU(), "how many children may be starting at the same time; by default twice the cores")
	f.Lookup("start-slots").DefValue = "0" // help reads the same on every machine
	f.BoolVar(&c.ExitOnCritical, "exit-on-critical", false, "end with the exit code of a critical child when it has ended for good, also when it ended well")
	f.StringVar(&c.ControlGroup, "control-group", "", "let this `GROUP` look and command through the control socket; adding and removing children is for the own user and root")
	f.IntVar(&c.ControlRate, "control-rate", 200, "how many requests a second each user may send to the control socket for long, and 50 times as many at once; 0: as many as he likes")
	f.StringVar(&c.StatusGroup, "status-group", os.Getenv("RECONCILER_STATUS_GROUP"), "let only this `GROUP` read the status files, which then hold what children printed too ($RECONCILER_STATUS_GROUP)")
	f.StringVar(&c.Secrets, "secrets", os.Getenv("RECONCILER_SECRETS"), "`DIR` of the secrets that manifests refer to, each in the file of its key ($RECONCILER_SECRETS)")
	f.StringVar(&c.MetricsListen, "metrics-listen", "", "serve Prometheus metrics at `ADDR`: host:port, or the path of a unix socket; keep it on loopback, nobody is asked for a password")
	if err := cmd.MarkFlagDirname("secrets"); err != nil {
		panic("cli: the flag was just defined: " + err.Error())
	}
	completeValues(cmd, "on-exit", string(StopChildren), string(LeaveChildren))
	completeValues(cmd, "log-format", string(LogAuto), string(LogText), string(LogJSON))
	return cmd
}

func (c RunConfig) check() error {
	switch {
	case c.Rescan < time.Second:
		return withCode(Usage, "--rescan %s: want at least 1s", c.Rescan)
	case c.ControlRate < 0:
		return withCode(Usage, "--control-rate %d: want 0 or more", c.ControlRate)
	case c.StartSlots < 1:
		return withCode(Usage, "--start-slots %d: want at least 1", c.StartSlots)
	}
	if err := checkListen(c.MetricsListen); err != nil {
		return err
	}
	if err := oneOf("on-exit", string(c.OnExit), string(StopChildren), string(LeaveChildren)); err != nil {
		return err
	}
	return oneOf("log-format", string(c.LogFormat), string(LogAuto), string(LogText), string(LogJSON))
}

// SplitListen is what net.Listen takes for the value of --metrics-listen.
func SplitListen(address string) (network, rest string) {
	if path, ok := strings.CutPrefix(address, "unix:"); ok {
		return "unix", path
	}
	if strings.Contains(address, "/") {
		return "unix", address
	}
	return "tcp", address
}

// maxSocketPath is what the kernel has room for, with the zero at the end.
const maxSocketPath = 103

func checkListen(address string) error {
	if address == "" {
		return nil
	}
	network, rest := SplitListen(address)
	if network == "unix" {
		if rest == "" || len(rest) > maxSocketPath {
			return withCode(Usage, "--metrics-listen %q: want a path of 1 to %d bytes", address, maxSocketPath)
		}
		return nil
	}
	_, port, err := net.SplitHostPort(rest)
	if n, numeric := strconv.ParseUint(port, 10, 16); err != nil || numeric != nil || n == 0 {
		return withCode(Usage, "--metrics-listen %q: want host:port, such as 127.0.0.1:9464, or the path of a unix socket", address)
	}
	return nil
}

// completeValues offers the few values that a flag knows.
func completeValues(cmd *cobra.Command, flag string, values ...string) {
	err := cmd.RegisterFlagCompletionFunc(flag, cobra.FixedCompletions(values, cobra.ShellCompDirectiveNoFileComp))
	if err != nil {
		panic(fmt.Sprintf("cli: complete --%s: %v", flag, err))
	}
}

// checkDirectory says in a user's words why dir cannot be read as a directory.
func checkDirectory(dir string) error {
	info, err := os.Stat(dir)
	if err == nil && !info.IsDir() {
		return fmt.Errorf("%s is not a directory: name the directory it is in", dir)
	}
	return err
}
