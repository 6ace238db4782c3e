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
	"github.com/weir-id/weir/internal/policies/password"
	"github.com/weir-id/weir/internal/policies/passwordexpiry"
	"github.com/weir-id/weir/internal/policies/reputation"
	"github.com/weir-id/weir/internal/policies/uniquepassword"
	"github.com/weir-id/weir/policy"
)

// Env is what policy types need of the rest of the program.
type Env struct {
	// Compiler compiles the bodies of expression policies.
	Compiler *runtime.Compiler
	// Scores are what reputation policies ask.
	Scores reputation.Scores
	// Logins knows the earlier logins of people.
	Logins geoip.Logins
	// Password is what password policies need.
	Password password.Env
	// Passwords knows the passwords that people have had.
	Passwords uniquepassword.Passwords
	// Now is the clock; time.Now when nil.
	Now func() time.Time
}

// All returns the policy types in alphabetical order.
func All(env Env) []policy.Type {
	return []policy.Type{
		dummy.Type(),
		eventmatcher.Type(),
		expression.Type(env.Compiler),
		geoip.Type(env.Logins, env.Now),
		password.Type(env.Password),
		passwordexpiry.Type(env.Now),
		reputation.Type(env.Scores),
		uniquepassword.Type(env.Passwords),
	}
}
