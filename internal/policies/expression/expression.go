// Package expression is the policy type whose verdict is the truth of what a
// Python body returns. The body is compiled when the policy is saved; package
// internal/expression runs it.
package expression

import (
	"context"

	runtime "github.com/weir-id/weir/internal/expression"
	"github.com/weir-id/weir/policy"
)

// Config is the configuration of an expression policy.
type Config struct {
	// Expression is a function body in Python, stored as it was written.
	Expression string `json:"expression" field:"required,notrim"`
}

// Type returns the policy type; compiler compiles its bodies.
func Type(compiler *runtime.Compiler) policy.Type {
	return policy.NewType(policy.Type{
		Name: "expression", Model: "authentik_policies_expression.expressionpolicy", Component: "ak-policy-expression-form",
		Label: "Expression Policy", Description: "Passes when an expression returns something true.",
	}, func() Config { return Config{} }, func(name string, c Config) (policy.Policy, error) {
		program, err := compiler.Compile(name, c.Expression)
		if err != nil {
			return nil, runtime.FieldError("expression", err)
		}
		return &expression{program}, nil
	})
}

type expression struct{ program *runtime.Program }

var _ policy.Bounded = (*expression)(nil)

// Bounded implements policy.Bounded: the runtime looks at the clock while a
// body runs, and what it does between two looks is limited in size.
func (*expression) Bounded() {}

// Evaluate runs the body. An exception, a reached limit and the end of the
// time are errors, which deny (rule 8); nothing of such a run is applied.
func (e *expression) Evaluate(ctx context.Context, r *policy.Request) (policy.Result, error) {
	v, err := e.program.Run(ctx, runtime.Scope{Request: r, Policy: true})
	if err != nil {
		return policy.Result{Logs: v.Logs}, err
	}
	verdict := policy.Fail
	if v.True {
		verdict = policy.Pass
	}
	return policy.Result{Verdict: verdict, Messages: v.Messages, Raw: v.Raw, Writes: v.Writes, Events: v.Events, Mails: v.Mails, Logs: v.Logs}, nil
}
