package expression_test

import (
	"io"
	"net/http"
	"net/netip"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/weir-id/weir/flow"
	"github.com/weir-id/weir/identity"
	"github.com/weir-id/weir/internal/expression"
	"github.com/weir-id/weir/policy"
)

// examples are the Python blocks of docs/expressions.md by their first line.
func examples(t *testing.T) map[string]string {
	t.Helper()
	page, err := os.ReadFile("../../docs/expressions.md")
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]string{}
	for _, part := range strings.Split(string(page), "```python\n")[1:] {
		body, _, _ := strings.Cut(part, "```")
		title, _, _ := strings.Cut(body, "\n")
		out[strings.TrimPrefix(title, "# ")] = body
	}
	return out
}

// answering is a server for requests that gives one answer, or none for "".
type answering string

func (a answering) RoundTrip(r *http.Request) (*http.Response, error) {
	if a == "" {
		return nil, io.ErrUnexpectedEOF
	}
	status := http.StatusOK
	if r.URL.Host != "office.example.com" || r.URL.Query().Get("mail") != "joe@example.com" || r.Header.Get("Authorization") != "Bearer secret" {
		status = http.StatusForbidden
	}
	return &http.Response{StatusCode: status, Status: http.StatusText(status), Header: http.Header{}, Body: io.NopCloser(strings.NewReader(string(a))), Request: r}, nil
}

// TestTheExamplesOfThePage runs each example of docs/expressions.md in each of
// the situations that it tells apart.
func TestTheExamplesOfThePage(t *testing.T) {
	at := func(ip string, who *identity.Person, values map[string]any) *policy.Request {
		r := &policy.Request{User: who, Plan: plan(values), Context: map[string]any{"flow_plan": plan(values)}, HTTP: &policy.HTTPRequest{ClientIP: netip.MustParseAddr(ip)}}
		for key, v := range values {
			r.Context[key] = v
		}
		return r
	}
	typed := func(data map[string]any) *policy.Request {
		return at("192.0.2.1", identity.Anonymous(), map[string]any{"prompt_data": data})
	}
	signing := func(ip string, who *identity.Person) *policy.Request {
		return at(ip, identity.Anonymous(), map[string]any{"pending_user": who})
	}
	rows := []struct {
		title, situation string
		request          *policy.Request
		server           answering
		want             expression.Value
	}{
		{"Policy: staff only, and administrators from the office", "in the office", at("10.1.1.1", joe(), nil), "", expression.Value{Text: "True"}},
		{"Policy: staff only, and administrators from the office", "somebody else in the office", at("10.1.1.1", ann(), nil), "", expression.Value{Text: "False"}},
		{"Policy: staff only, and administrators from the office", "an administrator elsewhere", at("192.0.2.1", joe(), nil), "", expression.Value{Text: "True", Messages: []string{"You are not in the office."}}},
		{"Policy: not without a second factor", "with one", at("192.0.2.1", joe(), map[string]any{"auth_method": "auth_mfa"}), "", expression.Value{Text: "True"}},
		{"Policy: not without a second factor", "with a password", at("192.0.2.1", joe(), map[string]any{"auth_method": "password"}), "", expression.Value{Text: "False"}},
		{"Policy: a second factor, unless this session has seen one", "without one",
			at("192.0.2.1", joe(), map[string]any{"assurance": policy.Assured(identity.Assurance{ACR: identity.OneFactor, AMR: []string{"pwd"}})}), "", expression.Value{Text: "True"}},
		{"Policy: a second factor, unless this session has seen one", "with one",
			at("192.0.2.1", joe(), map[string]any{"assurance": policy.Assured(identity.Assurance{ACR: identity.TwoFactors, AMR: []string{"mfa", "otp", "pwd"}})}), "", expression.Value{Text: "False"}},
		{"Policy: a tidy user name", "a new one", typed(map[string]any{"username": "Max M."}), "", expression.Value{Text: "True", Writes: policy.Writes{Set: map[string]any{"prompt_data": map[string]any{"username": "max-m"}}}}},
		{"Policy: a tidy user name", "a taken one", typed(map[string]any{"username": "Joe"}), "", expression.Value{Text: "False", Messages: []string{"This name is taken."}, Writes: policy.Writes{Set: map[string]any{"prompt_data": map[string]any{"username": "joe"}}}}},
		{"Policy: new people of a domain join a group", "of the domain", typed(map[string]any{"email": "a@example.com"}), "", expression.Value{Text: "True", Writes: policy.Writes{Set: map[string]any{"groups": []any{&flow.Ref{Kind: "group", ID: staffID, Name: "staff"}}}}}},
		{"Policy: new people of a domain join a group", "of another", typed(map[string]any{"email": "a@example.org"}), "", expression.Value{Text: "True"}},
		{"Policy: remember from which country somebody came", "known", at("192.0.2.1", joe(), map[string]any{"prompt_data": map[string]any{}, "geoip": map[string]any{"country": "DE"}}), "",
			expression.Value{Text: "True", Writes: policy.Writes{Set: map[string]any{"prompt_data": map[string]any{"attributes.country": "DE"}}}}},
		{"Policy: remember from which country somebody came", "unknown", at("192.0.2.1", joe(), map[string]any{"prompt_data": map[string]any{}, "geoip": nil}), "",
			expression.Value{Text: "True", Writes: policy.Writes{Set: map[string]any{"prompt_data": map[string]any{"attributes.country": "unknown"}}}}},
		{"Policy: whoever has no second factor is told so", "has one", signing("192.0.2.1", joe()), "", expression.Value{Text: "True"}},
		{"Policy: whoever has no second factor is told so", "has none", signing("192.0.2.1", ann()), "", expression.Value{Text: "True", Messages: []string{"Please set up a second factor soon."},
			Events: []policy.Event{{Action: "custom_no_second_factor", App: "body"}}, Logs: []expression.LogLine{{Level: "warning", Text: "no second factor", Attrs: map[string]string{"user": "ann"}}}}},
		{"Policy: tell people about a sign-in from elsewhere", "in the office", signing("10.1.1.1", joe()), "", expression.Value{Text: "True"}},
		{"Policy: tell people about a sign-in from elsewhere", "elsewhere", signing("192.0.2.1", joe()), "", expression.Value{Text: "True", Mails: []policy.Mail{{To: []string{"joe@example.com"}, Subject: "Your account was used", Body: "From 192.0.2.1. Not you? Tell us."}}}},
		{"Policy: the office says who works today", "present", at("192.0.2.1", joe(), nil), `{"present": true}`, expression.Value{Text: "True"}},
		{"Policy: the office says who works today", "not present", at("192.0.2.1", joe(), nil), `{}`, expression.Value{Text: "False"}},
		{"Policy: the office says who works today", "no answer", at("192.0.2.1", joe(), nil), "", expression.Value{Text: "False", Logs: []expression.LogLine{{Level: "error", Text: "office does not answer", Attrs: map[string]string{"error": "office.example.com: unexpected EOF"}}}}},
		{"Policy: the office says who works today", "an error", at("192.0.2.1", ann(), nil), `{}`, expression.Value{Text: "False", Logs: []expression.LogLine{{Level: "error", Text: "office does not answer", Attrs: map[string]string{"error": "403 Client Error: "}}}}},
		{"Prompt: propose a user name", "from the address", nil, "", expression.Value{Text: "maxm"}},
	}
	left := examples(t)
	for _, row := range rows {
		t.Run(row.title+", "+row.situation, func(t *testing.T) {
			body, ok := left[row.title]
			if !ok {
				t.Fatal("the page has no such example")
			}
			e := env(t)
			e.HTTP = &http.Client{Transport: row.server}
			scope := expression.Scope{Request: row.request, Policy: row.request != nil}
			if !scope.Policy {
				scope.Variables = map[string]any{"prompt_context": map[string]any{"email": "Max.M@example.com"}}
			}
			got, err := runIn(t, e, body, scope)
			if err != nil {
				t.Fatal(err)
			}
			got.Raw, got.True = nil, false
			for i := range got.Events {
				got.Events[i].Context = nil
			}
			if diff := cmp.Diff(row.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
	for _, row := range rows {
		delete(left, row.title)
	}
	for title := range left {
		t.Errorf("the example %q is not run", title)
	}
}
