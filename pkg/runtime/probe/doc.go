// Package probe looks at children from outside: whether a web server answers
// well, a port accepts, the gRPC health service says SERVING, a line of output
// matches. It decides nothing: what a result means, and when to look, is in package
// machine, which asks for one look at a time.
//
// Promises of the Prober:
//
//   - Every Probe gets one answer in Results, unless it was cancelled or replaced
//     by a newer one of the same child and role.
//   - A look takes no longer than the timeout of its spec, which counts from when
//     it begins, not from when it was asked for: at most Config.Slots looks are
//     under way at the same time, and the others wait their turn in order.
//   - No connection is kept: each look makes its own, as the kubelet does, so that
//     a server that accepts no new ones is found out.
//   - Answers of servers are read up to a bound, and none of their text gets into
//     a message: it could hold a secret.
package probe
