package flow

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/url"
	"slices"

	"github.com/google/uuid"

	"github.com/weir-id/weir/identity"
	"github.com/weir-id/weir/policy"
)

// ParamFlowToken is the query parameter of a link that takes a plan up again.
const ParamFlowToken = "flow_token"

// ConsumeFlowToken is the kind of thing that a restored plan uses up: its token.
const ConsumeFlowToken = "flow_token"

// Restored is a plan that was put aside under a flow token.
type Restored struct {
	// ID is the token's, for Config.Consume.
	ID uuid.UUID
	// User is whom the token was made for, Purpose what for.
	User    int64
	Purpose string
	Plan    *Plan
}

// redeem takes up the plan that the request's flow token stands for. A token that
// does not hold, or belongs to another flow, counts as none. The token is bound to
// a person (rule 15): the plan is theirs whatever else it says, and nothing of the
// session that opens the link gets into it. Looking at the page uses nothing up, so
// that a scanner of mails does no harm; the first step that acts does.
func (r *run) redeem(ctx context.Context) (bool, error) {
	key := r.req.Query.Get(ParamFlowToken)
	if key == "" || r.e.Restore == nil {
		return false, nil
	}
	t, err := r.e.Restore(ctx, key)
	if err != nil {
		return false, fmt.Errorf("look for flow token: %w", err)
	}
	r.lapsed = true
	if t == nil || t.Plan.Format != PlanFormat || t.Plan.FlowID != r.req.Flow.ID {
		return false, nil
	}
	if ref, ok := KeyPendingUser.Get(t.Plan.Context); !ok || ref == nil || ref.ID != t.User {
		return false, nil
	}
	r.plan, r.lapsed = t.Plan, false
	r.plan.Started, r.plan.Tokens = r.now, startTokens(r.req.Query)
	r.plan.Consume = append(r.plan.Consume, Consumable{ConsumeFlowToken, t.ID})
	KeyRestored.Set(r.plan.Context, map[string]any{"user": &PersonRef{ID: t.User}, "purpose": t.Purpose})
	return true, nil
}

// Restored is the purpose of the flow token that led here, empty where none did.
// The token is that of the pending user as long as no stage names another one.
func (x *Exec) Restored() string {
	v, _ := KeyRestored.Get(x.Context)
	m, _ := v.(map[string]any)
	of, _ := m["user"].(*PersonRef)
	now, ok := KeyPendingUser.Get(x.Context)
	if !ok || of == nil || now == nil || of.ID != now.ID {
		return ""
	}
	purpose, _ := m["purpose"].(string)
	return purpose
}

// PutAside returns a copy of the plan from the current stage on, for a link by which
// a person comes back to it on whatever device. A stage in front of it, of the type
// and with the configuration given, asks before anything happens: programs that look
// at all links in mails get no further.
func (x *Exec) PutAside(person *identity.Person, gateType, gateName string, gate any) (*Plan, error) {
	data, err := json.Marshal(gate)
	if err != nil {
		return nil, fmt.Errorf("encode inline stage %s: %w", gateType, err)
	}
	plan := x.plan.clone()
	plan.Entries = slices.Insert(plan.Entries, 0, Entry{Inline: &Inline{Type: gateType, Name: gateName, Config: data}})
	KeyPendingUser.Set(plan.Context, RefTo(person))
	return plan, nil
}

// LinkQuery is the query of this run without what belongs to it alone.
func (x *Exec) LinkQuery() url.Values {
	query := maps.Clone(x.req.Query)
	if query == nil {
		query = url.Values{}
	}
	query.Del(ParamFlowToken)
	return query
}

// Prepare plans a flow for somebody who will come by a link, as a visitor who has
// not signed in; more is in the context besides them. What policies ask for besides
// their verdict is left out, since nobody walks the flow yet. The error is a
// *RefusedError when the flow does not apply to the person, or has no stage for them.
func (e *Executor) Prepare(ctx context.Context, f *Flow, person *PersonRef, more map[string]any, h *policy.HTTPRequest, b *Brand) (*Plan, error) {
	r := e.newRun(&Request{Flow: f, User: identity.Anonymous(), Brand: b, HTTP: h, Passive: true})
	start := map[string]any{string(KeyPendingUser): person, string(KeyRestored): true}
	maps.Copy(start, more)
	plan, err := r.planner().plan(ctx, f, start)
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
