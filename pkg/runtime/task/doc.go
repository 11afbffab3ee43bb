// Package task runs functions of the embedding program as children: with the
// same policies, stops, readiness and reports as processes have.
//
// A Registry knows functions by name and is the runtime.Processes that runs them,
// alone, or beside real processes (runtime.ShimProcesses.UseTasks). A child runs a
// task when it has no command and its name is a registered one, or when its
// command is "task:" and the name of one (Command makes such a command).
//
// Its promises are those of the shim, as far as a goroutine can keep them:
//
//   - At most one attempt of a child runs at any time. A start is refused as long
//     as the goroutine of an earlier attempt lives, whatever became of its stop.
//   - Starting one key twice gives the same answer twice and one goroutine.
//   - An exit is kept until it is acknowledged, and told again to who asks what
//     there is (Adopt).
//   - A return of nil is a success, an error a failure with the error as its
//     reason, a panic a failure with its stack; neither ends the program.
//
// The stop signal ends the task's context. A goroutine cannot be killed: SIGKILL
// only ends the context too, and a task that does not return is reported as one
// that cannot be stopped, for as long as it lives. A panic in a goroutine that a
// task starts by itself ends the program, as Go has it.
//
// Tasks die with the program. The next start finds that they are gone and reports
// their exits as lost.
package task
