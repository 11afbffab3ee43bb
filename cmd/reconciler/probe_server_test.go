package main_test

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strconv"

	"github.com/rogpeppe/go-internal/testscript"
	"google.golang.org/grpc"
	"google.golang.org/grpc/health"
	"google.golang.org/grpc/health/grpc_health_v1"
)

// probeServer is a server for the scripts, run as
//
//	probe-server tcp|http|grpc PORT [FILE]
//	probe-server odd PORT TEXT
//	probe-server notify TEXT
//	probe-server hammer PORT FILE
//
// odd answers with TEXT, which is no HTTP; notify says TEXT on its notify socket, and
// what no shim understands, and stays. http is well as long as FILE exists, or always without one. hammer asks a web
// server over and over, each time on a new connection, until FILE exists; it
// writes what it is told to hammer.txt, and prints how many requests failed.
func probeServer() {
	if err := serveProbes(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "probe-server:", err)
		os.Exit(1)
	}
}

func serveProbes(args []string) error {
	if len(args) < 2 {
		return errors.New("usage: probe-server tcp|http|grpc PORT [FILE]")
	}
	well := func() bool {
		if len(args) < 3 {
			return true
		}
		_, err := os.Stat(args[2])
		return err == nil
	}
	if args[0] == "hammer" {
		return hammer("http://127.0.0.1:"+args[1]+"/health", args[2])
	}
	if args[0] == "notify" {
		return speak(args[1])
	}
	l, err := net.Listen("tcp", "127.0.0.1:"+args[1])
	if err != nil {
		return err
	}
	fmt.Println("listening on", l.Addr())
	switch args[0] {
	case "tcp":
		for {
			c, err := l.Accept()
			if err != nil {
				return err
			}
			_ = c.Close()
		}
	case "http":
		return http.Serve(l, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			if !well() {
				http.Error(w, "unwell", http.StatusServiceUnavailable)
			}
		}))
	case "odd":
		for {
			c, err := l.Accept()
			if err != nil {
				return err
			}
			if _, err := http.ReadRequest(bufio.NewReader(c)); err == nil {
				_, _ = fmt.Fprintf(c, "%s\r\n\r\n", args[2]) // who does not wait for it, does without
			}
			_ = c.Close()
		}
	case "grpc":
		s := grpc.NewServer()
		grpc_health_v1.RegisterHealthServer(s, health.NewServer())
		return s.Serve(l)
	}
	return errors.New("unknown server " + args[0])
}

func speak(text string) error {
	c, err := net.Dial("unixgram", os.Getenv("NOTIFY_SOCKET"))
	if err != nil {
		return err
	}
	for _, message := range []string{"STATUS=" + text, "ERRNO=" + text} {
		if _, err := c.Write([]byte(message)); err != nil {
			return err
		}
	}
	_, err = c.Read(make([]byte, 1)) // nothing ever comes
	return err
}

func hammer(url, until string) error {
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: patience}
	asked, failed, last := 0, 0, ""
	for ; ; asked++ {
		if _, err := os.Stat(until); err == nil {
			fmt.Printf("asked: %d\nfailed: %d\n", asked, failed)
			return nil
		}
		text, err := ask(client, url)
		if err != nil {
			failed++
			fmt.Println(err)
			continue
		}
		if text != last {
			last = text
			if err := os.WriteFile("hammer.txt", []byte(text), 0o666); err != nil {
				return err
			}
		}
	}
}

func ask(client *http.Client, url string) (string, error) {
	r, err := client.Get(url)
	if err != nil {
		return "", err
	}
	defer r.Body.Close()
	text, err := io.ReadAll(r.Body)
	return string(text), err
}

func cmdFreePort(ts *testscript.TestScript, _ bool, args []string) {
	usage(ts, args, 1, "free-port VAR...")
	for _, name := range args {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		ts.Check(err)
		defer l.Close() // only then may the next one be the same
		ts.Setenv(name, strconv.Itoa(l.Addr().(*net.TCPAddr).Port))
	}
}

func cmdFill(ts *testscript.TestScript, _ bool, args []string) {
	usage(ts, args, 1, "fill FILE...")
	for _, file := range args {
		text := os.Expand(ts.ReadFile(file), func(name string) string {
			if name == "$" { // $$ is a dollar
				return name
			}
			return ts.Getenv(name)
		})
		ts.Check(os.WriteFile(ts.MkAbs(file), []byte(text), 0o666))
	}
}
