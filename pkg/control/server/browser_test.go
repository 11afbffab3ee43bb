package server

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

func TestAPageCannotMakeABrowserCommand(t *testing.T) {
	h := open(t, office)
	for name, header := range map[string]http.Header{
		"a form of another site":                 {"Origin": {"https://evil.example"}},
		"a script of another site":               {"Origin": {"https://evil.example"}, "Sec-Fetch-Site": {"cross-site"}},
		"a page on another port":                 {"Origin": {"http://localhost:3000"}, "Sec-Fetch-Site": {"same-site"}},
		"a page from a file, or a sandbox":       {"Origin": {"null"}},
		"a page whose browser hides its address": {"Sec-Fetch-Site": {"cross-site"}},
	} {
		got := h.askAs(http.MethodPost, "/v1/children/web/pause", "", header)

		if got.code != http.StatusForbidden || got.refusal() != "not_permitted" {
			t.Errorf("%s: %d %s; want 403 not_permitted", name, got.code, got.body)
		}
	}
	if c, ok := h.handle.Child("web"); !ok || c.Operation != "active" {
		t.Errorf("web = %+v; want that nobody paused it", c)
	}
}

func TestAPageCannotLookEither(t *testing.T) {
	h := open(t, office)

	got := h.askAs(http.MethodGet, "/v1/events", "", http.Header{"Sec-Fetch-Site": {"cross-site"}, "Sec-Fetch-Mode": {"no-cors"}})

	if got.code != http.StatusForbidden {
		t.Errorf("an image of another site: %d; want 403", got.code)
	}
}

func TestAProgramIsNoBrowser(t *testing.T) {
	h := open(t, office)
	for name, header := range map[string]http.Header{
		"curl":                        nil,
		"one who types the address":   {"Sec-Fetch-Site": {"none"}},
		"a page of the same address":  {"Sec-Fetch-Site": {"same-origin"}},
		"a program that names itself": {"Origin": {"http://reconciler"}},
	} {
		if got := h.askAs(http.MethodGet, "/v1/state", "", header); got.code != http.StatusOK {
			t.Errorf("%s looks: %d %s", name, got.code, got.body)
		}
		if got := h.askAs(http.MethodPost, "/v1/children/web/resume", "", header); got.code >= 400 {
			t.Errorf("%s commands: %d %s", name, got.code, got.body)
		}
	}
}

func TestTheNameOfAPageIsNoHost(t *testing.T) {
	b := newBrowsers()
	for host, want := range map[string]bool{
		"reconciler": true, "x": true, "localhost": true, "localhost:8080": true, "LOCALHOST": true, "localhost.": true, "app.localhost:80": true,
		"127.0.0.1": true, "127.0.0.1:8080": true, "10.0.0.7:8080": true, "[::1]": true, "[::1]:8080": true, "": true,
		"evil.example": false, "evil.example:8080": false, "evil.example.": false, "localhost.evil.example": false, "127.0.0.1.nip.io": false,
		"reconciler.evil.example": false, "EVIL.EXAMPLE": false, "1.2.3.4.5": false,
	} {
		r := httptest.NewRequest(http.MethodGet, "/v1/state", nil)
		r.Host = host

		err := b.check(r)

		if (err == nil) != want {
			t.Errorf("host %q: %v; want that it passes: %v", host, err, want)
		}
		if err != nil && !strings.Contains(err.Error(), "localhost") {
			t.Errorf("host %q: %v; want the way out", host, err)
		}
	}
}
