package server

import (
	"net"
	"os"
	"testing"

	"github.com/reconciler-dev/reconciler/pkg/control"
)

func TestSocketThatIsTakenAwayIsMadeAgain(t *testing.T) {
	h := open(t, office)
	for name, take := range map[string]func(path string) error{
		"removed": os.Remove,
		"moved":   func(path string) error { return os.Rename(path, path+".old") },
		"replaced by a dead one": func(path string) error {
			return control.WithAddress(path+".new", func(address string) error {
				l, err := net.ListenUnix("unix", &net.UnixAddr{Name: address, Net: "unix"})
				if err != nil {
					return err
				}
				l.SetUnlinkOnClose(false)
				_ = l.Close()
				return os.Rename(path+".new", path)
			})
		},
	} {
		must(t, take(h.options.Socket))

		until(t, func() string {
			h.Client.Close() // or it goes on with a connection of before
			if health, err := h.Health(t.Context()); err != nil || !health.Healthy {
				return name + ": nobody answers"
			}
			return ""
		})
	}
}

func TestWhatStandsInThePlaceOfTheSocketIsLeftAlone(t *testing.T) {
	h := build(t, office, nil)
	s, err := newServer(h.options, defaultLimits())
	must(t, err)
	defer func() { must(t, s.Close()) }()
	must(t, os.Remove(h.options.Socket))
	must(t, os.WriteFile(h.options.Socket, []byte("precious"), 0o600))

	s.bindAgain()

	if text, err := os.ReadFile(h.options.Socket); err != nil || string(text) != "precious" {
		t.Errorf("it is %q, %v now", text, err)
	}
	must(t, os.Remove(h.options.Socket))
}
