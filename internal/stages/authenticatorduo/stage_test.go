package authenticatorduo

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/weir-id/weir/flow"
	"github.com/weir-id/weir/flow/flowtest"
	"github.com/weir-id/weir/internal/authenticator"
	"github.com/weir-id/weir/internal/authenticator/authenticatortest"
	"github.com/weir-id/weir/internal/duo"
	"github.com/weir-id/weir/internal/duo/duotest"
)

// away is a Duo that nobody reaches.
type away struct{}

func (away) RoundTrip(*http.Request) (*http.Response, error) { return nil, http.ErrServerClosed }

// judges have no devices.
type judges struct{}

func (judges) Judge(context.Context, []int64, func(string) float64, func(*authenticator.Device, time.Time) (bool, error)) (authenticator.Judgement, error) {
	return authenticator.Judgement{}, nil
}

// Visitors whom nobody has named pass by; names of nobody are denied. Whoever has an
// account meets Duo, which is away here.
func TestWhoMaySetUp(t *testing.T) {
	for name, row := range map[string]struct {
		person bool
		want   string
	}{"a person": {true, "denied: " + msgAway}, "nobody": {false, "redirect / final"}} {
		s := &authenticatortest.Shelf{}
		typ := Type(Env{Devices: struct {
			*authenticatortest.Shelf
			judges
		}{s, judges{}}, Client: &http.Client{Transport: away{}}, Now: time.Now, Waiting: &Waiting{}})
		person := authenticatortest.Ann()
		if !row.person {
			person = nil
		}
		w := authenticatortest.Setup(t, typ, &Config{APIHostname: "duo.invalid"}, person)
		if got := flowtest.Describe(w.NewBrowser().Get(t, "f", "")); got != row.want || len(s.Devices) != 0 {
			t.Errorf("%s: %s", name, got)
		}
	}
}

func TestConfigNamesAHost(t *testing.T) {
	for _, name := range []string{"", "https://api.example.com", "api.example.com/admin", "user@api.example.com"} {
		if (&Config{APIHostname: name}).Validate() == nil {
			t.Errorf("%q is taken", name)
		}
	}
	if errs := (&Config{APIHostname: "api-12345678.duosecurity.com"}).Validate(); errs != nil {
		t.Error(errs)
	}
}

func TestSettingUp(t *testing.T) {
	for _, row := range []struct {
		name  string
		setup func(h *house)
		// then is done between a look at the page and the answer.
		then            func(h *house)
		shown, problem  string
		devices, enrols int
		events          string
	}{
		{"Rule02: before the phone", nil, nil, shownDuo, "non_field_errors invalid duo.error.waiting", 0, 1, ""},
		{"the phone is there", nil, func(h *house) { h.duo.Activate("ann") }, "redirect / final", "", 1, 1, ""},
		{"Duo refuses the name", func(h *house) { h.duo.Add(duotest.User{ID: "DU9", Username: "ann"}) }, nil, "denied: " + msgAway, "", 0, 1, "configuration_error configuration_error"},
		{"Duo is away at the beginning", func(h *house) { h.duo.Away(true) }, nil, "denied: " + msgAway, "", 0, 0, "configuration_error configuration_error"},
		{"Duo is away at the end", nil, func(h *house) { h.duo.Activate("ann"); h.duo.Away(true) }, shownDuo, "non_field_errors invalid duo.error.away", 0, 1, "configuration_error"},
		{"the code has ended", nil, func(h *house) { h.duo.Expire("ann") }, shownDuo, "non_field_errors invalid duo.error.expired", 0, 1, ""},
		{"Rule45: a wrong secret", func(h *house) {
			h.PutStage(h.stage.ID, "authenticator_duo", "push", &Config{ClientID: duotest.Key, ClientSecret: "hunter2", APIHostname: h.duo.Host})
		}, nil, "denied: " + msgAway, "", 0, 0, "configuration_error configuration_error"},
	} {
		t.Run(row.name, func(t *testing.T) {
			h := newHouse(t, false)
			if row.setup != nil {
				row.setup(h)
			}
			first := h.b.Get(t, "f", "")
			if c, ok := first.Challenge.Body.(*Challenge); ok {
				if !strings.HasPrefix(c.Code, "duo://") || c.Barcode == "" || c.StageID != h.stage.ID.String() {
					t.Errorf("shows %+v", c)
				}
				if again, ok := h.b.Get(t, "f", "").Challenge.Body.(*Challenge); !ok || again.Code != c.Code {
					t.Errorf("on another look %+v", again)
				}
			}
			if row.then != nil {
				row.then(h)
			}
			r := h.b.Post(t, "f", "", map[string]any{})
			if got := flowtest.Describe(r); !strings.HasPrefix(got, row.shown) {
				t.Errorf("the answer leads to %s, want %s", got, row.shown)
			}
			if got := problem(r); got != row.problem {
				t.Errorf("problem %q, want %q", got, row.problem)
			}
			if len(h.devices) != row.devices || len(h.duo.Users()) != row.enrols {
				t.Errorf("%d devices, %v at Duo", len(h.devices), h.duo.Users())
			}
			if got := strings.Join(h.Store.Events(), " "); got != row.events {
				t.Errorf("events %q, want %q", got, row.events)
			}
		})
	}
}

func TestTheDevice(t *testing.T) {
	h := newHouse(t, false)
	h.b.Get(t, "f", "")
	h.duo.Activate("ann")
	h.b.Post(t, "f", "", map[string]any{})
	d := &h.devices[0]
	if d.Name != "Duo Authenticator" || d.User != 7 || d.Stage != h.stage.ID || !d.Confirmed || !strings.HasPrefix(d.Handle, "DU") {
		t.Errorf("%+v", d)
	}
	if got := (Kind{h.env}).Channel(d); got != "duo:"+d.Handle {
		t.Errorf("channel %s", got)
	}
	// What was set up is no proof for another run.
	h.duo.Expire("ann")
	b := h.NewBrowser()
	b.Get(t, "f", "")
	h.duo.Activate("ann")
	if got := flowtest.Describe(b.Post(t, "f", "", nil)); got != "denied: taken" || len(h.devices) != 1 {
		t.Errorf("the same user at Duo once more: %s", got)
	}
}

// A page that somebody else has opened enrols nobody.
func TestRule05APassiveLookEnrolsNobody(t *testing.T) {
	h := newHouse(t, false)
	req := h.b.Request("f", "")
	req.Passive = true
	r, err := h.b.Do(t.Context(), req)
	if err != nil || !r.Confirm || len(h.duo.Users()) != 0 {
		t.Errorf("%+v, %v, %v at Duo", r, err, h.duo.Users())
	}
}

// Whoever asks how far an enrolment is has to have the plan of it.
func TestRule03StatusBelongsToThePlan(t *testing.T) {
	h := newHouse(t, false)
	h.b.Get(t, "f", "")
	config := h.stage.Config.(*Config)
	plan := h.b.Request("f", "").Execution.Plan
	expect := func(name string, plan *flow.Plan, want duo.Status, wrong error) {
		t.Helper()
		got, err := h.env.Status(t.Context(), plan, h.stage.ID, config, 0)
		if got != want || err != wrong {
			t.Errorf("%s: %q, %v", name, got, err)
		}
	}
	expect("its own", plan, duo.Waiting, nil)
	h.duo.Activate("ann")
	expect("with the phone", plan, duo.Success, nil)
	expect("an empty one", &flow.Plan{Context: flow.NewContext(nil)}, "", ErrNoEnrolment)
	if _, err := h.env.Status(t.Context(), plan, gone, config, 0); err != ErrNoEnrolment {
		t.Errorf("another stage: %v", err)
	}
	other := flow.NewContext(plan.Context.Values())
	flow.KeyPendingUser.Set(other, &flow.PersonRef{ID: 8})
	expect("another person's", &flow.Plan{Context: other}, "", ErrNoEnrolment)

	before := h.duo.Statuses()
	end, err := h.env.Waiting.begin(7)
	if err != nil {
		t.Fatal(err)
	}
	expect("while something is asked", plan, duo.Waiting, nil)
	if h.duo.Statuses() != before {
		t.Error("Duo was asked twice at once")
	}
	end()
	expect("afterwards", plan, duo.Success, nil)
	if !slices.Equal(h.Store.Events(), nil) || len(h.devices) != 0 {
		t.Error("asking has set something up")
	}
}
