// Command vulncheck asks govulncheck for known vulnerabilities in the code that this
// module calls; hack/vuln calls it.
//
// What is wrong in a module that go.mod names is ours to mend, and fails. The standard
// library is that of the Go which builds: a newer one mends it, not a change here, so
// it is a warning, as is a machine that reaches no database. With -must, for a
// release, both fail too.
package main
