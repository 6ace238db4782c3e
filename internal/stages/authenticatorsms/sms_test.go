package authenticatorsms

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/weir-id/weir/flow"
	"github.com/weir-id/weir/flow/flowtest"
	"github.com/weir-id/weir/identity"
	"github.com/weir-id/weir/internal/authenticator"
	"github.com/weir-id/weir/internal/authenticator/authenticatortest"
	"github.com/weir-id/weir/internal/guard"
)

// Who sets a phone up, and who passes by.
func TestWhoMaySetUp(t *testing.T) {
	authenticatortest.Owners(t, again, func(s *authenticatortest.Shelf) flow.StageType {
		return Type(Env{Devices: struct {
			*authenticatortest.Shelf
			lookup
		}{s, lookup{}}})
	})
}

// lookup knows no devices.
type lookup struct{}

func (lookup) ByHandle(context.Context, string, string) (*authenticator.Device, error) {
	return nil, nil
}

func (lookup) Change(context.Context, flow.Tx, int64, func(*authenticator.Device) error) error {
	return authenticator.ErrGone
}

func TestSettingUp(t *testing.T) {
	prompted := map[string]any{"phone": "0049 (171) 123-45.67"}
	number := func(n string) map[string]any { return map[string]any{"phone_number": n} }
	limited := &guard.LimitedError{Kind: guard.MailAddress, Wait: 90 * time.Second}
	for _, row := range []struct {
		name  string
		data  map[string]any
		setup func(e *exchange)
		// answer comes after a look at the page; nil for none.
		answer         map[string]any
		shown, problem string
		sent           int
		events         string
	}{
		{"no number", nil, nil, nil, "?", "", 0, ""},
		{"a number of the plan", prompted, nil, nil, "+49***67", "", 1, ""},
		{"one of the plan that is none", map[string]any{"phone": "0171"}, nil, nil, "?", "", 0, ""},
		{"one of the plan that cannot be sent to", prompted, func(e *exchange) { e.status = 500 }, nil, "?", "", 0, "configuration_error"},
		{"a typed number", nil, nil, number("+49 171 1234567"), "+49***67", "", 1, ""},
		{"one without a country", nil, nil, number("0171 1234567"), "?", "phone_number " + textNumber, 0, ""},
		{"none", nil, nil, number(""), "?", "phone_number " + textNumber, 0, ""},
		{"one with an extension", nil, nil, number("+491711234567;ext=1"), "?", "phone_number " + textNumber, 0, ""},
		{"neither", nil, nil, map[string]any{}, "?", "phone_number " + textNumber, 0, ""},
		{"Rule25: no other than that of the plan", prompted, nil, number("+491729999999"), "+49***67", "phone_number phone.error.known", 1, ""},
		{"nothing sends the code again", prompted, nil, map[string]any{}, "+49***67", "non_field_errors " + authenticator.TextAgain, 2, ""},
		{"a wrong code", prompted, nil, map[string]any{"code": "12"}, "+49***67", "non_field_errors code.error.wrong", 1, ""},
		{"a provider that refuses", nil, func(e *exchange) { e.status = 401 }, number(ann), "?", "non_field_errors code.send", 0, "configuration_error"},
		{"a provider that redirects", nil, func(e *exchange) { e.status = http.StatusFound }, number(ann), "?", "non_field_errors code.send", 0, "configuration_error"},
		{"Rule23: too many messages", nil, func(e *exchange) { e.limited = limited }, number(ann), "?", "non_field_errors code.limited", 0, ""},
	} {
		t.Run(row.name, func(t *testing.T) {
			e := newExchange(t, nil, row.data)
			if row.setup != nil {
				row.setup(e)
			}
			r := e.b.Get(t, "f", "")
			if row.answer != nil {
				r = e.b.Post(t, "f", "", row.answer)
			}
			if got := shown(r); got != row.shown {
				t.Errorf("shows %s, want %s", got, row.shown)
			}
			if got := problem(r); got != row.problem {
				t.Errorf("problem %q, want %q", got, row.problem)
			}
			e.b.Get(t, "f", "") // sends nothing
			if len(e.sent) != row.sent {
				t.Errorf("%d messages, want %d", len(e.sent), row.sent)
			}
			for i, s := range e.counted {
				if s.Account != 7 || len(s.Recipients) != 1 || s.Recipients[0] != ann {
					t.Errorf("message %d counts as %+v", i, s)
				}
			}
			if got := strings.Join(e.Store.Events(), " "); got != row.events {
				t.Errorf("events %q, want %q", got, row.events)
			}
		})
	}
}

func TestTheCodeEndsTheStage(t *testing.T) {
	for _, row := range []struct {
		name       string
		verifyOnly bool
		keeps      string
		offered    int
	}{
		{"the number is kept", false, ann, 1},
		{"only the hash is kept", true, "hash:26fe61aab2698bb3696dc47387e6c64172c6c716727917caaf6ff965d030cb3d", 0},
	} {
		t.Run(row.name, func(t *testing.T) {
			e := newExchange(t, func(c *Config) { c.VerifyOnly = row.verifyOnly }, nil)
			e.b.Post(t, "f", "", map[string]any{"phone_number": ann})
			if got := flowtest.Describe(e.b.Post(t, "f", "", map[string]any{"code": e.code()})); got != "redirect / final" {
				t.Fatal(got)
			}
			d := &e.devices[0]
			r, err := authenticator.ReadReceiver(d)
			if err != nil || r.To != row.keeps || !d.Confirmed || d.Name != "SMS Device" || d.User != 7 {
				t.Errorf("device %+v keeps %+v, %v", d, r, err)
			}
			offers, err := Kind{e.env}.Offer(t.Context(), &authenticator.Validation{Devices: e.devices})
			if err != nil || len(offers) != row.offered {
				t.Errorf("offers %+v, %v", offers, err)
			}
			// The same number once more, in another spelling.
			b := e.NewBrowser()
			if r := b.Post(t, "f", "", map[string]any{"phone_number": "0049 171 1234567"}); problem(r) != "phone_number phone.error.taken" {
				t.Errorf("once more: %s, %q", shown(r), problem(r))
			}
			// That somebody else has it is told only to whoever holds the phone.
			d.User = 8
			if r := b.Post(t, "f", "", map[string]any{"phone_number": ann}); problem(r) != "" || shown(r) != "+49***67" {
				t.Errorf("somebody else's: %s, %q", shown(r), problem(r))
			}
			if got := flowtest.Describe(b.Post(t, "f", "", map[string]any{"code": e.code()})); got != "denied: taken" || len(e.devices) != 1 {
				t.Errorf("somebody else's with the code: %s", got)
			}
		})
	}
}

func TestWhatProvidersGet(t *testing.T) {
	id := uuid.New()
	generic := func(c *Config) {
		c.Provider, c.AccountSID, c.Auth, c.AuthPassword = Generic, "here", "user", "password"
	}
	for _, row := range []struct {
		name   string
		config func(c *Config)
		mapped func(map[string]any) (any, error)
		want   sent // CODE stands for the code
	}{
		{"Twilio", nil, nil, sent{path: "/2010-04-01/Accounts/AC123/Messages.json", kind: "application/x-www-form-urlencoded", auth: "AC123:the token",
			body: "Body=Your+code%3A+CODE&From=%2B15550001&To=%2B491711234567"}},
		{"Twilio with a mapping", func(c *Config) { c.Mapping = &id }, func(v map[string]any) (any, error) {
			return map[string]any{"message": "Mine: " + v["token"].(string)}, nil
		}, sent{path: "/2010-04-01/Accounts/AC123/Messages.json", kind: "application/x-www-form-urlencoded", auth: "AC123:the token",
			body: "Body=Mine%3A+CODE&From=%2B15550001&To=%2B491711234567"}},
		{"a name and a password", generic, nil, sent{path: "/sms", kind: "application/json", auth: "user:password",
			body: `{"Body":"CODE","From":"+15550001","Message":"Your code: CODE","To":"+491711234567"}`}},
		{"a token", func(c *Config) { generic(c); c.AuthType = Bearer }, nil, sent{path: "/sms", kind: "application/json", auth: "Bearer user",
			body: `{"Body":"CODE","From":"+15550001","Message":"Your code: CODE","To":"+491711234567"}`}},
		{"a mapping", func(c *Config) { generic(c); c.Mapping = &id }, func(v map[string]any) (any, error) {
			return map[string]any{"Message": v["token"], "who": v["user"], "device": v["device"], "stage": v["stage"]}, nil
		}, sent{path: "/sms", kind: "application/json", auth: "user:password",
			body: `{"Message":"CODE","device":{"name":"SMS Device","phone_number":"+491711234567"},"stage":{"from_number":"+15550001","name":"phone"},"who":"ann"}`}},
	} {
		t.Run(row.name, func(t *testing.T) {
			e := newExchange(t, row.config, nil)
			e.mapped = row.mapped
			if r := e.b.Post(t, "f", "", map[string]any{"phone_number": ann}); problem(r) != "" {
				t.Fatal(problem(r))
			}
			got := e.sent[0]
			got.body = strings.ReplaceAll(got.body, e.code(), "CODE")
			got.to, got.text = "", ""
			if got != row.want {
				t.Errorf("got  %+v\nwant %+v", got, row.want)
			}
		})
	}
}

func TestRule28NoCodeOrKeyInEventsOfFailures(t *testing.T) {
	id, code := uuid.New(), ""
	for _, row := range []struct {
		name   string
		status int
		mapped func(map[string]any) (any, error)
		want   string
	}{
		{"a provider that repeats what it got", 400, func(v map[string]any) (any, error) { code = v["token"].(string); return v, nil }, "the provider answered 400"},
		{"a mapping that fails", 0, func(v map[string]any) (any, error) {
			code = v["token"].(string)
			return nil, errors.New("cannot make a number of " + code)
		}, "the mapping has failed: cannot make a number of ******"},
	} {
		t.Run(row.name, func(t *testing.T) {
			e := newExchange(t, nil, nil)
			e.mapped, e.status = row.mapped, row.status
			c := Config{Provider: Generic, AccountSID: e.server.URL + "/?key=the+key", Auth: "the key", Mapping: &id}
			err := e.env.send(t.Context(), &c, &message{person: identity.NewPerson(identity.User{ID: 7}, nil), to: ann, code: authenticator.NewCode(e.Time, lasts)})
			if !errors.Is(err, authenticator.ErrUnsent) || !strings.Contains(err.Error(), row.want) || strings.Contains(err.Error(), code) || strings.Contains(err.Error(), "key") {
				t.Errorf("%v, with code %s", err, code)
			}
		})
	}
	// A server that is away: the address in the error of the client may hold a key.
	e := newExchange(t, nil, nil)
	e.server.Close()
	c := Config{Provider: Generic, AccountSID: e.server.URL + "/?key=hidden", Auth: "hidden"}
	err := e.env.send(t.Context(), &c, &message{person: identity.NewPerson(identity.User{ID: 7}, nil), to: ann, code: authenticator.NewCode(e.Time, lasts)})
	if !errors.Is(err, authenticator.ErrUnsent) || strings.Contains(err.Error(), "hidden") {
		t.Error(err)
	}
}

func TestRule05APageOpenedFromElsewhereSendsNothing(t *testing.T) {
	e := newExchange(t, nil, map[string]any{"phone": ann})
	req := e.b.Request("f", "")
	req.Passive = true
	r, err := e.b.Do(t.Context(), req)
	if err != nil || !r.Confirm || len(e.sent) != 0 {
		t.Fatalf("%+v, %v, %d messages", r, err, len(e.sent))
	}
	if r := e.b.Get(t, "f", ""); shown(r) != "+49***67" || len(e.sent) != 1 {
		t.Errorf("once confirmed: %s, %d messages", shown(r), len(e.sent))
	}
}

func TestConfigurationsThatCannotWork(t *testing.T) {
	for _, row := range []struct {
		provider Provider
		account  string
		ok       bool
	}{
		{Twilio, "AC0123456789abcdef", true}, {Twilio, "../../x", false}, {Twilio, "https://example.com", false},
		{Generic, "https://sms.example.com/send", true}, {Generic, "AC0123", false}, {Generic, "file:///etc/passwd", false}, {Generic, "https://user:key@example.com/", false},
	} {
		c := Config{Provider: row.provider, AccountSID: row.account}
		if errs := c.Validate(); (errs == nil) != row.ok {
			t.Errorf("%s %s: %v", row.provider, row.account, errs)
		}
	}
}
