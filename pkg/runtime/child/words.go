package child

// Words are text that somebody else than this program wrote: a child of itself, the
// command of its probe, the server that a probe asked. They may be as secret as its
// output, so whoever shows them must mean it: they are a type of their own, stand in
// fields of their own, never within our sentences, and a formatting verb such as %s
// does not print them. status.Withhold finds them by their type, in whatever field.
type Words string

// withheld stands for words where they are formatted.
const withheld = "(words of another, withheld)"

// String does not tell the words: Text does.
func (w Words) String() string {
	if w == "" {
		return ""
	}
	return withheld
}

// Text is the words. What calls it shows them, or keeps them where only the own user
// can read.
func (w Words) Text() string { return string(w) }

// Output is lines that a process printed, oldest first. What holds for Words holds
// for it.
type Output []string

// With is a sentence of ours with the words at its end, for those who may know them.
func (w Words) With(ours string) string {
	switch {
	case w == "":
		return ours
	case ours == "":
		return string(w)
	}
	return ours + ": " + string(w)
}
