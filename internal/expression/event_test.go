package expression_test

import (
	"testing"
	"time"

	"github.com/weir-id/weir/identity"
	"github.com/weir-id/weir/internal/event"
	"github.com/weir-id/weir/internal/expression"
	"github.com/weir-id/weir/policy"
)

// Policies of notification rules are given a recorded event.
func TestBodiesSeeEvents(t *testing.T) {
	e := &event.Recorded{Action: event.Login, App: "authentik.stages.user_login", ClientIP: "192.0.2.1", Created: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC),
		User: map[string]any{"pk": int64(7), "username": "ann"}, Context: map[string]any{"auth_method": "password", "geo": map[string]any{"country": "DE"}}}
	for _, body := range []string{
		`return request.context["event"].action == "login"`,
		`return context["event"].app == "authentik.stages.user_login"`,
		`event = request.context.get("event", None)
if not event:
    return False
return event.client_ip == "192.0.2.1" and event.context.get("geo", {}).get("country") == "DE"`,
		`return ip_address(context["event"].client_ip) in ip_network("192.0.2.0/24")`,
		`return context["event"].user["username"] == "ann" and context["event"].user["pk"] == 7`,
		`return context["event"].created.hour == 12`,
		`return not hasattr(context["event"], "secret")`,
	} {
		p, err := expression.NewCompiler(expression.Env{}).Compile("p", body)
		if err != nil {
			t.Fatal(err)
		}
		got, err := p.Run(t.Context(), expression.Scope{Policy: true, Request: &policy.Request{User: identity.Anonymous(), Context: map[string]any{"event": e}}})
		if err != nil || !got.True {
			t.Errorf("%s: %v, %v", body, got.Raw, err)
		}
	}
}
