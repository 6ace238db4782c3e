package application

import (
	"context"
	"fmt"

	"github.com/google/uuid"

	"github.com/weir-id/weir/flow"
	"github.com/weir-id/weir/identity"
	"github.com/weir-id/weir/internal/catalog"
	"github.com/weir-id/weir/policy"
)

// Entitled returns what a person has in an application, by name: the entitlements
// that they or one of their groups are bound to. The error tells that a binding
// cannot be read, so that nobody can say.
func Entitled(ctx context.Context, s *catalog.Snapshot, e *policy.Engine, p *identity.Person, app uuid.UUID) ([]*flow.Entitlement, error) {
	var out []*flow.Entitlement
	for _, t := range s.Entitlements(app) {
		r := e.Evaluate(ctx, policy.Run{Source: s, User: p, EmptyResult: policy.Fail,
			Target: policy.Target{Kind: "entitlement", ID: t.ID, Name: t.Name, Mode: policy.Any}})
		if r.Verdict == policy.Error {
			return nil, fmt.Errorf("bindings of entitlement %q: %w", t.Name, r.Err)
		}
		if r.Passing() {
			out = append(out, t)
		}
	}
	return out, nil
}
