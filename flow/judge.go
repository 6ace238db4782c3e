package flow

import (
	"context"
	"errors"
	"maps"

	"github.com/google/uuid"

	"github.com/weir-id/weir/policy"
)

// PolicyRequest is what an expression of the current stage sees as its request:
// the pending user, or the person of the session, and the HTTP request.
func (x *Exec) PolicyRequest(ctx context.Context) (*policy.Request, error) {
	p, err := x.PendingUser(ctx)
	if err != nil {
		return nil, err
	}
	return &policy.Request{User: p, HTTP: x.req.HTTP, Context: map[string]any{}}, nil
}

// Judge asks policies about values that a person has typed. All of them have
// to pass; each is asked, in the order given. They find the values in their
// context as prompt_data, in place of those of earlier stages, and what they
// write there comes back. Whatever else they write goes into the plan.
//
// Like every verdict, an error is neither pass nor fail: nobody could decide.
func (x *Exec) Judge(ctx context.Context, policies []uuid.UUID, values map[string]any) (policy.Result, map[string]any) {
	if len(policies) == 0 {
		return policy.Result{Verdict: policy.Pass}, values
	}
	user, err := x.PendingUser(ctx)
	if err != nil {
		return policy.Result{Verdict: policy.Error, Err: err}, nil
	}
	view, err := newPlanView(ctx, x.Catalog, x.people, x.plan, x.req)
	if err != nil {
		return policy.Result{Verdict: policy.Error, Err: err}, nil
	}
	const key = string(KeyPromptData)
	run := policy.Run{
		Source: together{x.Catalog, policies}, Target: policy.Target{Kind: "stage", ID: x.StageID, Name: x.StageName, Mode: policy.All},
		User: user, HTTP: x.req.HTTP, Plan: view, EmptyResult: policy.Pass,
		Context: func() map[string]any {
			c := view.policyContext()
			c[key] = values
			return c
		},
		Apply: func(w policy.Writes) {
			if changed, ok := w.Set[key].(map[string]any); ok {
				values = changed
				w.Set = maps.Clone(w.Set)
				delete(w.Set, key)
			}
			view.apply(w)
		},
	}
	saw := x.planner.saw(user, view)
	if saw != nil {
		saw.Context[key] = values
	}
	result := x.planner.judge(ctx, run)
	x.planner.keep(x.StageName, result, saw)
	if result.Verdict == policy.Error && result.Err == nil {
		result.Err = errors.New("policies reached no verdict")
	}
	return result, values
}

// Undecided writes the reason why something could not be decided to the log and
// returns what the person is told: no more than an id that the log has too.
func (x *Exec) Undecided(ctx context.Context, err error) string { return x.undecided(ctx, err) }

// together is a list of policies as bindings of one target.
type together struct {
	policy.Source
	policies []uuid.UUID
}

// PolicyBindings implements policy.Source.
func (t together) PolicyBindings(uuid.UUID) []*policy.Binding {
	out := make([]*policy.Binding, len(t.policies))
	for i := range t.policies {
		b := policy.NewBinding()
		b.Policy, b.Order = &t.policies[i], int32(i)
		out[i] = &b
	}
	return out
}
