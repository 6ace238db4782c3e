package bench

import (
	"context"
	"encoding/json"
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

// BenchmarkStep answers one stage after the other of a flow of 20: what the
// engine and JSON cost, with the body read, the stored plan decoded, an
// expression asked, the plan encoded and the next challenge written, but
// without HTTP and database.
func BenchmarkStep(b *testing.B) {
	w := flowtest.New(b, dummy.Type())
	f := w.AddFlow("f", nil)
	compiler := expression.Type(runtime.NewCompiler(runtime.Env{}))
	for i := range 20 {
		p, err := compiler.Build(fmt.Sprintf("policy %d", i), &expression.Config{Expression: shortPolicy})
		if err != nil {
			b.Fatal(err)
		}
		w.BindPolicy(w.Bind(f, w.AddStage("dummy", fmt.Sprintf("stage %d", i), nil), nil).ID, p, nil)
	}
	browser := w.NewBrowser()
	measure.CPU(b, func() {
		req := browser.Request("f", "")
		req.Answer = true
		if err := json.Unmarshal([]byte(`{"component": "ak-stage-dummy"}`), &req.Body); err != nil {
			b.Fatal(err)
		}
		result, err := w.Executor.Step(b.Context(), req)
		if err != nil {
			b.Fatal(err)
		}
		w.Store.Commits = nil
		if !result.Next { // the flow is over
			browser = w.NewBrowser()
		}
		look, err := w.Executor.Step(b.Context(), browser.Request("f", ""))
		if err != nil {
			b.Fatal(err)
		}
		if _, err := json.Marshal(look.Challenge); err != nil {
			b.Fatal(err)
		}
	})
}
