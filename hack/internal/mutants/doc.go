// Package mutants takes mendings out, one by one, and looks whether the tests that
// guard them turn red: a test that cannot fail guards nothing.
//
// A row of the table, hack/testdata/mutants/AREA.yaml, names a file, a text that
// stands in it exactly once, what stood there before the mending, and the tests
// that must fail with it. Each row is applied alone, to a copy. A test fails by its
// own word: a package that no longer builds proves nothing.
//
//   - name: pid-1-is-never-signalled
//     file: pkg/runtime/shim/process.go
//     text: if target >= -1 && target <= 1 || own {
//     before: if own {
//     tests: ["./pkg/runtime/shim TestNobodyElseIsSignalled"]
//
// A text of several lines is a block of YAML: "|", or "|2" where its first line begins
// with a tab; "|-" leaves the last newline out.
package mutants
