package cli

import (
	"bytes"
	"os"
	"strings"
	"testing"
	"time"
)

func TestDurationsForPeopleHaveTwoUnitsAtMost(t *testing.T) {
	for d, want := range map[time.Duration]string{
		-time.Second:                   "0s",
		0:                              "0ms",
		800 * time.Millisecond:         "800ms",
		119 * time.Second:              "119s",
		2 * time.Minute:                "2m",
		200 * time.Second:              "3m20s",
		59 * time.Minute:               "59m",
		3*time.Hour + 5*time.Minute:    "3h5m",
		8*time.Hour + 59*time.Minute:   "8h",
		49 * time.Hour:                 "2d1h",
		8 * 24 * time.Hour:             "8d",
		400*24*time.Hour + time.Second: "400d",
	} {
		if got := humanDuration(d); got != want {
			t.Errorf("humanDuration(%v) = %q, want %q", d, got, want)
		}
	}
}

func TestMomentsSayHowFarTheyAre(t *testing.T) {
	at := today.Local().Format(time.DateTime)
	for name, row := range map[string]struct {
		t, now time.Time
		want   string
	}{
		"past":   {today, today.Add(3 * time.Second), at + " (3s ago)"},
		"future": {today, today.Add(-3 * time.Second), at + " (in 3s)"},
		"never":  {time.Time{}, today, "never"},
	} {
		if got := moment(row.t, row.now); got != row.want {
			t.Errorf("%s: moment = %q, want %q", name, got, row.want)
		}
	}
}

func TestTableStaysAlignedWithColoursAndWideLetters(t *testing.T) {
	var out bytes.Buffer
	table := tableWriter{w: &out, paint: paintPhase}

	for _, rows := range [][][]string{{{"NAME", "PHASE", "WHY"}, {"übung", "Running", ""}}, {{"x", "Failed", "y"}}} {
		if err := table.print(rows); err != nil {
			t.Fatal(err)
		}
	}

	want := "NAME    PHASE     WHY\nübung   \x1b[32mRunning\x1b[0m\nx       \x1b[31mFailed\x1b[0m    y\n"
	if out.String() != want {
		t.Errorf("table = %q, want %q", out.String(), want)
	}
}

func TestOnlyATerminalGetsColoursUnlessTheyAreAskedFor(t *testing.T) {
	file, err := os.CreateTemp(t.TempDir(), "")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	w := three(t)

	auto, always, never := &app{color: colorAuto}, w.run("get", "--color", "always"), w.run("get", "--color", "never")

	if auto.colours(file) || auto.colours(&bytes.Buffer{}) {
		t.Error("a file or a buffer is coloured; want terminals only")
	}
	if !strings.Contains(always.Out, "\x1b[32mRunning\x1b[0m") {
		t.Errorf("get --color always = %q; want colours", always.Out)
	}
	if strings.Contains(never.Out, "\x1b") {
		t.Errorf("get --color never = %q; want none", never.Out)
	}
}

func TestATableIsCutToTheWidthOfItsTerminal(t *testing.T) {
	var out bytes.Buffer
	table := tableWriter{w: &out, limit: 24}

	if err := table.print([][]string{{"NAME", "WHY"}, {"web", "it waits for 日本語 and more"}}); err != nil {
		t.Fatal(err)
	}

	if want := "NAME   WHY\nweb    it waits for 日…\n"; out.String() != want {
		t.Errorf("table = %q, want %q", out.String(), want)
	}
}
