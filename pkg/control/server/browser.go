package server

import (
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"strings"

	"github.com/reconciler-dev/reconciler/pkg/control"
)

// browsers refuses what a page made a browser send. No browser gets to a unix socket;
// but who forwards it to a TCP port (socat, ssh -L) lends the own rights to every page
// that the browser on that machine shows.
type browsers struct{ crossOrigin *http.CrossOriginProtection }

func newBrowsers() browsers { return browsers{http.NewCrossOriginProtection()} }

// check says why a request is refused; nil for one that a page cannot have sent.
//
// CrossOriginProtection lets through what only looks, for a page cannot read the
// answer. That does not hold once its own name leads to us (DNS rebinding), where all
// is the same origin: so the host must be a name that no page can have. And a page
// that only looks takes up a connection: where the browser says that it is one of
// elsewhere, that is refused too.
func (b browsers) check(r *http.Request) error {
	site := r.Header.Get("Sec-Fetch-Site")
	switch {
	case b.crossOrigin.Check(r) != nil, site == "cross-site", site == "same-site":
		return &control.Error{
			Status: http.StatusForbidden, Code: control.CodeNotPermitted,
			Message: "the page of another site sent this request through a browser",
			Hint:    "use the command line, or a program that is no browser",
		}
	case !isLocalName(r.Host):
		return &control.Error{
			Status: http.StatusForbidden, Code: control.CodeNotPermitted,
			Message: fmt.Sprintf("the host %.100q may be the name of a page that leads here", r.Host),
			Hint:    "say localhost, or any name without a dot, as http://reconciler/v1/health",
		}
	}
	return nil
}

// isLocalName reports whether a host is none that the public DNS knows: an address, a
// name without a dot, or one below localhost (RFC 6761, 6.3). A page whose address is a
// number cannot be made to lead elsewhere.
func isLocalName(host string) bool {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	host = strings.ToLower(strings.TrimSuffix(host, "."))
	if _, err := netip.ParseAddr(strings.Trim(host, "[]")); err == nil {
		return true
	}
	return !strings.Contains(host, ".") || strings.HasSuffix(host, ".localhost")
}
