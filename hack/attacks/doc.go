// Package attacks plays what another user of the machine could try against a
// reconciler that runs as root, and fails when it succeeds. Its tests are the whole
// of it: each is named as the sentence of what must not work, and each area has a
// file of its own.
//
// A test gets a house: directories that every user can reach, and a reconciler of
// root. The attacker is the user nobody, or a child of root's with run_as nobody. He
// is this test binary, called again with the name of an attack that the test has
// registered, or any command.
//
// An attack that never took place fails nothing. So a test looks at the victim and at
// the attacker: what the attack was to change is as it was, and it was played to its
// end, or the kernel refused it.
//
// It needs root, for there is nobody else to be attacked. Without root the tests are
// skipped; with CI=true that is a failure.
package attacks
