package desired

import (
	"net/netip"
	"net/url"
	"regexp"
	"strings"
)

// This file holds what a probe may be told to ask: what would fail at each look, or
// ask somebody else, is refused where it is written.

func (p *tcpProbe) check(c *checker)  { checkHost(c, p.Host) }
func (p *grpcProbe) check(c *checker) { checkHost(c, p.Host) }

// maxSocketPath is what sun_path of unix(7) holds on Linux, its end not counted.
const maxSocketPath = 107

// checkPath refuses what no server can be asked for: RFC 3986 has a path and a query
// of printable ASCII, with %XX for the rest, and keeps what follows # to itself.
func checkPath(c *checker, path string) {
	part, query, _ := strings.Cut(path, "?")
	_, err := url.PathUnescape(part)
	if _, inQuery := url.PathUnescape(query); err == nil {
		err = inQuery
	}
	switch {
	case err != nil:
		c.problem("path", err.Error(), "write a percent sign as %25")
	case strings.Contains(path, "#"):
		c.problem("path", "what follows # never reaches a server", "remove it, or write %23 for the character")
	case strings.IndexFunc(path, func(r rune) bool { return r <= ' ' || r > '~' }) >= 0:
		c.problem("path", "holds a blank, a control character or a letter outside of ASCII", "write it as %XX, %20 for a blank")
	}
}

// hostName is a name of RFC 1123, with the underscore that resolvers take.
var hostName = regexp.MustCompile("^[A-Za-z0-9_]([A-Za-z0-9_.-]{0,251}[A-Za-z0-9_.])?$")

// checkHost refuses what is neither a name nor an address: a port, a URL, brackets.
func checkHost(c *checker, host *string) {
	if host == nil || hostName.MatchString(*host) {
		return
	}
	if _, err := netip.ParseAddr(*host); err == nil {
		return
	}
	hint := "write a name or an address alone"
	if _, err := netip.ParseAddr(strings.Trim(*host, "[]")); err == nil {
		hint = "write the address without brackets: " + strings.Trim(*host, "[]")
	} else if strings.Contains(*host, ":") {
		hint += "; the port has a field of its own"
	}
	c.problem("host", quoted(*host)+" is no name and no address of a host", hint)
}

// isControl reports what the value of a header may not hold (RFC 9110, section 5.5).
func isControl(r rune) bool { return r < ' ' && r != '\t' || r == 0x7f }
