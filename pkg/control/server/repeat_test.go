package server

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/reconciler-dev/reconciler/pkg/control"
	"github.com/reconciler-dev/reconciler/pkg/runtime/child"
	"github.com/reconciler-dev/reconciler/pkg/runtime/machine"
	"github.com/reconciler-dev/reconciler/pkg/status"
)

func keyed(key string) http.Header { return http.Header{control.IdempotencyKey: {key}} }

// remembering is a house whose server keeps answers, and how to start its next life.
func remembering(t *testing.T) (h *house, restart func()) {
	t.Helper()
	h = build(t, office, func(o *Options) { o.AnswersFile = filepath.Join(filepath.Dir(o.Socket), "answers.jsonl") })
	var stop func()
	restart = func() {
		t.Helper()
		if stop != nil {
			stop()
		}
		var err error
		h.server, err = newServer(h.options, defaultLimits())
		must(t, err)
		server := h.server
		stop = h.run(func(ctx context.Context) { _ = server.Run(ctx) })
	}
	restart()
	h.procs.events <- machine.Adopted{}
	_, err := h.Reconcile(t.Context(), control.ReconcileRequest{})
	must(t, err)
	until(t, func() string {
		if s, ok := h.handle.Child("web"); !ok || s.Phase != child.Running {
			return "web does not run"
		}
		return ""
	})
	return h, restart
}

func TestARequestThatIsSentAgainIsAnsweredAgainAndDoneOnce(t *testing.T) {
	h, restart := remembering(t)

	first := h.askAs("POST", "/v1/children/web/restart", "", keyed("k-1"))
	again := h.askAs("POST", "/v1/children/web/restart", "", keyed("k-1"))
	restart()
	afterwards := h.askAs("POST", "/v1/children/web/restart", "", keyed("k-1"))
	wrong := h.askAs("POST", "/v1/children/ghost/restart", "", keyed("k-2"))
	wrongAgain := h.askAs("POST", "/v1/children/ghost/restart", "", keyed("k-2"))

	for name, got := range map[string]answered{"at once": again, "in the next life": afterwards} {
		if got.body != first.body || got.code != http.StatusOK || got.header.Get(control.IdempotencyReplayed) != "true" {
			t.Errorf("sent again %s: %d %s; want the first answer %s", name, got.code, got.body, first.body)
		}
	}
	if wrong.code != http.StatusNotFound || wrongAgain.body != wrong.body {
		t.Errorf("a refusal %d %s is repeated as %s", wrong.code, wrong.body, wrongAgain.body)
	}
	until(t, func() string {
		if s, _ := h.handle.Child("web"); s.Phase != child.Running || s.Generation != 1 {
			return fmt.Sprintf("generation %d, want one restart", s.Generation)
		}
		return ""
	})
	if got := strings.Count(strings.Join(h.audited(0), "\n"), "restart /web: idempotent"); got != 2 {
		t.Errorf("%d of the repeated requests are on record, want 2", got)
	}
}

func TestAKeyIsForOneRequestOfOneUser(t *testing.T) {
	h := build(t, office, nil)
	become := h.serveAs(200)
	h.procs.events <- machine.Adopted{}
	become(peer{uid: 0, name: "root"})
	_, err := h.Reconcile(t.Context(), control.ReconcileRequest{})
	must(t, err)
	first := h.askAs("POST", "/v1/children/web/pause", "", keyed("k"))

	for name, row := range map[string]struct {
		method, path, body string
		header             http.Header
		want               string
	}{
		"another command":   {"POST", "/v1/children/web/resume", "", keyed("k"), "idempotency_key_reused " + control.IdempotencyKey},
		"another body":      {"POST", "/v1/children/web/pause", `{"reason": "x"}`, keyed("k"), "idempotency_key_reused " + control.IdempotencyKey},
		"a read":            {"GET", "/v1/health", "", keyed("k"), "invalid " + control.IdempotencyKey},
		"an empty one":      {"POST", "/v1/reconcile", "", keyed(""), "invalid " + control.IdempotencyKey},
		"a long one":        {"POST", "/v1/reconcile", "", keyed(strings.Repeat("x", maxKeyLength+1)), "invalid " + control.IdempotencyKey},
		"two":               {"POST", "/v1/reconcile", "", http.Header{control.IdempotencyKey: {"a", "b"}}, "invalid " + control.IdempotencyKey},
		"one with a letter": {"POST", "/v1/reconcile", "", keyed("é"), "invalid " + control.IdempotencyKey},
	} {
		if got := h.askAs(row.method, row.path, row.body, row.header); got.refusal() != row.want {
			t.Errorf("%s: %d %s, want %s", name, got.code, got.body, row.want)
		}
	}

	become(peer{uid: 4712, name: "bob", groups: []int{200}})
	if got := h.askAs("POST", "/v1/children/web/resume", "", keyed("k")); got.code != http.StatusOK || got.body == first.body {
		t.Errorf("the same key of another user: %d %s, want an answer of its own", got.code, got.body)
	}
}

func TestWhatWasNotDecidedMayBeSentAgain(t *testing.T) {
	fails := true
	h := build(t, office, func(o *Options) {
		reconcile := o.Reconcile
		o.Reconcile = func(ctx context.Context, c *child.Cause) (*status.Reconcile, []child.ID, error) {
			if fails {
				return nil, nil, errors.New("no luck")
			}
			return reconcile(ctx, c)
		}
	})
	h.serve(defaultLimits())
	h.procs.events <- machine.Adopted{}

	first := h.askAs("POST", "/v1/reconcile", "", keyed("k"))
	fails = false
	second := h.askAs("POST", "/v1/reconcile", "", keyed("k"))

	if first.code != http.StatusInternalServerError || second.code != http.StatusOK || second.header.Get(control.IdempotencyReplayed) != "" {
		t.Errorf("a failure %d %s is answered again with %d %s", first.code, first.body, second.code, second.body)
	}
}

func TestNobodyGuessesTheOutcomeOfARequestThatAKillCutShort(t *testing.T) {
	path := filepath.Join(t.TempDir(), "answers.jsonl")
	now := time.Date(2026, 12, 1, 12, 0, 0, 0, time.UTC)
	a, err := openAnswerBook(path, now)
	must(t, err)
	begin(t, a, "0 cut", now)
	begin(t, a, "0 done", now)
	must(t, a.finish("0 done", 200, control.TypeJSON, []byte("{}\n")))
	begin(t, a, "0 large", now)
	must(t, a.finish("0 large", 200, control.TypeJSON, make([]byte, maxAnswerKept+1)))
	begin(t, a, "0 late", now)
	must(t, a.finish("0 late", http.StatusGatewayTimeout, control.TypeJSON, nil))
	must(t, a.close())
	file, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0)
	must(t, err)
	_, err = file.WriteString(`{"key":"0 torn","ha`)
	must(t, errors.Join(err, file.Close()))

	a, err = openAnswerBook(path, now.Add(keyLife-time.Second))
	must(t, err)
	for _, key := range []string{"0 cut", "0 large", "0 late"} {
		if _, err := a.begin(key, "hash", now); codeOf(err) != control.CodeOutcomeUnknown {
			t.Errorf("%s is answered with %v, want that nobody knows", key, err)
		}
	}
	if k, err := a.begin("0 done", "hash", now); err != nil || k == nil || k.Body != "{}\n" {
		t.Errorf("the answer that was given is %+v, %v", k, err)
	}
	begin(t, a, "0 torn", now)
	must(t, a.close())

	a, err = openAnswerBook(path, now.Add(keyLife+time.Second))
	must(t, err)
	begin(t, a, "0 done", now.Add(keyLife+time.Second))
	must(t, a.close())
}

func begin(t *testing.T, a *answerBook, key string, now time.Time) {
	t.Helper()
	if old, err := a.begin(key, "hash", now); old != nil || err != nil {
		t.Errorf("%s begins with %+v, %v; want it to be new", key, old, err)
	}
}

func TestTheKeysOfOneUserLeaveRoomForOthers(t *testing.T) {
	a, err := openAnswerBook("", time.Now())
	must(t, err)
	now := time.Now()
	for n := range maxKeysOfOne {
		begin(t, a, fmt.Sprint("7 ", n), now)
	}

	_, err = a.begin("7 more", "hash", now)
	if codeOf(err) != control.CodeTooManyRequests {
		t.Errorf("one more key of the same user: %v", err)
	}
	begin(t, a, "77 other", now)
}

func TestNamesOfABodyStandThereOnceAndAsTheyAre(t *testing.T) {
	h := open(t, office)
	for body, says := range map[string]string{
		`{"reason": "a", "reason": "b"}`:                     "twice",
		`{"signal": "HUP", "reason": "a", "signal": "KILL"}`: "twice",
		`{"reason": "a", "Reason": "b"}`:                     "unknown field",
		`{"REASON": "b"}`:                                    "unknown field",
		`{"reason": "a", "rea\u0073on": "b"}`:                "twice",
	} {
		got := h.ask("POST", "/v1/children/web/signal", body)
		if got.refusal() != "invalid" || !strings.Contains(got.body, says) {
			t.Errorf("%s: %d %s, want that it is refused for %q", body, got.code, got.body, says)
		}
	}
	if got := h.ask("POST", "/v1/reconcile", `{"confirm_removals": false, "confirm_removals": true}`); got.refusal() != "invalid" {
		t.Errorf("a pass that does and does not confirm: %d %s", got.code, got.body)
	}
}

func TestWhoAsksTooOftenIsToldWhenAndHoldsUpNobodyElse(t *testing.T) {
	h := build(t, office, func(o *Options) { o.Rate = 0.1 }) // a burst of 5
	become := h.serveAs(200)
	h.procs.events <- machine.Adopted{}
	become(peer{uid: 4711, name: "mallory"})
	var last answered
	for range 30 {
		last = h.ask("GET", "/v1/health", "")
	}
	become(peer{uid: 4712, name: "bob", groups: []int{200}})
	other := h.ask("GET", "/v1/health", "")

	if last.code != http.StatusTooManyRequests || last.refusal() != control.CodeTooManyRequests || last.header.Get("Retry-After") == "" || last.header.Get("Retry-After") == "0" {
		t.Errorf("one too many: %d %s, Retry-After %q", last.code, last.body, last.header.Get("Retry-After"))
	}
	if other.code != http.StatusOK {
		t.Errorf("somebody else: %d %s", other.code, other.body)
	}
	if n := len(h.audited(0)); n != 5 {
		t.Errorf("%d entries, want those of the five that were looked at", n)
	}
}

func TestRatesAreRefilledAndBounded(t *testing.T) {
	r, now := newRates(1), time.Now()
	for range rateBurst {
		r.take(1, now)
	}
	wait, first := r.take(1, now)
	_, second := r.take(1, now)
	later, _ := r.take(1, now.Add(time.Second))
	for uid := range 3 * maxBuckets {
		r.take(uid, now)
	}

	if wait <= 0 || wait > time.Second || !first || second || later != 0 {
		t.Errorf("wait %v (first %v, second %v), a second later %v", wait, first, second, later)
	}
	if len(r.buckets) > maxBuckets+1 {
		t.Errorf("%d users are remembered", len(r.buckets))
	}
	r.take(1, now.Add(time.Hour)) // full again, so there is room
	r.take(9999, now.Add(time.Hour))
	if len(r.buckets) > 3 {
		t.Errorf("%d users are remembered after an hour", len(r.buckets))
	}
	if wait, _ := newRates(-1).take(1, now); wait != 0 {
		t.Errorf("without a bound one waits %v", wait)
	}
}
