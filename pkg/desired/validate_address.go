package desired

import (
	"net/netip"
	"net/url"
	"regexp"
	"slices"
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

// bodiless are the statuses of answers that have no body (RFC 9110, sections 15.3.5,
// 15.3.6 and 15.4.5).
var bodiless = []string{"204", "205", "304"}

// checkBody refuses a pattern that is looked for where there is nothing: an answer to
// HEAD has no body either (RFC 9110, section 9.3.2).
func (p *httpProbe) checkBody(c *checker) {
	pattern, err := regexp.Compile(*p.BodyMatch)
	switch {
	case err != nil || pattern.MatchString(""): // it was said; it is satisfied with nothing
	case p.Method != nil && *p.Method == "HEAD":
		c.problem("body_match", "an answer to HEAD has no body, so it never matches", "remove it, or write method: GET")
	case p.Status != nil && !slices.ContainsFunc(strings.Split(*p.Status, ","), hasBody):
		c.problem("body_match", "an answer with status "+quoted(*p.Status)+" has no body, so it never matches", "remove it, or allow other statuses")
	}
}

// hasBody is for a part of a list of statuses: a code, or a range, which holds others.
func hasBody(part string) bool { return !slices.Contains(bodiless, strings.TrimSpace(part)) }

// isControl reports what the value of a header may not hold (RFC 9110, section 5.5).
func isControl(r rune) bool { return r < ' ' && r != '\t' || r == 0x7f }
