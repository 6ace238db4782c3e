package bench

import (
	"context"
	"fmt"
	"testing"

	"github.com/weir-id/weir/bench/measure"
	"github.com/weir-id/weir/flow"
	"github.com/weir-id/weir/flow/flowtest"
	runtime "github.com/weir-id/weir/internal/expression"
	"github.com/weir-id/weir/internal/policies/expression"
	"github.com/weir-id/weir/internal/stages/dummy"
	"github.com/weir-id/weir/policy"
)

// The policies that are planned with: the one that the shipped login flow asks
// on every login, and one of the length of the longest published ones.
const (
	shortPolicy = `flow_plan = request.context.get("flow_plan")
if not flow_plan:
    return True
return not hasattr(flow_plan.context.get("pending_user"), "backend")
`
	longPolicy = `import re
mail = request.http_request.GET.get("login_hint", "").strip().lower()
try:
    domain = mail.split("@")[1]
except IndexError:
    ak_message("missing")
    return False
allowed = [d.lower() for d in ("example.com", "Example.org", "example.net")]
if not any(domain == d or domain.endswith(f".{d}") for d in allowed):
    ak_message(f"{domain} is not allowed")
    return False
if request.http_request.headers.get("User-Agent", "").startswith("curl"):
    return False
return bool(re.match(r"^[a-z0-9.]+@", mail)) and 3 <= len(mail) < 200
`
)

// BenchmarkPlan plans a flow of 20 stages with a policy on each, through the
// whole first request of a visitor: no policy, policies without a body, and
// compiled bodies. Bodies differ, as do those of twenty administrators.
func BenchmarkPlan(b *testing.B) {
	pass := policy.Func(func(context.Context, *policy.Request) (policy.Result, error) {
		return policy.Result{Verdict: policy.Pass}, nil
	})
	body := func(text string) func(i int) policy.Policy {
		compiler := expression.Type(runtime.NewCompiler(runtime.Env{}))
		return func(i int) policy.Policy {
			p, err := compiler.Build(fmt.Sprintf("policy %d", i), &expression.Config{Expression: fmt.Sprintf("%s# %d", text, i)})
			if err != nil {
				b.Fatal(err)
			}
			return p
		}
	}
	rows := []struct {
		name   string
		policy func(i int) policy.Policy
	}{
		{"none", nil},
		{"go", func(int) policy.Policy { return pass }},
		{"short", body(shortPolicy)},
		{"long", body(longPolicy)},
	}
	for _, row := range rows {
		b.Run(row.name, func(b *testing.B) {
			w := flowtest.New(b, dummy.Type())
			f := w.AddFlow("f", nil)
			for i := range 20 {
				binding := w.Bind(f, w.AddStage("dummy", "s", nil), func(x *flow.Binding) { x.EvaluateOnPlan, x.ReevaluatePolicies = true, false })
				if row.policy != nil {
					w.BindPolicy(binding.ID, row.policy(i), nil)
				}
			}
			req := w.NewBrowser().Request("f", "login_hint=Anna@example.org")
			measure.CPU(b, func() {
				if _, err := w.Executor.Step(b.Context(), req); err != nil {
					b.Fatal(err)
				}
			})
		})
	}
}
