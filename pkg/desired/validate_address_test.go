package desired

import (
	"strings"
	"testing"
)

func TestReloadHasPatternsInTheLastNameAlone(t *testing.T) {
	for files, want := range map[string]string{
		"[/etc/nginx/*.conf, /etc/conf.d, \"/etc/a?\"]": "",
		"[/etc/*/nginx.conf]":                           `a.yaml:2:10: reload.files: "/etc/*/nginx.conf" is a pattern of folders; only the last name may be one (name each folder)`,
	} {
		_, problems := Decode("a.yaml", []byte("name: a\nreload: {files: "+files+"}"))

		if want == "" && len(problems) > 0 || want != "" && (len(problems) != 1 || problems[0].String() != want) {
			t.Errorf("%s: %v; want %q", files, problems, want)
		}
	}
}

func TestProbesThatCouldNeverSucceedAreProblems(t *testing.T) {
	long := "/" + strings.Repeat("s", 107)
	for text, want := range map[string]string{
		`http: {port: 80, path: "/a%zz"}`:                                                   `a.yaml:2:36: readiness.http.path: invalid URL escape "%zz" (write a percent sign as %25)`,
		`http: {port: 80, path: "/?q=100%"}`:                                                `readiness.http.path: invalid URL escape "%" (write a percent sign as %25)`,
		`http: {port: 80, path: "/#top"}`:                                                   `readiness.http.path: what follows # never reaches a server`,
		`http: {port: 80, path: "/a b"}`:                                                    `readiness.http.path: holds a blank`,
		`http: {port: 80, path: "/straße"}`:                                                 `readiness.http.path: holds a blank, a control character or a letter outside of ASCII`,
		`http: {port: 80, host: "[::1]"}`:                                                   `readiness.http.host: "[::1]" is no name and no address of a host (write the address without brackets: ::1)`,
		`http: {port: 80, host: "example.org:80"}`:                                          `the port has a field of its own`,
		`http: {port: 80, host: "http://example.org"}`:                                      `is no name and no address of a host`,
		`http: {port: 80, host: "user@example.org"}`:                                        `is no name and no address of a host`,
		`http: {port: 80, host: "a/b"}`:                                                     `is no name and no address of a host`,
		`http: {port: 80, headers: {X-A: "a\u0001b"}}`:                                      `the value of a header has one line and no control characters`,
		`http: {unix_socket: ` + long + `}`:                                                 `readiness.http.unix_socket: is 108 bytes long; a socket has a path of at most 107`,
		`tcp: {port: 80, host: "[::1]"}`:                                                    `readiness.tcp.host: "[::1]" is no name`,
		`grpc: {port: 80, host: "a b"}`:                                                     `readiness.grpc.host: "a b" is no name`,
		`http: {port: 80, path: "//status?a=b%20c&d", host: "::1", headers: {X-A: "a\tb"}}`: "",
		`http: {port: 80, host: "my_host.example-1.org."}`:                                  "",
		`http: {port: 80, host: "fe80::1%eth0"}`:                                            "",
		`http: {unix_socket: ` + long[:107] + `}`:                                           "",
		`http: {port: 80, method: HEAD, body_match: ok}`:                                    `readiness.http.body_match: an answer to HEAD has no body, so it never matches (remove it, or write method: GET)`,
		`http: {port: 80, status: "204, 304", body_match: ok}`:                              `readiness.http.body_match: an answer with status "204, 304" has no body`,
		`http: {port: 80, method: HEAD}`:                                                    "",
		`http: {port: 80, method: HEAD, body_match: "^$"}`:                                  "",
		`http: {port: 80, status: "200,204", body_match: ok}`:                               "",
		`http: {port: 80, status: "204-206", body_match: ok}`:                               "",
		`tcp: {port: 80, host: 127.0.0.1}`:                                                  "",
	} {
		_, problems := Decode("a.yaml", []byte("name: a\nreadiness: {"+text+"}"))

		got := ""
		if len(problems) > 0 {
			got = problems[0].String()
		}
		if want == "" && got != "" || !strings.Contains(got, want) {
			t.Errorf("%s:\ngot  %s\nwant %s", text, got, want)
		}
	}
}
