// Package policies lists the policy types, one line each. A new type is one
// folder beside this file and one line below.
package policies

import (
	runtime "github.com/weir-id/weir/internal/expression"
	"github.com/weir-id/weir/internal/policies/dummy"
	"github.com/weir-id/weir/internal/policies/expression"
	"github.com/weir-id/weir/policy"
)

// All returns the policy types in alphabetical order. compiler compiles the
// bodies of expression policies.
func All(compiler *runtime.Compiler) []policy.Type {
	return []policy.Type{
		dummy.Type(),
		expression.Type(compiler),
	}
}
