package flow

import (
	"context"
	"errors"
	"fmt"

	"github.com/google/uuid"

	"github.com/weir-id/weir/identity"
	"github.com/weir-id/weir/policy"
)

// paramFlowToken is the query parameter of a link that takes a plan up again.
const paramFlowToken = "flow_token"

// ConsumeFlowToken is the kind of thing that a restored plan uses up: its token.
const ConsumeFlowToken = "flow_token"

// Restored is a plan that was put aside under a flow token.
type Restored struct {
	// ID is the token's, for Config.Consume.
	ID uuid.UUID
	// User is whom the token was made for.
	User int64
	Plan *Plan
}

// redeem takes up the plan that the request's flow token stands for. A token that
// does not hold, or belongs to another flow, counts as none. The token is bound to
// a person (rule 15): the plan is theirs whatever else it says, and nothing of the
// session that opens the link gets into it. Looking at the page uses nothing up, so
// that a scanner of mails does no harm; the first step that acts does.
func (r *run) redeem(ctx context.Context) (bool, error) {
	key := r.req.Query.Get(paramFlowToken)
	if key == "" || r.e.Restore == nil {
		return false, nil
	}
	t, err := r.e.Restore(ctx, key)
	if err != nil {
		return false, fmt.Errorf("look for flow token: %w", err)
	}
	if t == nil || t.Plan.Format != PlanFormat || t.Plan.FlowID != r.req.Flow.ID {
		return false, nil
	}
	if ref, ok := KeyPendingUser.Get(t.Plan.Context); !ok || ref == nil || ref.ID != t.User {
		return false, nil
	}
	r.plan = t.Plan
	r.plan.Started, r.plan.Tokens = r.now, startTokens(r.req.Query)
	r.plan.Consume = append(r.plan.Consume, Consumable{ConsumeFlowToken, t.ID})
	KeyRestored.Set(r.plan.Context, map[string]any{"user": &PersonRef{ID: t.User}})
	return true, nil
}

// Prepare plans a flow for somebody who will come by a link, as a visitor who has
// not signed in. What policies ask for besides their verdict is left out, since
// nobody walks the flow yet. The error is a *RefusedError when the flow does not
// apply to the person, or has no stage for them.
func (e *Executor) Prepare(ctx context.Context, f *Flow, person *PersonRef, h *policy.HTTPRequest, b *Brand) (*Plan, error) {
	r := e.newRun(&Request{Flow: f, User: identity.Anonymous(), Brand: b, HTTP: h, Passive: true})
	plan, err := r.planner().plan(ctx, f, map[string]any{string(KeyPendingUser): person, string(KeyRestored): true})
	var na *notApplicable
	switch {
	case err == nil:
		return plan, nil
	case errors.Is(err, errEmpty):
		return nil, &RefusedError{Messages: []string{msgNoStage}}
	case !errors.As(err, &na):
		return nil, err
	case na.cause != nil:
		return nil, fmt.Errorf("plan flow %q: %w", f.Slug, na.cause)
	case len(na.messages) > 0:
		return nil, &RefusedError{Messages: na.messages}
	}
	return nil, &RefusedError{Messages: []string{denialText(na)}}
}
