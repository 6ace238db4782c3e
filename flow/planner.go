package flow

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/weir-id/weir/identity"
	"github.com/weir-id/weir/policy"
)

// errEmpty means that a flow has no stage for this person, which is a success.
var errEmpty = errors.New("flow has no stages")

// notApplicable means that the person may not use the flow.
type notApplicable struct {
	messages []string
	// cause is set when no verdict was reached; such a denial is never
	// softened by the flow's denied action.
	cause error
}

func denialText(na *notApplicable) string {
	if len(na.messages) == 0 {
		return "This flow does not apply to you."
	}
	return strings.Join(na.messages, "\n")
}

func (e *notApplicable) Error() string {
	if e.cause != nil {
		return fmt.Sprintf("flow is not applicable: %v", e.cause)
	}
	return "flow is not applicable"
}

func (e *notApplicable) Unwrap() error { return e.cause }

// msgTokenRequired is shown where a flow can only be entered by a link.
const msgTokenRequired = "This link is not valid or no longer valid. Request a new one."

// msgImpersonating is for people who act as somebody else.
const msgImpersonating = "You cannot do this while you act as somebody else."

// planner makes plans for one request.
type planner struct {
	cat    Catalog
	engine *policy.Engine
	people People
	req    *Request
	now    time.Time
	events []Event
	// effects and mails are what policies asked for.
	effects []policy.Effect
	mails   []policy.Mail
	// asked is what policies decided; with what they saw when inspected.
	asked     []PolicyTrace
	inspected bool
	// targets is about how many there will be.
	targets int
}

// plan makes a plan of f. The start context may be nil; a pending user in it
// is whom policies decide about. The requirement always looks at the person
// of the session.
func (p *planner) plan(ctx context.Context, f *Flow, start map[string]any) (*Plan, error) {
	plan := &Plan{Format: PlanFormat, FlowID: f.ID, Context: NewContext(start), Started: p.now, Tokens: startTokens(p.req.Query)}
	user, err := p.user(ctx, plan)
	if err != nil {
		return nil, &notApplicable{cause: err}
	}
	if err := p.require(ctx, f, plan); err != nil {
		return nil, err
	}
	if err := p.flowPolicies(ctx, f, plan, user); err != nil {
		return nil, err
	}
	bindings := p.cat.Bindings(f.ID)
	p.targets = len(bindings)
	for _, b := range bindings {
		stage, ok := p.cat.Stage(b.Stage)
		if !ok {
			continue // a binding whose stage is gone has nothing to run
		}
		if b.EvaluateOnPlan {
			result := p.evaluate(ctx, plan, user, bindingTarget(b, stage.Name))
			if result.Verdict == policy.Error {
				return nil, &notApplicable{cause: result.Err}
			}
			if !result.Passing() {
				continue
			}
		}
		plan.Entries = append(plan.Entries, Entry{Binding: b.ID, BindingVersion: b.Version,
			Stage: stage.ID, StageVersion: stage.Version, Reevaluate: b.ReevaluatePolicies})
	}
	if len(plan.Entries) == 0 {
		return plan, errEmpty
	}
	return plan, nil
}

// user is whom the planning policies decide about.
func (p *planner) user(ctx context.Context, plan *Plan) (*identity.Person, error) {
	if ref, ok := KeyPendingUser.Get(plan.Context); ok && ref != nil {
		return resolve(ctx, p.people, ref)
	}
	return p.req.User, nil
}

// require checks the flow's authentication requirement.
func (p *planner) require(ctx context.Context, f *Flow, plan *Plan) error {
	// Who acts as somebody else proves nothing about them and changes nothing
	// of theirs: they can leave, no more.
	if p.req.User.Impersonator != nil && f.Designation != Invalidation {
		return &notApplicable{messages: []string{msgImpersonating}}
	}
	present := func(key string) bool { v, ok := plan.Context.Value(key); return ok && v != nil }
	ok := false
	switch f.Authentication {
	case RequireNone, "":
		ok = true
	case RequireAuthenticated:
		ok = p.req.User.Saved()
	case RequireUnauthenticated:
		ok = !p.req.User.Saved()
	case RequireSuperuser:
		super, err := p.req.User.Superuser(ctx)
		if err != nil {
			return &notApplicable{cause: fmt.Errorf("read groups: %w", err)}
		}
		ok = super
	case RequireRedirect:
		ok = present(string(KeyRedirected))
	case RequireToken:
		if !present(string(KeyRestored)) {
			return &notApplicable{messages: []string{msgTokenRequired}}
		}
		ok = true
	case RequireOutpost:
		ok = p.req.Outpost
	}
	if !ok {
		return &notApplicable{}
	}
	return nil
}

func (p *planner) flowPolicies(ctx context.Context, f *Flow, plan *Plan, user *identity.Person) error {
	result := p.evaluate(ctx, plan, user, policy.Target{Kind: "flow", ID: f.ID, Name: f.Slug, Mode: f.PolicyEngineMode})
	switch result.Verdict {
	case policy.Pass:
		return nil
	case policy.Fail:
		return &notApplicable{messages: result.Messages}
	}
	cause := result.Err
	if cause == nil {
		cause = errors.New("policies reached no verdict")
	}
	return &notApplicable{cause: cause}
}

// evaluate runs a target's policies over the plan as it stands and applies
// what they write to its context.
func (p *planner) evaluate(ctx context.Context, plan *Plan, user *identity.Person, target policy.Target) policy.Result {
	view, err := newPlanView(ctx, p.cat, p.people, plan, p.req)
	if err != nil {
		return policy.Result{Verdict: policy.Error, Err: err}
	}
	saw := p.saw(user, view)
	result := p.judge(ctx, policy.Run{
		Source: p.cat, Target: target, User: user, HTTP: p.req.HTTP, Plan: view, EmptyResult: policy.Pass,
		Context: view.policyContext,
		Apply:   view.apply,
	})
	p.keep(target.Name, result, saw)
	return result
}

// judge runs policies and keeps what they ask to be recorded.
func (p *planner) judge(ctx context.Context, run policy.Run) policy.Result {
	result := p.engine.Evaluate(ctx, run)
	for _, e := range result.Events {
		p.events = append(p.events, Event{Action: e.Action, App: e.App, Context: e.Context})
	}
	p.mails = append(p.mails, result.Mails...)
	p.effects = append(p.effects, result.Effects...)
	return result
}

func bindingTarget(b *Binding, name string) policy.Target {
	return policy.Target{Kind: "binding", ID: b.ID, Name: name, Mode: b.PolicyEngineMode}
}

// startTokens are the query parameters that are part of a plan's identity
// (rule 10): a link with another token is another run.
func startTokens(query url.Values) map[string]string {
	var out map[string]string
	for _, name := range []string{ParamFlowToken, "itoken", "token"} {
		if v := query.Get(name); v != "" {
			if out == nil {
				out = map[string]string{}
			}
			out[name] = hashToken(v)
		}
	}
	return out
}
