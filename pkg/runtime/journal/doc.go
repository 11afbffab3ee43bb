// Package journal keeps on disk what the runtime must not forget, and what
// people may want to read later. It decides nothing.
//
// Records is the memory of the machine: the newest Record of every child, in one
// append-only file. Its promises:
//
//   - What Append has acknowledged survives a kill -9 at any instruction. A batch
//     with a record that asks for it (Record.Sync) survives a loss of power too;
//     one fdatasync serves the whole batch.
//   - Never a wrong record: each line carries a checksum. A last line that was
//     cut short by a kill is dropped; it was not acknowledged. Damage elsewhere
//     (a bad disk) costs the lines it hit: the damaged file is kept aside, all
//     other records are used, and the damage is reported.
//   - A failed Append (a full disk) leaves the file as it was, and may be repeated.
//   - The file stays below four times what is alive in it, plus 1 MiB and a batch.
//     It is replaced by rename, so it is whole at any moment, and may be read
//     (ReadRecords) while a daemon writes it.
//
// Facts is the diary: one JSON object a line, numbered without gaps over all
// restarts, in files of 10 MiB that are named by their first number, of which
// five are kept. Its promises:
//
//   - What Append has acknowledged survives a kill -9 at any instruction: it is in
//     the page cache, whole lines only.
//   - Commands of an operator, and what happened in the same turn of the loop,
//     survive a loss of power too: one fdatasync serves the whole batch. What the
//     runtime did by itself is not fsynced, and nor is what manifests say: that
//     follows from the records and from the manifests, and would cost 0.1 to 10 ms
//     a batch. After a loss of power the numbers of its last seconds are given again.
//   - Commands of operators that changed something outlive their file: from each one
//     that is deleted they are moved to a file of their own, the newest 5 to 10 MiB of
//     them (12,000 at least). So no child that fails, or speaks, without end pushes one
//     of them out, nor does anybody whose requests are refused.
//   - What cannot be written (a full disk) is kept, up to 1 MiB, and written later
//     in its place; of what is more an entry says how many there were.
//
// Read and Follow read the diary, from a number or a time on, with or without a
// daemon. They read files, so the writer never waits for anybody; what was
// rotated away before a reader came to it is told to it as Missed.
package journal
