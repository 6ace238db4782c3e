package flow

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"maps"
	"slices"

	"github.com/google/uuid"

	"github.com/weir-id/weir/identity"
	"github.com/weir-id/weir/policy"
)

// planView is the plan as policies see it: references to people are resolved,
// so that expressions can ask them things. It lives for one engine run.
type planView struct {
	cat    Catalog
	plan   *Plan
	values map[string]any
	// session is what the session has proved, visitor whose it is.
	session []Proof
	visitor *identity.Person
	// redirected tells whether a policy replaced the rest of the plan.
	redirected bool
}

func newPlanView(ctx context.Context, cat Catalog, people People, plan *Plan, req *Request) (*planView, error) {
	v := &planView{cat: cat, plan: plan, values: plan.Context.Values(), session: req.Session.Proofs, visitor: req.User}
	for key, value := range v.values {
		ref, ok := value.(*PersonRef)
		if !ok || ref == nil {
			continue
		}
		person, err := resolve(ctx, people, ref)
		if err != nil {
			return nil, err
		}
		v.values[key] = person
	}
	return v, nil
}

// FlowID implements policy.Plan.
func (v *planView) FlowID() uuid.UUID { return v.plan.FlowID }

// PlanContext implements policy.Plan.
func (v *planView) PlanContext() map[string]any { return v.values }

// StageNames implements policy.Plan.
func (v *planView) StageNames() []string {
	names := make([]string, 0, len(v.plan.Entries))
	for _, e := range v.plan.Entries {
		if e.Inline != nil {
			names = append(names, e.Inline.Name)
		} else if s, ok := v.cat.Stage(e.Stage); ok {
			names = append(names, s.Name)
		}
	}
	return names
}

// policyContext is one evaluation's own copy of the top level (rule 9).
func (v *planView) policyContext() map[string]any {
	c := maps.Clone(v.values)
	c["flow_plan"] = v
	c[policy.KeyAssurance] = policy.Assured(v.assurance())
	return c
}

// assurance is about the person of the flow: the pending user, else the visitor.
func (v *planView) assurance() identity.Assurance {
	person := v.visitor
	if p, ok := v.values[string(KeyPendingUser)].(*identity.Person); ok && p != nil {
		person = p
	}
	if person == nil {
		return identity.Assurance{}
	}
	return Assure(slices.Concat(v.session, v.plan.Proofs), person.ID)
}

// apply carries out what one policy wrote, for the plan and for the policies
// after it.
func (v *planView) apply(w policy.Writes) {
	for key, value := range w.Set {
		if person, ok := value.(*identity.Person); ok {
			v.values[key] = person
			v.plan.Context.SetValue(key, RefTo(person))
			continue
		}
		if _, err := encodeValue(value); err != nil {
			continue // not something a plan can keep
		}
		v.values[key] = value
		v.plan.Context.SetValue(key, value)
	}
	for _, key := range w.Delete {
		delete(v.values, key)
		v.plan.Context.DeleteValue(key)
	}
	if w.Redirect != nil {
		v.plan.redirect(*w.Redirect)
		v.redirected = true
	}
}

// inlineRedirect is the in-memory stage that sends the person away and never
// completes.
const inlineRedirect = "xak-flow-redirect"

// redirect replaces everything after the current stage by a redirect.
func (p *Plan) redirect(to string) {
	config, _ := json.Marshal(to) // a string always encodes
	p.Entries = append(p.Entries[:min(1, len(p.Entries)):min(1, len(p.Entries))],
		Entry{Inline: &Inline{Type: inlineRedirect, Name: "redirect", Config: config}})
	p.Context.changed = true
}

// hashToken keeps the secret itself out of the plan.
func hashToken(token string) string {
	sum := sha256.Sum256([]byte(token))
	return hex.EncodeToString(sum[:])
}
