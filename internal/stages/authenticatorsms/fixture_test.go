package authenticatorsms

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"testing"

	"github.com/google/uuid"

	"github.com/weir-id/weir/flow"
	"github.com/weir-id/weir/flow/flowtest"
	"github.com/weir-id/weir/identity"
	"github.com/weir-id/weir/internal/authenticator"
	"github.com/weir-id/weir/internal/guard"
	"github.com/weir-id/weir/policy"
)

const again = "ak-stage-authenticator-sms"

// sent is a message as a provider has taken it.
type sent struct {
	path, kind, auth, body string
	to, text               string
}

// exchange is a provider and the rest of the program around the stage.
type exchange struct {
	*flowtest.World
	server  *httptest.Server
	sent    []sent
	status  int
	devices []authenticator.Device
	// counted are the messages that were counted, limited is the refusal of the next.
	counted []guard.Send
	limited error
	// mapped is what the mapping makes.
	mapped func(variables map[string]any) (any, error)
	env    Env
	flow   *flow.Flow
	b      *flowtest.Browser
}

// ServeHTTP takes messages as Twilio does (forms, an account in the address), and as
// generic providers do (JSON).
func (e *exchange) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	m := sent{path: r.URL.Path, kind: r.Header.Get("Content-Type"), auth: r.Header.Get("Authorization"), body: string(body)}
	if name, password, ok := r.BasicAuth(); ok {
		m.auth = name + ":" + password
	}
	if form, err := url.ParseQuery(m.body); err == nil && m.kind == "application/x-www-form-urlencoded" {
		m.to, m.text = form.Get("To"), form.Get("Body")
	} else {
		var fields map[string]any
		_ = json.Unmarshal(body, &fields)
		m.to, _ = fields["To"].(string)
		m.text, _ = fields["Message"].(string)
	}
	if e.status == 0 || r.URL.Path == "/elsewhere" {
		e.sent = append(e.sent, m)
		w.WriteHeader(http.StatusCreated)
		return
	}
	if e.status == http.StatusFound {
		w.Header().Set("Location", "/elsewhere")
	}
	w.WriteHeader(e.status)
	_, _ = w.Write(body) // what it says must not come into events
}

func (e *exchange) CountMessage(_ context.Context, s guard.Send) error {
	e.counted = append(e.counted, s)
	return e.limited
}

func (e *exchange) CodeText(_, code string) (string, error) {
	return "Your code: " + code, nil
}

func (e *exchange) MapMessage(_ context.Context, _ uuid.UUID, p *identity.Person, variables map[string]any) (any, error) {
	variables["user"] = p.Username
	return e.mapped(variables)
}

func (e *exchange) ByHandle(_ context.Context, _, handle string) (*authenticator.Device, error) {
	for i := range e.devices {
		if e.devices[i].Handle == handle {
			return &e.devices[i], nil
		}
	}
	return nil, nil
}

func (e *exchange) Enrol(out flow.Outcome, _ authenticator.Type, d *authenticator.Device) flow.Outcome {
	out.Apply = func(ctx context.Context, _ flow.Tx) error {
		if known, _ := e.ByHandle(ctx, d.Class, d.Handle); known != nil {
			return &flow.Refusal{Message: "taken", Err: authenticator.ErrTaken}
		}
		e.devices = append(e.devices, *d)
		return nil
	}
	return out
}

func (e *exchange) Change(_ context.Context, _ flow.Tx, id int64, change func(*authenticator.Device) error) error {
	for i := range e.devices {
		if e.devices[i].ID == id {
			return change(&e.devices[i])
		}
	}
	return authenticator.ErrGone
}

// newExchange is a flow of one stage for ann, who is user 7; data is what was
// prompted.
func newExchange(t *testing.T, change func(c *Config), data map[string]any) *exchange {
	e := &exchange{}
	e.server = httptest.NewServer(e)
	t.Cleanup(e.server.Close)
	e.env = Env{Devices: e, House: e, Client: e.server.Client(), Twilio: e.server.URL}
	e.World = flowtest.New(t, Type(e.env))
	e.People.Add(identity.User{ID: 7, Username: "ann", Active: true})
	e.flow = e.AddFlow("f", nil)
	c := &Config{Provider: Twilio, FromNumber: "+15550001", AccountSID: "AC123", Auth: "the token", AuthType: Basic}
	if change != nil {
		change(c)
	}
	if c.AccountSID == "here" {
		c.AccountSID = e.server.URL + "/sms"
	}
	e.Bind(e.flow, e.AddStage("authenticator_sms", "phone", c), nil)
	set := map[string]any{"pending_user": identity.NewPerson(identity.User{ID: 7, Username: "ann"}, nil)}
	if data != nil {
		set["prompt_data"] = data
	}
	e.BindPolicy(e.flow.ID, policy.Func(func(context.Context, *policy.Request) (policy.Result, error) {
		return policy.Result{Verdict: policy.Pass, Writes: policy.Writes{Set: set}}, nil
	}), nil)
	e.b = e.NewBrowser()
	return e
}

var digits = regexp.MustCompile(`\b[0-9]{6}\b`)

func (e *exchange) code() string { return digits.FindString(e.sent[len(e.sent)-1].text) }

func shown(r *flow.Result) string {
	c, ok := r.Challenge.Body.(*Challenge)
	switch {
	case !ok:
		return flowtest.Describe(r)
	case c.Required:
		return "?"
	}
	return c.Target
}

func problem(r *flow.Result) string {
	for name, list := range r.Challenge.Errors {
		return name + " " + list[0].Message
	}
	return ""
}

const ann = "+491711234567"
