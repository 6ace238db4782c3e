package prove_test

import (
	"context"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/weir-id/weir/flow"
	"github.com/weir-id/weir/flow/flowtest"
	"github.com/weir-id/weir/flow/prove"
	"github.com/weir-id/weir/internal/expression"
	"github.com/weir-id/weir/internal/policies/dummy"
	"github.com/weir-id/weir/internal/stages"
	"github.com/weir-id/weir/policy"
)

// silent is a stage type that declares no effects.
func silent() flow.StageType {
	return flow.NewStageType(flow.StageType{Name: "silent"}, func() struct{} { return struct{}{} }, nil,
		func(string, struct{}) flow.Stage {
			return flow.Plain(func(context.Context, *flow.Exec) (flow.Outcome, error) { return flow.Done(), nil })
		})
}

func types() []flow.StageType {
	return append(stages.All(stages.Env{Compiler: expression.NewCompiler(expression.Env{})}), silent())
}

// perhaps is a policy that nothing is known about.
type perhaps struct{}

func (perhaps) Evaluate(context.Context, *policy.Request) (policy.Result, error) {
	return policy.Result{Verdict: policy.Pass}, nil
}

func pick[T ~string](r *rand.Rand, choices []string) T { return T(choices[r.IntN(len(choices))]) }

// randomFlow makes a flow of n stages out of all types, with any settings.
func randomFlow(c *flowtest.Catalog, all []flow.StageType, r *rand.Rand, n int) *flow.Flow {
	f := c.AddFlow("random", func(f *flow.Flow) {
		f.Designation = pick[flow.Designation](r, f.Designation.Choices())
		f.Authentication = pick[flow.Requirement](r, f.Authentication.Choices())
	})
	for range n {
		b := c.Bind(f, c.AddStage(all[r.IntN(len(all))].Name, "stage", nil), func(b *flow.Binding) {
			b.EvaluateOnPlan, b.ReevaluatePolicies = r.IntN(2) == 0, r.IntN(2) == 0
			b.InvalidResponseAction = pick[flow.InvalidResponseAction](r, b.InvalidResponseAction.Choices())
			b.PolicyEngineMode = pick[policy.Mode](r, b.PolicyEngineMode.Choices())
		})
		for range r.IntN(3) {
			bound := c.BindPolicy(b.ID, perhaps{}, func(b *policy.Binding) {
				b.Enabled, b.Negate, b.FailureResult = r.IntN(4) > 0, r.IntN(2) == 0, r.IntN(2) == 0
			})
			if o, _ := c.Policy(*bound.Policy); r.IntN(2) == 0 {
				o.Config = &dummy.Config{Result: r.IntN(2) == 0}
			}
		}
	}
	return f
}

// Whatever a flow consists of, its proof ends, and says the same again.
func TestRandomFlowsAreProved(t *testing.T) {
	t.Parallel()
	all, found := types(), map[prove.Code]int{}
	for seed := range uint64(3000) {
		r := rand.New(rand.NewPCG(seed, 1))
		c := flowtest.NewCatalog(all...)
		f := randomFlow(c, all, r, r.IntN(25))
		first, again := prove.Flow(c, f, time.Now()), prove.Flow(c, f, time.Now())
		if text(first) != text(again) {
			t.Fatalf("seed %d: two proofs differ\n%s\n\n%s", seed, text(first), text(again))
		}
		for _, finding := range first {
			found[finding.Code]++
		}
	}
	for _, code := range []prove.Code{prove.UncheckedLogin, prove.NoSecondFactor, prove.MissingNeed, prove.UncertainNeed, prove.Endless, prove.NeverSucceeds, prove.NoEffect} {
		if found[code] == 0 {
			t.Errorf("no random flow has the finding %s", code)
		}
	}
}

func text(found []prove.Finding) string {
	lines := make([]string, len(found))
	for i, f := range found {
		lines[i] = f.String()
	}
	return strings.Join(lines, "\n")
}

// A type without a declaration may have done anything, but has proved nothing.
func TestUnknownStagesProveNothing(t *testing.T) {
	t.Parallel()
	c := flowtest.NewCatalog(types()...)
	f := c.AddFlow("unknown", nil)
	for _, name := range []string{"identification", "password", "silent", "user_login"} {
		c.Bind(f, c.AddStage(name, name, nil), nil)
	}
	found := prove.Flow(c, f, time.Now())
	if len(found) != 1 || found[0].Code != prove.UncheckedLogin || found[0].Stage != "user_login" {
		t.Errorf("findings:\n%s", text(found))
	}
	g := c.AddFlow("unknown-too", func(f *flow.Flow) { f.Designation = flow.Unenrollment })
	c.Bind(g, c.AddStage("silent", "silent", nil), nil)
	if found := prove.Flow(c, g, time.Now()); len(found) > 0 {
		t.Errorf("what an unknown stage may do is said to be missing:\n%s", text(found))
	}
}

// BenchmarkFlow proves a flow of 20 stages, each of which a policy may leave out.
func BenchmarkFlow(b *testing.B) {
	c := flowtest.NewCatalog(types()...)
	f := c.AddFlow("long", nil)
	names := []string{"identification", "password", "authenticator_validate", "prompt", "invitation", "captcha", "user_write", "dummy", "consent", "user_login"}
	for i := range 20 {
		bound := c.Bind(f, c.AddStage(names[i%len(names)], names[i%len(names)], nil), func(b *flow.Binding) {
			b.InvalidResponseAction = flow.RestartWithContext
		})
		c.BindPolicy(bound.ID, perhaps{}, nil)
	}
	now := time.Now()
	b.ReportAllocs()
	for b.Loop() {
		prove.Flow(c, f, now)
	}
}
