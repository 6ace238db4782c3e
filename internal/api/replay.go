package api

import (
	"net/http"
	"net/netip"

	"github.com/google/uuid"

	"github.com/weir-id/weir/field"
	"github.com/weir-id/weir/flow"
	"github.com/weir-id/weir/identity"
	"github.com/weir-id/weir/internal/access"
	"github.com/weir-id/weir/internal/session"
	"github.com/weir-id/weir/policy"
)

// replayRequest names a policy that a step has asked.
type replayRequest struct {
	Step   int       `json:"step" field:"required"`
	Target string    `json:"target" field:"required"`
	Policy uuid.UUID `json:"policy" field:"required"`
}

// replayResult is what the policy says now, and what its binding made of it then.
type replayResult struct {
	Then string           `json:"then" field:"required"`
	Now  policyTestResult `json:"now" field:"required"`
}

// replayPolicy asks a policy as it is now with what it saw then, without effects. It runs
// code of the policy, so it needs the permission to change it (rule 11).
func replayPolicy(c *call) error {
	v, steps, err := c.run()
	if err != nil {
		return err
	}
	var body replayRequest
	if err := c.decode(&body); err != nil {
		return err
	}
	saw, verdict := recorded(steps, &body)
	if verdict == nil {
		return field.Errorf("policy", field.CodeDoesNotExist, "That step has not asked this policy about %q.", body.Target)
	}
	if saw == nil {
		return field.Errorf("step", field.CodeInvalid, "What the policies saw was not kept: that is done only for people who may inspect the flow.")
	}
	object, ok := v.Config.Policy(body.Policy)
	if !ok {
		return field.Errorf("policy", field.CodeDoesNotExist, "The policy is gone.")
	}
	if err := c.demand(access.Change, c.api.Kinds.Model(c.api.Catalog.Model("policy", object.Type.Name)), body.Policy.String()); err != nil {
		return err
	}
	person := identity.Anonymous()
	if saw.UserID != 0 {
		if person, err = c.tested(saw.UserID); err != nil {
			return err
		}
	}
	r, err := c.replayed(saw, person)
	if err != nil {
		return err
	}
	result := object.Evaluate(c.ctx, r, policy.DefaultTimeout)
	return c.answer(http.StatusOK, replayResult{Then: verdict.Verdict, Now: c.testResult(result, object.Name)})
}

// recorded finds what a step has kept about a policy.
func recorded(steps []session.Step, body *replayRequest) (*flow.Saw, *flow.PolicyVerdict) {
	for _, s := range steps {
		if s.N != body.Step {
			continue
		}
		for _, t := range s.Trace.Policies {
			for i, p := range t.Policies {
				if t.Target == body.Target && p.Policy == body.Policy {
					return t.Saw, &t.Policies[i]
				}
			}
		}
	}
	return nil, nil
}

// replayed is the request of a policy as it was, as far as it was kept.
func (c *call) replayed(saw *flow.Saw, person *identity.Person) (*policy.Request, error) {
	values := map[string]any{}
	for key, value := range saw.Context {
		values[key] = value
		if m, ok := value.(map[string]any); ok && key == string(flow.KeyPendingUser) {
			pk, _ := m["pk"].(float64)
			if pk < 1 {
				continue
			}
			pending, err := c.tested(int64(pk))
			if err != nil {
				return nil, err
			}
			values[key] = pending
		}
	}
	plan := replayedPlan{values}
	context := map[string]any{"flow_plan": plan}
	for key, value := range values {
		context[key] = value
	}
	r := &policy.Request{User: person, Context: context, Plan: plan, Debug: true}
	if h := saw.HTTP; h != nil {
		r.HTTP = &policy.HTTPRequest{Method: h.Method, Path: h.Path, Host: h.Host, Secure: h.Secure, Query: h.Query, Header: h.Header}
		r.HTTP.ClientIP, _ = netip.ParseAddr(h.IP)
	}
	return r, nil
}

// replayedPlan is a plan that leads nowhere.
type replayedPlan struct{ values map[string]any }

func (p replayedPlan) FlowID() uuid.UUID           { return uuid.Nil }
func (p replayedPlan) PlanContext() map[string]any { return p.values }
func (p replayedPlan) StageNames() []string        { return nil }
