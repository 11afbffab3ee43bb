// Package reconcile makes what runs equal to what the manifests say.
//
// Plan is the whole decision, and it is pure: from the desired state and the
// snapshots of the runtime it makes a list of actions, each with its reasons
// field by field, in an order that depends on nothing else. A second plan after
// all actions were carried out is empty.
//
// Loop is the one goroutine around it. It acts on levels, not on edges: whatever
// happens only says "look again", and a look reads both sides whole. Its
// promises:
//
//   - Nothing is planned before the first complete look at the manifests and
//     before the runtime knows which processes live.
//   - A refused action is tried again with growing pauses, by child: it delays no
//     other child, and it is tried at once when its manifest changes.
//   - A runtime that changes all the time costs no plans: only a change that an
//     action would follow from leads to one.
//
// What keeps a mistake from stopping a child (last valid stays, an empty look
// never empties) is decided before, in desired.Merge, and nowhere else.
package reconcile
