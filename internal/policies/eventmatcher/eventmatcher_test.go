package eventmatcher_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/weir-id/weir/field"
	"github.com/weir-id/weir/identity"
	"github.com/weir-id/weir/internal/event"
	"github.com/weir-id/weir/internal/policies/eventmatcher"
	"github.com/weir-id/weir/policy"
)

var failed = &event.Recorded{
	Action: event.LoginFailed, App: "authentik.stages.password", ClientIP: "192.0.2.7", Created: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC),
	User: map[string]any{"pk": int64(7), "username": "Ann"},
	Context: map[string]any{"model": map[string]any{"app": "foo", "model_name": "bar", "pk": "ab"}, "tries": 3.0, "late": true, "codes": []any{"x", int64(5)},
		"geo": map[string]any{"city": "Ulm"}, "stage": nil},
}

func evaluate(t *testing.T, c eventmatcher.Config, context map[string]any) policy.Result {
	t.Helper()
	typ := eventmatcher.Type()
	p, err := typ.Build("p", &c)
	if err != nil {
		t.Fatal(err)
	}
	o := &policy.Object{Name: "p", Policy: p}
	return o.Evaluate(t.Context(), &policy.Request{User: identity.Anonymous(), Context: context}, time.Second)
}

func TestCriteria(t *testing.T) {
	const ip, app, model, query = "Client IP matched.", "App matched.", "Model matched.", "Query matched."
	rows := []struct {
		name     string
		config   eventmatcher.Config
		want     policy.Verdict
		messages []string
	}{
		{"the action", eventmatcher.Config{Action: new(event.LoginFailed)}, policy.Pass, []string{"Action matched."}},
		{"another action", eventmatcher.Config{Action: new(event.Login)}, policy.Fail, []string{"Action matched."}},
		{"the address", eventmatcher.Config{ClientIP: new("192.0.2.7")}, policy.Pass, []string{ip}},
		{"another address", eventmatcher.Config{ClientIP: new("192.0.2.70")}, policy.Fail, []string{ip}},
		{"the app", eventmatcher.Config{App: new(eventmatcher.App("authentik.stages.password"))}, policy.Pass, []string{app}},
		{"the model", eventmatcher.Config{Model: new(eventmatcher.Model("foo.bar"))}, policy.Pass, []string{model}},
		{"another model", eventmatcher.Config{Model: new(eventmatcher.Model("foo.baz"))}, policy.Fail, []string{model}},
		{"a query", eventmatcher.Config{Query: new(`action = "login_failed"`)}, policy.Pass, []string{query}},
		{"address and app both differ", eventmatcher.Config{ClientIP: new("192.0.2.8"), App: new(eventmatcher.App("bar"))}, policy.Fail, []string{ip, app}},
		{"one of two differs", eventmatcher.Config{ClientIP: new("192.0.2.7"), App: new(eventmatcher.App("bar"))}, policy.Fail, []string{ip, app}},
		{"all agree, in the order of messages", eventmatcher.Config{Action: new(event.LoginFailed), ClientIP: new("192.0.2.7"), Query: new(`user.pk = 7`), Model: new(eventmatcher.Model("foo.bar"))},
			policy.Pass, []string{query, "Action matched.", ip, model}},
		{"nothing is compared", eventmatcher.Config{}, policy.Pass, nil},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			got := evaluate(t, row.config, map[string]any{"event": failed})
			if got.Verdict != row.want || len(got.Sources) != len(row.messages) {
				t.Errorf("verdict %v with %d sources, want %v", got.Verdict, len(got.Sources), row.want)
			}
			if diff := cmp.Diff(row.messages, got.Messages); diff != "" {
				t.Error(diff)
			}
		})
	}
	for _, none := range []any{nil, "text", map[string]any{"context": 5}, (*event.Recorded)(nil)} {
		if got := evaluate(t, eventmatcher.Config{}, map[string]any{"event": none}); got.Verdict != policy.Fail || got.Messages != nil {
			t.Errorf("the event %v: %v %v", none, got.Verdict, got.Messages)
		}
	}
	if got := evaluate(t, eventmatcher.Config{Query: new(`context.tries > 2`)}, map[string]any{"event": map[string]any{"action": "login", "context": map[string]any{"tries": 3}}}); got.Verdict != policy.Pass {
		t.Errorf("an event as JSON: %v", got.Verdict)
	}
}

func TestQueries(t *testing.T) {
	rows := map[string]bool{
		`action = "login_failed"`:                            true,
		`action != "login_failed"`:                           false,
		`action = "LOGIN_FAILED"`:                            false,
		`action ~ "LOGIN"`:                                   true,
		`action !~ "login"`:                                  false,
		`action in ("login", "login_failed")`:                true,
		`action not in ("login", "login_failed")`:            false,
		`client_ip startswith "192.0.2."`:                    true,
		`client_ip not startswith "10."`:                     true,
		`user.username endswith "NN"`:                        true,
		`user.pk = 7 and user.username = 'Ann'`:              true,
		`user.pk = "7"`:                                      true,
		`user.pk > 6.5`:                                      true,
		`user.pk < 7`:                                        false,
		`context.tries >= 3`:                                 true,
		`context.tries = -3`:                                 false,
		`context.late = True`:                                true,
		`context.late != true`:                               false,
		`context.late = "true"`:                              false,
		`context.model.pk = "ab"`:                            true,
		`context.model ~ "bar"`:                              true,
		`context.nothing.at.all = None`:                      true,
		`context.stage = null`:                               true,
		`context.geo.city != None`:                           true,
		`context.nothing != "x"`:                             true,
		`context.nothing < 5`:                                false,
		`context.codes = "x" and context.codes = 5`:          true,
		`context.codes in ("y", "z")`:                        false,
		`created >= "2026-03-01" and created < "2026-03-02"`: true,
		`created = "2026-03-01 12:00"`:                       true,
		`created > "2026-03-01T13:30:00+02:00"`:              true,
		`created ~ "2026-03"`:                                true,
		`action = "login" or action = "logout" or action = "login_failed"`:           true,
		`action = "login_failed" or action = "login" and app = "x"`:                  true,
		`(action = "login_failed" or action = "login") and app = "x"`:                false,
		"action =\n\t\"login_failed\" AND app ~ \"stages\"":                          true,
		`context.geo.city = "\u0055l\m" and user.username !~ "\"" and app !~ "a\\b"`: true,
	}
	for query, want := range rows {
		if got := evaluate(t, eventmatcher.Config{Query: &query}, map[string]any{"event": failed}); (got.Verdict == policy.Pass) != want {
			t.Errorf("%s: %v", query, got.Verdict)
		}
	}
}

func TestQueriesThatCannotBeSaved(t *testing.T) {
	rows := []struct {
		query        string
		line, column int
	}{
		{``, 1, 1}, {`action`, 1, 7}, {`action =`, 1, 9}, {`action = login`, 1, 10}, {`action = "x`, 1, 10}, {`color = "x"`, 1, 1}, {`action.x = "y"`, 1, 1},
		{`context = "x"`, 1, 1}, {`context. = "x"`, 1, 1}, {`(action = "x"`, 1, 14}, {`action = "x")`, 1, 13}, {`action = "x" action = "y"`, 1, 14}, {"action = \"x\" and\n  app ? 1", 2, 7},
		{`action in "x"`, 1, 11}, {`action in ("x"`, 1, 15}, {`action in ()`, 1, 12}, {`action ~ 5`, 1, 10}, {`created > "soon"`, 1, 11}, {`action not = "x"`, 1, 12}, {`action = 1x`, 1, 10},
		{`action = "\u00"`, 1, 11}, {"action = \"\xff\"", 1, 1}, {`action = "x" and é = 1`, 1, 18}, {`"é" é`, 1, 5},
		{strings.Repeat("(", 100) + `action = "x"` + strings.Repeat(")", 100), 1, 34}, {`action = "` + strings.Repeat("x", 5000) + `"`, 1, 4097},
	}
	typ := eventmatcher.Type()
	for _, row := range rows {
		_, err := typ.Build("p", &eventmatcher.Config{Query: &row.query})
		var errs field.Errors
		if !errors.As(err, &errs) || len(errs["query"]) != 1 {
			t.Errorf("%.40s: %v", row.query, err)
			continue
		}
		if p := errs["query"][0]; p.Line != row.line || p.Column != row.column {
			t.Errorf("%.40s: line %d, column %d, want %d, %d: %s", row.query, p.Line, p.Column, row.line, row.column, p.String)
		}
	}
}

func FuzzQueries(f *testing.F) {
	for _, seed := range []string{`action = "x" and (context.a.b not in (1, None) or created > "2026-01-01")`, `user.pk !~ "\u0041"`, `((`} {
		f.Add(seed)
	}
	typ := eventmatcher.Type()
	f.Fuzz(func(t *testing.T, query string) {
		p, err := typ.Build("p", &eventmatcher.Config{Query: &query})
		if err != nil {
			return
		}
		if _, err := p.Evaluate(t.Context(), &policy.Request{Context: map[string]any{"event": failed}}); err != nil {
			t.Error(err)
		}
	})
}
