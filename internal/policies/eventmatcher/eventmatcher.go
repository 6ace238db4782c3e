// Package eventmatcher is the policy type that looks at an event: it passes when
// the event of the request, under the key "event" of its context, agrees with
// everything that is configured. Notification rules are made of it.
package eventmatcher

import (
	"context"
	"encoding/json"

	"github.com/weir-id/weir/internal/event"
	"github.com/weir-id/weir/policy"
)

// Config is the configuration of an event matcher policy. Nil fields are not
// compared; without any, every event passes.
type Config struct {
	Action   *event.Action `json:"action" field:"null"`
	ClientIP *string       `json:"client_ip" field:"null"`
	App      *App          `json:"app" field:"null"`
	// Model is compared with the model in the event's context.
	Model *Model `json:"model" field:"null"`
	// Query is an expression; see parse.
	Query *string `json:"query" field:"null,notrim"`
}

// Type returns the policy type.
func Type() policy.Type {
	return policy.NewType(policy.Type{
		Name: "event_matcher", Model: "authentik_policies_event_matcher.eventmatcherpolicy", Component: "ak-policy-event-matcher-form",
		Label: "Event Matcher Policy", Description: "Passes when an event agrees with all that is asked for.",
	}, func() Config { return Config{} }, func(_ string, c Config) (policy.Policy, error) {
		m := &matcher{config: c}
		if c.Query != nil {
			q, err := parse(*c.Query)
			if err != nil {
				return nil, err
			}
			m.query = q
		}
		return m, nil
	})
}

type matcher struct {
	config Config
	query  condition
}

var _ policy.Bounded = (*matcher)(nil)

// Bounded implements policy.Bounded: comparing takes no time.
func (*matcher) Bounded() {}

// Evaluate compares the event. Each thing compared leaves its message, whether
// it agrees or not.
func (m *matcher) Evaluate(_ context.Context, r *policy.Request) (policy.Result, error) {
	e := eventOf(r.Context["event"])
	if e == nil {
		return policy.Result{Verdict: policy.Fail}, nil
	}
	out := policy.Result{Verdict: policy.Pass}
	compared := func(what string, agrees bool) {
		one := policy.Result{Verdict: policy.Pass, Messages: []string{what + " matched."}}
		if !agrees {
			one.Verdict, out.Verdict = policy.Fail, policy.Fail
		}
		out.Sources, out.Messages = append(out.Sources, one), append(out.Messages, one.Messages...)
	}
	c := m.config
	if m.query != nil {
		compared("Query", m.query.holds(e))
	}
	if c.Action != nil {
		compared("Action", *c.Action == e.Action)
	}
	if c.ClientIP != nil {
		compared("Client IP", *c.ClientIP == e.ClientIP)
	}
	if c.App != nil {
		compared("App", string(*c.App) == e.App)
	}
	if c.Model != nil {
		model, _ := e.Context["model"].(map[string]any)
		app, _ := model["app"].(string)
		name, _ := model["model_name"].(string)
		compared("Model", string(*c.Model) == app+"."+name)
	}
	return out, nil
}

// eventOf is the event of a context: a recorded one, or an object such as the
// test of a policy gives; nil for none.
func eventOf(v any) *event.Recorded {
	switch v := v.(type) {
	case *event.Recorded:
		return v
	case map[string]any:
		data, err := json.Marshal(v)
		e := &event.Recorded{}
		if err != nil || json.Unmarshal(data, e) != nil {
			return nil
		}
		return e
	}
	return nil
}
