package policy_test

import (
	"context"
	"maps"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/weir-id/weir/identity"
	"github.com/weir-id/weir/policy"
)

// What a request knows of the client's place is in the context of every policy,
// and counts more than what a plan carries; nobody looks anything up where there
// is no policy to ask.
func TestTheRequestAddsWhereItCameFrom(t *testing.T) {
	place := map[string]any{"country": "DE"}
	tests := []struct {
		name    string
		http    *policy.HTTPRequest
		known   map[string]any
		context map[string]any
		want    map[string]any
	}{
		{"no request", nil, nil, map[string]any{"a": 1}, map[string]any{"a": 1}},
		{"no databases", &policy.HTTPRequest{}, nil, map[string]any{"geoip": "mine"}, map[string]any{"geoip": "mine"}},
		{"a place", &policy.HTTPRequest{}, map[string]any{"geoip": place}, nil, map[string]any{"geoip": place}},
		{"an unknown network", &policy.HTTPRequest{}, map[string]any{"geoip": place, "asn": nil}, map[string]any{"a": 1}, map[string]any{"a": 1, "geoip": place, "asn": nil}},
		{"a plan that says otherwise", &policy.HTTPRequest{}, map[string]any{"geoip": place, "asn": nil}, map[string]any{"geoip": "mine", "asn": "mine"},
			map[string]any{"geoip": place, "asn": nil}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			looked := 0
			if tt.known != nil {
				tt.http.Located = func() map[string]any { looked++; return tt.known }
			}
			asked := 0
			run := policy.Run{User: identity.Anonymous(), HTTP: tt.http, EmptyResult: policy.Pass, Context: func() map[string]any { return maps.Clone(tt.context) }}
			s := &source{policies: map[uuid.UUID]*policy.Object{}}
			run.Source = s
			var e policy.Engine
			e.Evaluate(t.Context(), run)
			if looked != 0 {
				t.Error("the address was looked up for no policy")
			}
			for range 2 {
				s.bind(policy.Func(func(_ context.Context, r *policy.Request) (policy.Result, error) {
					asked++
					if diff := cmp.Diff(tt.want, r.Context); diff != "" {
						t.Error(diff)
					}
					r.Context["geoip"] = "changed" // which is this policy's own copy
					return policy.Result{Verdict: policy.Pass}, nil
				}), nil)
			}
			if got := e.Evaluate(t.Context(), run); !got.Passing() || asked != 2 {
				t.Errorf("%v after %d policies", got.Verdict, asked)
			}
		})
	}
}
