package flow_test

import (
	"context"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/weir-id/weir/field"
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

// judging has policies judge what it is answered.
type judging struct {
	asking
	by uuid.UUID
}

func (j *judging) Respond(ctx context.Context, x *flow.Exec, r flow.Response) (flow.Outcome, error) {
	if result, _ := x.Judge(ctx, []uuid.UUID{j.by}, r.Data); !result.Passing() {
		return flow.AskAgain(field.Errorf("text", field.CodeInvalid, "No.")), nil
	}
	return flow.Done(), nil
}

func TestMailsOfPoliciesThatJudgeAnswersAreCommitted(t *testing.T) {
	j := &judging{}
	w := flowtest.New(t, stageType("judging", flow.Effects{}, j))
	f := w.AddFlow("f", nil)
	w.Bind(f, w.AddStage("judging", "judging", nil), nil)
	j.by = *w.BindPolicy(uuid.New(), &writer{policy.Fail, "judged"}, nil).Policy
	b := w.NewBrowser()
	b.Post(t, "f", "", map[string]any{"text": "x"})
	if got := mailsOf(w); len(got) != 1 || got[0] != "judged" {
		t.Errorf("mails %v", got)
	}
}

// mailsOf are the subjects of all mails that were committed.
func mailsOf(w *flowtest.World) []string {
	var out []string
	for _, c := range w.Store.Commits {
		for _, m := range c.Mails {
			out = append(out, m.Subject)
		}
	}
	return out
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
			if diff := cmp.Diff(tt.want, mailsOf(w)); diff != "" {
				t.Errorf("mails (-want +got):\n%s", diff)
			}
		})
	}
}
