package flow_test

import (
	"log/slog"
	"testing"

	"github.com/weir-id/weir/flow"
	"github.com/weir-id/weir/flow/flowtest"
	"github.com/weir-id/weir/policy"
)

// BenchmarkPlan20 plans a flow of 20 stages with 20 policies asked on plan,
// through the whole first request.
func BenchmarkPlan20(b *testing.B) {
	slog.SetDefault(slog.New(slog.DiscardHandler))
	w := flowtest.New(b, stageType("ask", flow.Effects{}, asking{}))
	f := w.AddFlow("f", nil)
	for range 20 {
		binding := w.Bind(f, w.AddStage("ask", "s", nil), func(x *flow.Binding) { x.EvaluateOnPlan, x.ReevaluatePolicies = true, false })
		w.BindPolicy(binding.ID, pass(), nil)
	}
	browser := w.NewBrowser()
	b.ReportAllocs()
	for b.Loop() {
		if _, err := w.Executor.Step(b.Context(), browser.Request("f", "")); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkStep answers one stage: restore, policy, respond, commit in memory.
func BenchmarkStep(b *testing.B) {
	w := flowtest.New(b, stageType("ask", flow.Effects{}, asking{}))
	f := w.AddFlow("f", nil)
	for range 3 {
		w.BindPolicy(w.Bind(f, w.AddStage("ask", "s", nil), nil).ID, policy.Policy(pass()), nil)
	}
	b.ReportAllocs()
	for b.Loop() {
		browser := w.NewBrowser()
		req := browser.Request("f", "")
		req.Answer, req.Body = true, map[string]any{}
		if _, err := w.Executor.Step(b.Context(), req); err != nil {
			b.Fatal(err)
		}
	}
}
