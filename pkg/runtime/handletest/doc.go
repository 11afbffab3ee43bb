// Package handletest is the contract of whoever commands a runtime, as a suite of
// tests that anybody can run: *runtime.Handle is held to it, so is the client of the
// control socket, and so may be a door of yours (a service, a page, a bot) that
// passes commands on.
//
//	func TestMyDoorKeepsTheContract(t *testing.T) {
//		handletest.Test(t, handletest.Door{
//			Open: func(t *testing.T, s handletest.Stage) handletest.Control { return newMyDoor(t, s.Handle) },
//		})
//	}
//
// What must be answered in which state of a child and in which life of the control
// plane is read from the tables of docs/semantics.md, where the machine itself wrote
// it. So there is one table: the machine makes it, people read it, and everybody who
// commands is measured by it. Beside the answers the suite checks what it is worth:
// what the child comes to, that there is exactly one entry in the journal with all that
// an audit needs, that what was refused or was so already had no effect at all, that
// asking twice is asking once, and that the final reports are the same for everybody.
//
// Processes are played in memory and the clock is not waited for: a run takes a
// second or two.
package handletest
