package desired

// position is a place in a file; both count from 1.
type position struct{ line, column int }

// positions maps the path of a field to where it stands.
type positions map[string]position
