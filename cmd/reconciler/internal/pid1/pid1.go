package pid1

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"time"

	"github.com/go-logr/logr"
	"golang.org/x/sys/unix"
)

const (
	// rest is before a program that was killed is started again.
	rest = 200 * time.Millisecond

	// A program that is killed quickTimes in a row within quick of its start is not
	// started again: then whoever runs the container has to know.
	quick      = 10 * time.Second
	quickTimes = 5

	// codeSignal is what shells and container runtimes add to a signal's number.
	codeSignal = 128
)

// passedOn are the signals that reach the program: those that ask it for something.
// What stops or breaks a process is the init's own matter, as with tini.
var passedOn = []os.Signal{unix.SIGHUP, unix.SIGINT, unix.SIGQUIT, unix.SIGTERM, unix.SIGUSR1, unix.SIGUSR2, unix.SIGWINCH}

// ends are those after which the program is not started again.
func ends(s os.Signal) bool { return s == unix.SIGINT || s == unix.SIGQUIT || s == unix.SIGTERM }

// Run starts path with argv, and returns the exit code to end with. It reaps every
// child of this process, so nobody else may wait for one. When ctx ends, the program
// is left and the code is 1.
func Run(ctx context.Context, path string, argv []string, log logr.Logger) (int, error) {
	i := &initProcess{path: path, argv: argv, log: log, signals: make(chan os.Signal, 16), ended: make(chan os.Signal, 1)}
	signal.Notify(i.signals, passedOn...)
	signal.Notify(i.ended, unix.SIGCHLD)
	defer signal.Stop(i.signals)
	defer signal.Stop(i.ended)
	return i.run(ctx)
}

type initProcess struct {
	path    string
	argv    []string
	log     logr.Logger
	signals chan os.Signal
	ended   chan os.Signal // one slot: something did, look at all

	program *os.Process // nil: it rests
	begun   time.Time
	told    bool // to end
	killed  int  // in a row, each soon after its start
}

func (i *initProcess) run(ctx context.Context) (int, error) {
	if err := i.start(); err != nil {
		return 1, err
	}
	again := time.NewTimer(rest)
	again.Stop()
	for {
		select {
		case <-ctx.Done():
			return 1, context.Cause(ctx)
		case s := <-i.signals:
			i.told = i.told || ends(s)
			if i.program == nil {
				if i.told {
					return codeSignal + int(s.(unix.Signal)), nil
				}
				continue
			}
			_ = i.program.Signal(s) // it may have ended; then the next turn says so
		case <-i.ended:
			status, is := i.reap()
			if !is {
				continue
			}
			if code, done := i.over(status); done {
				return code, nil
			}
			again.Reset(rest)
		case <-again.C:
			if err := i.start(); err != nil {
				return 1, err
			}
		}
	}
}

// start uses the files of this process, and its process group: what the terminal
// sends to the one reaches the other too, and a group that is alone in its session
// cannot be stopped by ^Z.
func (i *initProcess) start() error {
	p, err := os.StartProcess(i.path, i.argv, &os.ProcAttr{Files: []*os.File{os.Stdin, os.Stdout, os.Stderr}})
	if err != nil {
		return fmt.Errorf("start the reconciler below the init of this container: %w", err)
	}
	i.program, i.begun = p, time.Now()
	return nil
}

// reap lets the kernel forget all that ended. It reports how the program did, if it
// is among them.
func (i *initProcess) reap() (status unix.WaitStatus, is bool) {
	for {
		var ws unix.WaitStatus
		pid, err := unix.Wait4(-1, &ws, unix.WNOHANG, nil)
		switch {
		case err == unix.EINTR:
			continue
		case err != nil || pid == 0:
			return status, is
		case i.program != nil && pid == i.program.Pid:
			status, is = ws, true
			_ = i.program.Release()
			i.program = nil
		}
	}
}

// over is what the end of the program means: a code to end with, or one more start.
func (i *initProcess) over(ws unix.WaitStatus) (code int, done bool) {
	if !ws.Signaled() {
		return ws.ExitStatus(), true
	}
	if time.Since(i.begun) >= quick {
		i.killed = 0
	}
	i.killed++
	if i.told || i.killed >= quickTimes {
		return codeSignal + int(ws.Signal()), true
	}
	i.log.Info("the reconciler was killed and is started again; its children run on", "signal", unix.SignalName(ws.Signal()), "after", time.Since(i.begun).Round(time.Millisecond).String())
	return 0, false
}
