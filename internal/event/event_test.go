package event

import (
	"context"
	"encoding/json"
	"errors"
	"math"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/weir-id/weir/flow"
	"github.com/weir-id/weir/identity"
	"github.com/weir-id/weir/internal/store"
	"github.com/weir-id/weir/internal/store/storetest"
	"github.com/weir-id/weir/policy"
)

var (
	noon  = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	alice = identity.NewPerson(identity.User{ID: 7, Username: "alice", Email: "alice@example.com", PasswordHash: "$secret$"}, nil)
	admin = identity.NewPerson(identity.User{ID: 1, Username: "admin"}, nil)
)

func record(t *testing.T, db store.DB, e Event) Recorded {
	t.Helper()
	r := Recorder{Now: func() time.Time { return noon }}
	if err := db.Write(t.Context(), func(ctx context.Context, tx store.Tx) error { return r.Record(ctx, tx, e) }); err != nil {
		t.Fatal(err)
	}
	list, err := r.List(t.Context(), db, Filter{Actions: []Action{e.Action}})
	if err != nil || len(list) != 1 {
		t.Fatalf("list: got %d events, %v", len(list), err)
	}
	return list[0]
}

func TestRecord(t *testing.T) {
	id := uuid.MustParse("11111111-2222-3333-4444-555555555555")
	brand := &flow.Brand{Domain: "example.com"}
	brand.ID = id
	request := &policy.HTTPRequest{ID: "r1", Method: "POST", Path: "/api", ClientIP: netip.MustParseAddr("192.0.2.1"),
		Query: url.Values{"next": {"/a?x=1&flow_token=hunter2&y=2#z"}, "itoken": {"hunter2"}}, Header: map[string][]string{"User-Agent": {"curl\x00\xff"}}}
	tests := []struct {
		name string
		in   Event
		app  string
		want string
	}{
		{"a login during a flow names both people, and the request without its secrets",
			Event{Action: Login, App: "mine", User: alice, AuthenticatedAs: identity.Anonymous(), HTTP: request, Brand: brand,
				Context: map[string]any{"auth_method": "password"}}, "mine",
			`{"user": {"pk": 7, "username": "alice", "email": "alice@example.com",
				"authenticated_as": {"pk": null, "username": "AnonymousUser", "email": "", "is_anonymous": true}},
			  "context": {"auth_method": "password", "http_request": {"path": "/api", "method": "POST",
				"args": {"next": "/a?x=1&flow_token=********************&y=2#z", "itoken": "********************"}, "user_agent": "curl\ufffd", "request_id": "r1"}},
			  "client_ip": "192.0.2.1",
			  "brand": {"pk": "11111111222233334444555555555555", "app": "authentik_brands", "name": "Brand example.com", "model_name": "brand"}}`},
		{"an impersonation keeps the real person outside",
			Event{Action: ImpersonationStarted, User: admin, OnBehalfOf: alice}, "authentik.core",
			`{"user": {"pk": 1, "username": "admin", "email": "", "on_behalf_of": {"pk": 7, "username": "alice", "email": "alice@example.com"}},
			  "context": {}, "client_ip": "255.255.255.255", "brand": {}}`},
		{"an event about nobody has an empty user",
			Event{Action: SystemException, Context: map[string]any{"message": "Something large.", "big": bigContext()}}, "authentik.events",
			`{"user": {}, "context": {"message": "Something large.", "big": "Left out: it has 82044 bytes."}, "client_ip": "255.255.255.255", "brand": {}}`},
		{"a typed user has no pk",
			Event{Action: LoginFailed, User: identity.NewPerson(identity.User{Username: "b\x00ob"}, nil)}, "authentik.events",
			`{"user": {"pk": null, "username": "bob", "email": ""}, "context": {}, "client_ip": "255.255.255.255", "brand": {}}`},
	}
	storetest.Each(t, func(t *testing.T, db store.DB) {
		for _, tt := range tests {
			t.Run(tt.name, func(t *testing.T) {
				got := record(t, db, tt.in)
				var want Recorded
				if err := json.Unmarshal([]byte(tt.want), &want); err != nil {
					t.Fatal(err)
				}
				want.ID, want.Action, want.App = got.ID, tt.in.Action, tt.app
				want.Created, want.Expires = noon, noon.Add(DefaultRetention)
				if diff := cmp.Diff(want, got); diff != "" {
					t.Error(diff)
				}
			})
		}
		late := Recorder{Now: func() time.Time { return noon.Add(DefaultRetention) }}
		if list, err := late.List(t.Context(), db, Filter{}); err != nil || len(list) != 0 {
			t.Errorf("after the retention: got %d events, %v", len(list), err)
		}
	})
}

func bigContext() []any {
	out := make([]any, 40)
	for i := range out {
		out[i] = strings.Repeat("y", 2048)
	}
	return out
}

func TestRecordModel(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db store.DB) {
		r := Recorder{}
		err := db.Write(t.Context(), func(ctx context.Context, tx store.Tx) error {
			return r.RecordModel(ctx, tx, ModelUpdated, Model{App: "authentik_flows", Model: "flow", PK: "ab", Name: "login"}, By{User: admin})
		})
		if err != nil {
			t.Fatal(err)
		}
		list, err := r.List(t.Context(), db, Filter{})
		if err != nil || len(list) != 1 {
			t.Fatalf("got %d events, %v", len(list), err)
		}
		want := map[string]any{"model": map[string]any{"app": "authentik_flows", "model_name": "flow", "pk": "ab", "name": "login"}}
		if diff := cmp.Diff(want, list[0].Context); diff != "" {
			t.Error(diff)
		}
	})
}

func TestSanitise(t *testing.T) {
	id := uuid.MustParse("11111111-2222-3333-4444-555555555555")
	type color string
	tests := []struct {
		name     string
		in, want any
	}{
		{"a password in any spelling", map[string]any{"Password": "x", "new_passwd": "x"}, map[string]any{"Password": mask, "new_passwd": mask}},
		{"secrets inside lists and objects", []any{map[string]any{"a": map[string]any{"apiToken": []any{"x"}}}},
			[]any{map[string]any{"a": map[string]any{"apiToken": mask}}}},
		{"names that only look secret", map[string]any{"passing": true, "auth_method": "password", "auth_method_args": map[string]any{"token": "x", "known_device": true}},
			map[string]any{"passing": true, "auth_method": "password", "auth_method_args": map[string]any{"token": mask, "known_device": true}}},
		{"a struct by its JSON names", struct {
			Secret string `json:"client_secret"`
			Name   string `json:"name"`
		}{"x", "n"}, map[string]any{"client_secret": mask, "name": "n"}},
		{"what was typed into prompts, but for names", map[string]any{"prompt_data": map[string]any{"username": "ann", "pin": "4711", "attributes": map[string]any{"name": "x"}}},
			map[string]any{"prompt_data": map[string]any{"username": "ann", "pin": mask, "attributes": mask}}},
		{"a policy request with its plan and target", &policy.Request{User: alice, Target: &policy.Target{Kind: "binding", ID: id, Name: "ask"}, HTTP: &policy.HTTPRequest{},
			Context: map[string]any{"flow_plan": plan{id}, "pending_user": alice, "token": "x"}, Debug: true},
			map[string]any{"debug": true, "user": person(&alice.User), "obj": map[string]any{"app": "authentik_flows", "model_name": "flowstagebinding", "pk": hexID(id), "name": "ask"},
				"context": map[string]any{"flow_plan": map[string]any{"flow_pk": hexID(id)}, "pending_user": person(&alice.User), "token": mask}}},
		{"an object that is a secret is named", map[string]any{"secret": Model{App: "a", Model: "token", PK: "p", Name: "n"}},
			map[string]any{"secret": map[string]any{"app": "a", "model_name": "token", "pk": "p", "name": "n"}}},
		{"an event in the context of a policy", &Recorded{ID: id, Action: Login, Context: map[string]any{"x": 1}},
			map[string]any{"app": "authentik_events", "model_name": "event", "pk": hexID(id), "name": "login event " + id.String()}},
		{"a value that is known to be secret", map[string]any{"pin": Secret{"4711"}}, map[string]any{"pin": mask}},
		{"raw bytes", []byte("key"), mask},
		{"a person without attributes and hash", alice, map[string]any{"pk": int64(7), "username": "alice", "email": "alice@example.com"}},
		{"an id", id, "11111111222233334444555555555555"},
		{"a time in another zone", time.Date(2026, 3, 1, 13, 0, 0, 0, time.FixedZone("", 3600)), "2026-03-01T12:00:00Z"},
		{"a duration", 1500 * time.Millisecond, "1.5"},
		{"an error", errors.New("boom"), "boom"},
		{"an address with a password", &url.URL{Scheme: "https", Host: "h", User: url.UserPassword("u", "p")}, "https://u:xxxxx@h"},
		{"empty list members", []any{nil, "", 0, false, "a", []any{}, map[string]any{}}, []any{"a"}},
		{"requests", map[string]any{"r": &policy.HTTPRequest{}, "h": &http.Request{}, "x": 1}, map[string]any{"x": 1}},
		{"a string type", color("red"), "red"},
		{"a number that JSON lacks", math.Inf(1), "+Inf"},
		{"a function", func() {}, "<func()>"},
		{"a NUL and broken UTF-8", "a\x00b\xff", "ab\ufffd"},
		{"a string map", map[string]string{"cookie": "x", "b": "c"}, map[string]any{"cookie": mask, "b": "c"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if diff := cmp.Diff(tt.want, new(sanitiser).value(tt.in, maxDepth)); diff != "" {
				t.Error(diff)
			}
		})
	}
	quoted := Sanitise(map[string]any{"message": "ValueError: invalid literal for int(): 'hunter2'", "list": []any{"x hunter2!"}, "hunter": "hunt",
		"request": map[string]any{"context": map[string]any{"prompt_data": map[string]any{"new_password": "hunter2", "pin": "hunt"}}}})
	if diff := cmp.Diff(map[string]any{"message": "ValueError: invalid literal for int(): '" + mask + "'", "list": []any{"x " + mask + "!"}, "hunter": "hunt",
		"request": map[string]any{"context": map[string]any{"prompt_data": map[string]any{"new_password": mask, "pin": mask}}}}, quoted); diff != "" {
		t.Errorf("a secret that is quoted elsewhere: %s", diff)
	}
	escaped := Sanitise(map[string]any{"message": `int('a"b\'c\\d') and int("a\"b'c\\d")`, "password": `a"b'c\d`})
	if diff := cmp.Diff(map[string]any{"message": "int('" + mask + "') and int(\"" + mask + "\")", "password": mask}, escaped); diff != "" {
		t.Errorf("a secret that is quoted with escapes: %s", diff)
	}
	loop := map[string]any{}
	loop["self"] = loop
	if _, err := json.Marshal(Sanitise(loop)); err != nil {
		t.Errorf("a value that contains itself: %v", err)
	}
}

// plan is a running plan of a flow.
type plan struct{ flow uuid.UUID }

func (p plan) FlowID() uuid.UUID           { return p.flow }
func (p plan) PlanContext() map[string]any { return map[string]any{"secret": "hunter2"} }
func (p plan) StageNames() []string        { return nil }
