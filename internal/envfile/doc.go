// Package envfile reads files of NAME=value lines, as systemd's EnvironmentFile=,
// Compose's env_file and docker run --env-file take them.
//
// Those three do not agree. Where they do, this is what they do; where they do not, a
// value is taken as it stands in the file, because a password that lost its end (Compose
// takes " #" for a comment) or its dollar sign (Compose expands it) is a fault that
// nobody sees: a note behind a value without quotes is part of the value, as for systemd
// and docker run, and nothing is ever expanded.
//
// The rules:
//
//   - A byte order mark at the beginning is skipped; lines end with \n or \r\n.
//   - Blank lines, and lines that begin with # or ; (blanks may precede), say nothing.
//   - export and blanks before a name are skipped, and so are blanks around name and value.
//   - A value without quotes reaches to the end of its line. A backslash at that end joins
//     the next line, unless that is a line of its own: blank, a comment, or NAME=value.
//   - In single quotes everything stands for itself, over several lines too.
//   - In double quotes too, but \", \\, \$ and \` stand for the second character, and a
//     backslash at the end of a line joins the next one. \n is a backslash and an n, as
//     for systemd.
//   - Behind the closing quote a note may follow (A="x y" # note). If anything else does,
//     or nothing closes it, and the line ends in the same quote, the value is what stands
//     between the two ("{"a": 1}", "C:\dir\"); else it is the line as it stands
//     ("-a b" -c), or an error if the closing quote is on a later line or nowhere.
//   - The last of two lines with one name wins.
//
// Why no library: of 62 lines that users of systemd and Compose write, subosito/gotenv
// reads 14 otherwise than the writer means them, compose-go's dotenv 15, joho/godotenv 17,
// hashicorp/go-envparse 23, most of them without an error.
package envfile
