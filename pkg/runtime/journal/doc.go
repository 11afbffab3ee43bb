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
// five are kept. It is not fsynced: a loss of power may take its last seconds.
//
// Read and Follow read the diary, from a number or a time on, with or without a
// daemon. They read files, so the writer never waits for anybody; what was
// rotated away before a reader came to it is told to it as Missed.
package journal
