package envfile

import (
	"errors"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestLinesThatUsersOfSystemdAndComposeWrite is the table by which the libraries were
// compared, see doc.go.
func TestLinesThatUsersOfSystemdAndComposeWrite(t *testing.T) {
	for name, row := range map[string]struct{ text, want string }{
		"a word":                                    {"A=1", "1"},
		"words":                                     {"A=x y", "x y"},
		"blanks around the value":                   {"A=  x  ", "x"},
		"blanks around the equals sign":             {"A = x", "x"},
		"nothing":                                   {"A=", ""},
		"an empty pair":                             {`A=""`, ""},
		"a number sign in a word":                   {"A=x#y", "x#y"},
		"a note behind a value without quotes":      {"A=x # y", "x # y"},
		"a comment":                                 {"# c\nA=1", "1"},
		"a comment of ini files":                    {"; c\nA=1", "1"},
		"an indented comment":                       {"  # c\n\t; c\nA=1", "1"},
		"double quotes":                             {`A="x y"`, "x y"},
		"single quotes":                             {"A='x y'", "x y"},
		"a note behind double quotes":               {`A="x y" # note`, "x y"},
		"a note behind single quotes":               {"A='x y'\t; note", "x y"},
		"a note with quotes":                        {`A="x y" # say "hi"`, "x y"},
		"a number sign in quotes":                   {`A="x # y"`, "x # y"},
		"blanks in quotes":                          {`A="  x  "  `, "  x  "},
		"a byte order mark":                         {"\ufeffA=1", "1"},
		"lines of Windows":                          {"A=1\r\nB=2\r\n", "1"},
		"quoted lines of Windows":                   {"A=\"1\r\n2\"\r\nB=2\r\n", "1\n2"},
		"export":                                    {"export A=1", "1"},
		"export and a tab":                          {"export\tA=1", "1"},
		"export and blanks":                         {"  export   A=1", "1"},
		"a variable called export":                  {"export=x\nA=1", "1"},
		"a variable that begins with export":        {"exports=x\nA=1", "1"},
		"lines in double quotes":                    {"A=\"l1  \n  l2\"\nB=1", "l1  \n  l2"},
		"lines in single quotes":                    {"A='l1\n\n# l2'\nB=1", "l1\n\n# l2"},
		"a key in several lines":                    {"A=\"-----BEGIN KEY-----\nab+/=\n-----END KEY-----\n\"", "-----BEGIN KEY-----\nab+/=\n-----END KEY-----\n"},
		"a note behind several lines":               {"A='l1\nl2' # note\nB=1", "l1\nl2"},
		"a backslash at the end in double quotes":   {"A=\"l1\\\nl2\"", "l1l2"},
		"a backslash at the end in single quotes":   {"A='l1\\\nl2'", "l1\\\nl2"},
		"a backslash at the end":                    {"A=-a \\\n  -b \\\n  --port=80\nB=1", "-a   -b   --port=80"},
		"a backslash before a line of its own":      {"A=C:\\dir\\\nB=1", `C:\dir\`},
		"a backslash before a comment":              {"A=C:\\dir\\\n# c\nB=1", `C:\dir\`},
		"a backslash at the end of the file":        {`A=C:\dir\`, `C:\dir\`},
		"a backslash":                               {`A=C:\temp`, `C:\temp`},
		"a backslash and n in double quotes":        {`A="C:\new"`, `C:\new`},
		"a backslash in single quotes":              {`A='C:\new'`, `C:\new`},
		"a backslash before the last quote":         {"A=\"C:\\dir\\\"\nB=1", `C:\dir\`},
		"a backslash before the last of two quotes": {"A=\"C:\\dir\\\"\nB=\"x\"", `C:\dir\`},
		"an escaped quote":                          {`A="a\"b"`, `a"b`},
		"an escaped backslash":                      {`A="a\\b"`, `a\b`},
		"an escaped dollar sign":                    {`A="\$x"`, "$x"},
		"a regular expression":                      {`A="^\d+\.\w*$"`, `^\d+\.\w*$`},
		"a variable":                                {"A=$HOME/x", "$HOME/x"},
		"a variable in braces":                      {`A="${HOME:-y}/x"`, "${HOME:-y}/x"},
		"dollar signs of a password":                {"A=pa$$word$1", "pa$$word$1"},
		"a command":                                 {"A=$(date)", "$(date)"},
		"equals signs":                              {"A=a=b=c", "a=b=c"},
		"base64":                                    {"A=ab+/==", "ab+/=="},
		"json":                                      {`A={"k": "v"}`, `{"k": "v"}`},
		"json in single quotes":                     {`A='{"k":"v"}'`, `{"k":"v"}`},
		"json in double quotes":                     {`A="{"k":"v"}"`, `{"k":"v"}`},
		"json in double quotes, escaped":            {`A="{\"k\":\"v\"}"`, `{"k":"v"}`},
		"an apostrophe":                             {"A=it's", "it's"},
		"an apostrophe in double quotes":            {`A="it's"`, "it's"},
		"a quoted word and others":                  {`A="x y" -z`, `"x y" -z`},
		"two quoted words":                          {`A="x" "y"`, `x" "y`},
		"a note without a blank before it":          {`A="x"#y`, `"x"#y`},
		"an address":                                {"A=postgres://u:p@h/db?x=1&y=2#z", "postgres://u:p@h/db?x=1&y=2#z"},
		"a password of signs":                       {"A=!@#%^&*();|<>", "!@#%^&*();|<>"},
		"letters of other countries":                {"A=größe 寸", "größe 寸"},
		"twice":                                     {"A=1\nA=2", "2"},
		"names with signs":                          {"a.b-c=1\nX:Y=1\n1B=2\nA=1", "1"},
		"a tab":                                     {"A=x\ty", "x\ty"},
	} {
		t.Run(name, func(t *testing.T) {
			vars, err := Parse(row.text)

			if err != nil {
				t.Fatalf("Parse(%q): %v", row.text, err)
			}
			got := "(not set)"
			for _, v := range vars {
				if v.Name == "A" {
					got = v.Value
				}
			}
			if got != row.want {
				t.Errorf("Parse(%q): A = %q, want %q", row.text, got, row.want)
			}
		})
	}
}

func TestALineThatIsNoneIsRefusedByItsNumberAndNotShown(t *testing.T) {
	for name, row := range map[string]struct {
		text string
		line int
		want string
	}{
		"a name alone":              {"OK=1\nhunter2", 2, "KEY=value"},
		"export alone":              {"export hunter2", 1, "KEY=value"},
		"no name":                   {"\n\n=hunter2", 3, "KEY=value"},
		"a name of two words":       {"my hunter2=1", 1, "KEY=value"},
		"a quoted name":             {`"hunter2"=1`, 1, "KEY=value"},
		"a NUL":                     {"OK=\"1\n2\"\nA=hunter2\x00", 3, "NUL"},
		"UTF-16":                    {"\xff\xfeA\x00=\x001\x00", 1, "UTF-8"},
		"a quote that stays open":   {"OK=1\nA=\"hunter2\nB=1\n", 2, "never closed"},
		"a quote alone":             {"A='", 1, "never closed"},
		"a quote of the next value": {"OK=1\nA=\"hunter2\nB=\"x\"\n", 2, "closed on a later line (1 below)"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Parse(row.text)

			var bad *Error
			if !errors.As(err, &bad) || bad.Line != row.line || !strings.Contains(bad.Problem, row.want) {
				t.Fatalf("Parse(%q) = %v, want line %d and %q", row.text, err, row.line, row.want)
			}
			if strings.Contains(err.Error(), "hunter2") {
				t.Errorf("the error shows the line: %v", err)
			}
		})
	}
}

func TestTheOrderOfTheLinesIsKept(t *testing.T) {
	vars, err := Parse("B=1\nA=2\n\nB=3")

	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]Var{{"B", "1"}, {"A", "2"}, {"B", "3"}}, vars); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

// FuzzParse also holds what was read before this package was there: each line by itself,
// one pair of quotes taken off. A file without quotes, backslashes and semicolons means
// what it meant.
func FuzzParse(f *testing.F) {
	for _, seed := range []string{"A=1\nB= x y \n", "# c\n\nexport A=x # y\r\n", "A=\"x\n y\"\n", "A=\\\n-b", "x"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		got, err := Parse(text)
		if err != nil || strings.ContainsAny(text, "\"'\\;\x00\ufeff") || strings.Contains(text, "export") {
			return
		}
		var want []Var
		for line := range strings.Lines(text) {
			line = strings.TrimSpace(line)
			if line == "" || line[0] == '#' {
				continue
			}
			name, value, _ := strings.Cut(line, "=")
			want = append(want, Var{strings.TrimSpace(name), strings.TrimSpace(value)})
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("Parse(%q) (-want +got):\n%s", text, diff)
		}
	})
}

// docsRow is a row of the table in docs/env-files.md: what is in the file, and its value.
var docsRow = regexp.MustCompile("(?m)^\\| `(.*?)` \\| `(.*?)` \\|")

func TestTheTableOfTheDocsHolds(t *testing.T) {
	page, err := os.ReadFile("../../docs/env-files.md")
	if err != nil {
		t.Fatal(err)
	}
	rows := docsRow.FindAllStringSubmatch(string(page), -1)
	if len(rows) < 15 {
		t.Fatalf("the page has %d rows", len(rows))
	}
	for _, row := range rows {
		got, err := Parse(row[1])

		if err != nil {
			t.Fatalf("Parse(%q): %v", row[1], err)
		}
		if diff := cmp.Diff([]Var{{"A", row[2]}}, got); diff != "" {
			t.Errorf("Parse(%q) (-the page +got):\n%s", row[1], diff)
		}
	}
}
