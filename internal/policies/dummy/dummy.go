// Package dummy is the policy type that waits and answers what it was told. It
// is for trying out bindings, timeouts and combinations.
package dummy

import (
	"context"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/weir-id/weir/field"
	"github.com/weir-id/weir/policy"
)

// Config is the configuration of a dummy policy.
type Config struct {
	// Result is the answer.
	Result bool `json:"result"`
	// WaitMin and WaitMax bound the wait before it, in seconds. Defaults 5 and
	// 30.
	WaitMin int32 `json:"wait_min" field:"min=0,max=86400"`
	WaitMax int32 `json:"wait_max" field:"min=0,max=86400"`
}

// Validate refuses bounds in the wrong order.
func (c *Config) Validate() field.Errors {
	if c.WaitMin > c.WaitMax {
		return field.Errorf("wait_max", field.CodeInvalid, "Enter at least %d, the value of wait_min.", c.WaitMin)
	}
	return nil
}

// Foresee implements policy.Foreseeable.
func (c *Config) Foresee() policy.Foresight {
	if c.Result {
		return policy.Foresight{Always: policy.Pass}
	}
	return policy.Foresight{Always: policy.Fail}
}

// Type returns the policy type.
func Type() policy.Type {
	return policy.NewType(policy.Type{
		Name: "dummy", Model: "authentik_policies_dummy.dummypolicy", Component: "ak-policy-dummy-form",
		Label: "Dummy Policy", Description: "Waits and gives a fixed answer.",
	}, func() Config { return Config{WaitMin: 5, WaitMax: 30} }, func(_ string, c Config) (policy.Policy, error) { return &dummy{c}, nil })
}

type dummy struct{ config Config }

// Evaluate waits a random time between the bounds, or until ctx ends, which is
// an error: nobody knows what the answer would have been.
func (d *dummy) Evaluate(ctx context.Context, _ *policy.Request) (policy.Result, error) {
	wait := time.Duration(d.config.WaitMin) * time.Second
	if spread := d.config.WaitMax - d.config.WaitMin; spread > 0 {
		wait += rand.N(time.Duration(spread) * time.Second)
	}
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
		return policy.Result{}, fmt.Errorf("wait: %w", context.Cause(ctx))
	}
	verdict := policy.Fail
	if d.config.Result {
		verdict = policy.Pass
	}
	return policy.Result{Verdict: verdict, Messages: []string{"dummy"}}, nil
}
