// Package policies lists the policy types, one line each. A new type is one
// folder beside this file and one line below.
package policies

import (
	"time"

	runtime "github.com/weir-id/weir/internal/expression"
	"github.com/weir-id/weir/internal/policies/dummy"
	"github.com/weir-id/weir/internal/policies/eventmatcher"
	"github.com/weir-id/weir/internal/policies/expression"
	"github.com/weir-id/weir/internal/policies/geoip"
	"github.com/weir-id/weir/policy"
)

// Env is what policy types need of the rest of the program.
type Env struct {
	// Compiler compiles the bodies of expression policies.
	Compiler *runtime.Compiler
	// Logins knows the earlier logins of people.
	Logins geoip.Logins
	// Now is the clock.
	Now func() time.Time
}

// All returns the policy types in alphabetical order.
func All(env Env) []policy.Type {
	return []policy.Type{
		dummy.Type(),
		eventmatcher.Type(),
		expression.Type(env.Compiler),
		geoip.Type(env.Logins, env.Now),
	}
}
