// Package reputation is the policy type that passes for bad clients: for those
// whose address or name has failed often. Bound to a stage it makes that stage
// one that only they meet; negated it keeps them out.
package reputation

import (
	"context"
	"net/netip"

	"github.com/weir-id/weir/field"
	"github.com/weir-id/weir/policy"
)

// Scores knows how addresses and names have behaved.
type Scores interface {
	// Score is the sum of the scores of an address and of a name; a nil one is
	// not looked at. The zero address is the unknown one.
	Score(ctx context.Context, from *netip.Addr, name *string) (int64, error)
}

// Config is the configuration of a reputation policy.
type Config struct {
	// CheckIP and CheckUsername say whose scores count.
	CheckIP       bool `json:"check_ip"`
	CheckUsername bool `json:"check_username"`
	// Threshold is the highest score that passes. Default -5.
	Threshold int32 `json:"threshold"`
}

// Validate refuses a policy that looks at nothing.
func (c *Config) Validate() field.Errors {
	if !c.CheckIP && !c.CheckUsername {
		return field.Errorf(field.NonField, field.CodeInvalid, "Turn on check_ip or check_username.")
	}
	return nil
}

// Type returns the policy type, which asks scores.
func Type(scores Scores) policy.Type {
	return policy.NewType(policy.Type{
		Name: "reputation", Model: "authentik_policies_reputation.reputationpolicy", Component: "ak-policy-reputation-form",
		Label: "Reputation Policy", Description: "Passes when the address or the user name has failed often.",
	}, func() Config { return Config{CheckIP: true, CheckUsername: true, Threshold: -5} },
		func(_ string, c Config) (policy.Policy, error) { return &reputation{c, scores}, nil })
}

type reputation struct {
	config Config
	scores Scores
}

var _ policy.Bounded = (*reputation)(nil)

// Bounded implements policy.Bounded: it is one query, which ends with its
// context.
func (*reputation) Bounded() {}

// Evaluate adds up the scores of the client's address and of the person's user
// name. Somebody without a name, who has not said yet who they are, has that of
// the address alone.
func (p *reputation) Evaluate(ctx context.Context, r *policy.Request) (policy.Result, error) {
	var from *netip.Addr
	if p.config.CheckIP {
		from = new(netip.Addr)
		if r.HTTP != nil {
			*from = r.HTTP.ClientIP
		}
	}
	var name *string
	if p.config.CheckUsername && r.User.Username != "" {
		name = &r.User.Username
	}
	score, err := p.scores.Score(ctx, from, name)
	if err != nil {
		return policy.Result{}, err
	}
	verdict := policy.Fail
	if score <= int64(p.config.Threshold) {
		verdict = policy.Pass
	}
	return policy.Result{Verdict: verdict}, nil
}
