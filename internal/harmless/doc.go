// Package harmless makes text that others wrote fit for where it is shown: a file name
// that sets the title of a terminal, an id that turns a line around, output of a child
// that is a command to GitHub's runner.
//
// There is one function for each target: Text for one line of a terminal or a log,
// GitHub and Property for workflow commands, JSON for JSON and so for SARIF, YAML for
// YAML. All escape the same characters, those that are not graphic: controls (C0, DEL
// and C1), what turns or hides text (bidi controls, zero width characters, line
// separators) and bytes that are no UTF-8. What stands in JSON and YAML keeps its value.
//
// Writer is the net below them: standard output and error go through it, so that
// a verb that forgets its function writes an escape and not a control. Only what Own
// has marked passes as it is.
package harmless
