package main_test

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"regexp"
	"strings"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

// cmdScrape is scrape ADDR FILE REGEXP...: waits until what is served at ADDR matches
// all of them, and none that begins with !, and leaves it in FILE. ADDR is host:port or the path of a socket.
func cmdScrape(ts *testscript.TestScript, _ bool, args []string) {
	usage(ts, args, 3, "scrape ADDR FILE REGEXP...")
	network, address := "tcp", args[0]
	if strings.Contains(address, "/") {
		network, address = "unix", ts.MkAbs(address)
	}
	client := clientOf(network, address)
	waitFor(ts, func() string {
		text, err := scrape(client, "/metrics")
		if err != nil {
			return err.Error()
		}
		for _, expr := range args[2:] {
			expr, unwanted := strings.CutPrefix(expr, "!")
			if regexp.MustCompile(`(?m)`+expr).MatchString(text) == unwanted {
				return fmt.Sprintf("the metrics: %q matches: %v\n%s", expr, unwanted, text)
			}
		}
		ts.Check(os.WriteFile(ts.MkAbs(args[1]), []byte(text), 0o644))
		return ""
	})
}

// cmdAsk is ask PATH FILE: leaves the answer of the control socket to GET PATH in FILE.
func cmdAsk(ts *testscript.TestScript, _ bool, args []string) {
	usage(ts, args, 2, "ask PATH FILE")
	text, err := scrape(clientOf("unix", ts.MkAbs(".reconciler/reconciler.sock")), args[0])
	ts.Check(err)
	ts.Check(os.WriteFile(ts.MkAbs(args[1]), []byte(text), 0o644))
}

// clientOf talks to one address only.
func clientOf(network, address string) *http.Client {
	return &http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{
		DisableKeepAlives: true,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, network, address)
		},
	}}
}

func scrape(client *http.Client, path string) (string, error) {
	r, err := client.Get("http://reconciler" + path)
	if err != nil {
		return "", err
	}
	defer r.Body.Close()
	text, err := io.ReadAll(r.Body)
	if r.StatusCode != http.StatusOK {
		err = fmt.Errorf("GET %s: %s", path, r.Status)
	}
	return string(text), err
}
