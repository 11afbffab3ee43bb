// Package private makes and opens what belongs to the user of this process alone:
// the state directory, what is in it, and the locks.
//
// A directory is judged once with all that leads to it (Dir); from then on nobody else
// can put anything in its place or into it. What stands in there already may be older
// than that: so each folder (Below) and each file (Open) is judged again where it is
// opened, by its owner and its mode, and no link is followed.
//
// What is ours and open to more than it should be is closed, not refused. What others
// may write is refused: closing it would not undo what they did.
package private
