package authenticatorduo

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/weir-id/weir/flow"
	"github.com/weir-id/weir/flow/flowtest"
	"github.com/weir-id/weir/internal/authenticator"
	"github.com/weir-id/weir/internal/guard"
)

func TestPush(t *testing.T) {
	limited := &guard.LimitedError{Kind: guard.MailAddress, Wait: 90 * time.Second}
	for _, row := range []struct {
		name           string
		setup          func(t *testing.T, h *house)
		problem        string
		pushes, wanted int
		events         string
	}{
		{"yes", nil, "", 1, 1, ""},
		{"no", func(_ *testing.T, h *house) { h.duo.Answer("deny", "deny") }, "duo loud denied validate.error.duo.declined", 1, 0, ""},
		{"nobody answers", func(_ *testing.T, h *house) { h.duo.Answer("deny", "timeout") }, "duo loud denied validate.error.duo.timeout", 1, 0, ""},
		{"a fraud", func(_ *testing.T, h *house) { h.duo.Answer("deny", "fraud") }, "duo loud denied validate.error.duo.declined", 1, 0, "suspicious_request"},
		{"neither yes nor no", func(_ *testing.T, h *house) { h.duo.Answer("", "allow") }, "duo quiet denied validate.error.duo.away", 1, 0, "configuration_error"},
		{"Duo is away", func(_ *testing.T, h *house) { h.duo.Away(true) }, "duo quiet denied validate.error.duo.away", 0, 0, "configuration_error"},
		{"Rule23: too many", func(_ *testing.T, h *house) { h.limited = limited }, "duo quiet throttled validate.error.duo.limited", 0, 0, ""},
		{"another push waits", func(t *testing.T, h *house) {
			if _, err := h.env.Waiting.begin(7); err != nil {
				t.Fatal(err)
			}
		}, "duo quiet denied validate.error.duo.busy", 0, 0, ""},
		{"somebody else's waits", func(t *testing.T, h *house) {
			if _, err := h.env.Waiting.begin(8); err != nil {
				t.Fatal(err)
			}
		}, "", 1, 1, ""},
		{"too many wait", func(t *testing.T, h *house) {
			for i := range int64(most) {
				if _, err := h.env.Waiting.begin(100 + i); err != nil {
					t.Fatal(err)
				}
			}
		}, "duo quiet denied validate.error.duo.busy", 0, 0, ""},
		{"the stage is gone", func(_ *testing.T, h *house) { h.devices[0].Stage = gone }, "duo quiet denied validate.error.duo.away", 0, 0, "configuration_error"},
		{"the device is removed meanwhile", func(_ *testing.T, h *house) { h.asked = func() { h.devices = h.devices[1:] } }, "duo loud ", 1, 1, ""},
	} {
		t.Run(row.name, func(t *testing.T) {
			h := newHouse(t, true)
			if row.setup != nil {
				row.setup(t, h)
			}
			r := h.b.Post(t, "f", "", map[string]any{"duo": int64(1)})
			want := "question"
			if row.problem == "" {
				want = "redirect / final"
			}
			if got := flowtest.Describe(r); !strings.HasPrefix(got, want) || problem(r) != row.problem {
				t.Errorf("%s, %q", got, problem(r))
			}
			if len(h.duo.Pushes()) != row.pushes || len(h.taken) != row.wanted {
				t.Errorf("%d pushes, %d taken back", len(h.duo.Pushes()), len(h.taken))
			}
			if got := strings.Join(h.Store.Events(), " "); got != row.events {
				t.Errorf("events %q, want %q", got, row.events)
			}
			for _, s := range h.counted {
				if s.Account != 7 || strings.Join(s.Recipients, " ") != "duo DU1" {
					t.Errorf("counted as %+v", s)
				}
			}
		})
	}
}

// Only the devices of the person whom the flow is about are asked (rule 25).
func TestRule25ForeignDevicesAreMissing(t *testing.T) {
	for _, id := range []any{int64(2), int64(3), int64(0), int64(-1), "1", nil, true} {
		h := newHouse(t, true)
		req := h.b.Request("f", "")
		req.Answer, req.Body = true, map[string]any{"duo": id}
		if _, err := h.b.Do(t.Context(), req); !errors.Is(err, flow.ErrMissing) || len(h.duo.Pushes()) != 0 {
			t.Errorf("%v: %v, pushes %v", id, err, h.duo.Pushes())
		}
	}
}

// Another request may move the plan on while a push waits. The phone is not asked
// again, and nothing is approved that was not.
func TestAPushIsAskedOnceForOneRequest(t *testing.T) {
	h := newHouse(t, true)
	h.b.Post(t, "f", "", map[string]any{"choose": "first"})
	h.asked = func() {
		h.asked = nil
		h.b.Post(t, "f", "", map[string]any{"choose": "another"})
	}
	if got := flowtest.Describe(h.b.Post(t, "f", "", map[string]any{"duo": int64(1)})); got != "redirect / final" {
		t.Error(got)
	}
	if n := len(h.duo.Pushes()); n != 1 {
		t.Errorf("%d pushes", n)
	}
}

func TestWhatThePhoneShows(t *testing.T) {
	h := newHouse(t, true)
	req := h.b.Request("f", "")
	req.Answer, req.Body = true, map[string]any{"duo": int64(1)}
	var waits time.Duration
	req.Patience = func(d time.Duration) { waits = d }
	if _, err := h.b.Do(t.Context(), req); err != nil {
		t.Fatal(err)
	}
	sent := h.duo.Pushes()[0]
	if sent.Get("user_id") != "DU1" || sent.Get("display_username") != "ann" || sent.Get("factor") != "push" {
		t.Errorf("sent %v", sent)
	}
	if waits < time.Minute {
		t.Errorf("the request may take %v", waits)
	}
}

// Whoever leaves ends the push, and nothing is written.
func TestLeavingEndsThePush(t *testing.T) {
	h := newHouse(t, true)
	t.Cleanup(h.duo.Hold())
	ctx, cancel := context.WithCancel(t.Context())
	req := h.b.Request("f", "")
	req.Answer, req.Body = true, map[string]any{"duo": int64(1)}
	done := make(chan error)
	go func() { _, err := h.b.Do(ctx, req); done <- err }()
	for len(h.duo.Pushes()) == 0 {
		select {
		case err := <-done:
			t.Fatalf("the step ends by itself: %v", err)
		case <-time.After(time.Millisecond):
		}
	}
	cancel()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	if _, err := h.env.Waiting.begin(7); err != nil || len(h.taken) != 0 {
		t.Errorf("the account waits still: %v", err)
	}
}

func TestOffer(t *testing.T) {
	h := newHouse(t, true)
	offers, err := Kind{h.env}.Offer(t.Context(), &authenticator.Validation{Devices: h.devices})
	if err != nil || len(offers) != 2 || offers[0].UID != "1" || offers[1].UID != "2" {
		t.Errorf("%+v, %v", offers, err)
	}
}
