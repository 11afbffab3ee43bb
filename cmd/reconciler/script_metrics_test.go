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
	client := &http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{
		DisableKeepAlives: true,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, network, address)
		},
	}}
	waitFor(ts, func() string {
		text, err := scrape(client)
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

func scrape(client *http.Client) (string, error) {
	r, err := client.Get("http://reconciler/metrics")
	if err != nil {
		return "", err
	}
	defer r.Body.Close()
	text, err := io.ReadAll(r.Body)
	if r.StatusCode != http.StatusOK {
		err = fmt.Errorf("scrape: %s", r.Status)
	}
	return string(text), err
}
