package flow_test

import (
	"context"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/weir-id/weir/flow"
	"github.com/weir-id/weir/flow/flowtest"
	"github.com/weir-id/weir/policy"
)

// writer is a policy that asks for a mail.
type writer struct {
	v       policy.Verdict
	subject string
}

func (w *writer) Evaluate(context.Context, *policy.Request) (policy.Result, error) {
	return policy.Result{Verdict: w.v, Mails: []policy.Mail{{To: []string{"ada@example.com"}, Subject: w.subject, Body: "x"}}}, nil
}

// TestMailsOfPoliciesAreCommitted: whatever becomes of the step, and once.
func TestMailsOfPoliciesAreCommitted(t *testing.T) {
	for name, tt := range map[string]struct {
		prepare func(w *flowtest.World, f *flow.Flow, b []*flow.Binding)
		act     func(t *testing.T, b *flowtest.Browser)
		want    []string
	}{
		"of a flow that is shown": {func(w *flowtest.World, f *flow.Flow, _ []*flow.Binding) {
			w.BindPolicy(f.ID, &writer{policy.Pass, "pass"}, nil)
		}, func(t *testing.T, b *flowtest.Browser) { b.Get(t, "f", "") }, []string{"pass"}},
		"of a flow that is denied": {func(w *flowtest.World, f *flow.Flow, _ []*flow.Binding) {
			w.BindPolicy(f.ID, &writer{policy.Fail, "fail"}, nil)
		}, func(t *testing.T, b *flowtest.Browser) { b.Get(t, "f", "") }, []string{"fail"}},
		"of a stage whose policies are asked again": {func(w *flowtest.World, _ *flow.Flow, b []*flow.Binding) {
			b[1].ReevaluatePolicies, b[1].EvaluateOnPlan = true, false
			w.BindPolicy(b[1].ID, &writer{policy.Pass, "again"}, nil)
		}, func(t *testing.T, b *flowtest.Browser) {
			b.Post(t, "f", "", map[string]any{"text": "x"})
			b.Get(t, "f", "")
		}, []string{"again"}},
		"of a start that is refused": {func(w *flowtest.World, f *flow.Flow, _ []*flow.Binding) {
			w.BindPolicy(f.ID, &writer{policy.Fail, "refused"}, nil)
		}, func(t *testing.T, b *flowtest.Browser) {
			if err := begin(t, b, "f", member(b.World.People, "max")); err == nil {
				t.Error("the flow was started")
			}
		}, []string{"refused"}},
		"of a start": {func(w *flowtest.World, f *flow.Flow, _ []*flow.Binding) {
			w.BindPolicy(f.ID, &writer{policy.Pass, "started"}, nil)
		}, func(t *testing.T, b *flowtest.Browser) {
			if err := begin(t, b, "f", member(b.World.People, "max")); err != nil {
				t.Error(err)
			}
		}, []string{"started"}},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			f, bindings := stages(w, "f", "ask", "ask")
			tt.prepare(w, f, bindings)
			tt.act(t, w.NewBrowser())
			var got []string
			for _, c := range w.Store.Commits {
				for _, m := range c.Mails {
					got = append(got, m.Subject)
				}
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("mails (-want +got):\n%s", diff)
			}
		})
	}
}
