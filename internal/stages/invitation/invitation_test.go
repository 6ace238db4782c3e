package invitation

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/weir-id/weir/flow"
	"github.com/weir-id/weir/flow/flowtest"
	store "github.com/weir-id/weir/internal/invitation"
	"github.com/weir-id/weir/policy"
)

// drawer holds the invitations that hold now.
type drawer map[uuid.UUID]*store.Invitation

func (d drawer) Valid(_ context.Context, id uuid.UUID) (*store.Invitation, error) { return d[id], nil }

func (d drawer) Consume(_ context.Context, _ flow.Tx, id uuid.UUID) error {
	if d[id] == nil {
		return &flow.Refusal{Message: "used", Err: errors.New("used")}
	}
	delete(d, id)
	return nil
}

func TestSituations(t *testing.T) {
	once, elsewhere, other := uuid.New(), uuid.New(), uuid.New()
	rows := []struct {
		name     string
		goOn     bool
		query    string
		typed    map[string]any
		want     map[string]any // prompt data in the next stage; nil for a denial
		inEffect bool
	}{
		{"none", false, "", nil, nil, false},
		{"none, and going on", true, "", nil, map[string]any{}, false},
		{"no token at all", false, "itoken=x", nil, nil, false},
		{"an unknown one", false, "itoken=" + other.String(), nil, nil, false},
		{"an unknown one, and going on", true, "itoken=" + other.String(), nil, map[string]any{}, false},
		{"for another flow", false, "itoken=" + elsewhere.String(), nil, nil, false},
		{"in the address", false, "itoken=" + once.String(), nil, map[string]any{"a": "b", "list": []any{"x"}, "deep": map[string]any{"k": int64(1)}}, true},
		{"under its other name", false, "token=" + once.String(), nil, map[string]any{"a": "b", "list": []any{"x"}, "deep": map[string]any{"k": int64(1)}}, true},
		{"typed into a form, and merged", false, "", map[string]any{"token": once.String(), "a": "typed", "list": []any{"y"}, "deep": map[string]any{"l": int64(2)}},
			map[string]any{"token": once.String(), "a": "b", "list": []any{"y", "x"}, "deep": map[string]any{"k": int64(1), "l": int64(2)}}, true},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			d := drawer{}
			d[once] = &store.Invitation{ID: once, Name: "once", SingleUse: true, FixedData: map[string]any{"a": "b", "list": []any{"x"}, "deep": map[string]any{"k": int64(1)}}}
			d[elsewhere] = &store.Invitation{ID: elsewhere, Flow: &other}
			w := flowtest.New(t, Type(d))
			w.Executor.Consume = map[string]func(context.Context, flow.Tx, uuid.UUID) error{Consumed: d.Consume}
			f := w.AddFlow("f", nil)
			w.Bind(f, w.AddStage("invitation", "check", &Config{ContinueFlowWithoutInvitation: row.goOn}), nil)
			var seen map[string]any
			var inEffect bool
			last := w.Bind(f, w.AddStage("invitation", "last", &Config{ContinueFlowWithoutInvitation: true}), func(b *flow.Binding) { b.EvaluateOnPlan, b.ReevaluatePolicies = false, true })
			w.BindPolicy(last.ID, policy.Func(func(_ context.Context, r *policy.Request) (policy.Result, error) {
				seen, _ = r.Context["prompt_data"].(map[string]any)
				inEffect, _ = r.Context["invitation_in_effect"].(bool)
				return policy.Result{Verdict: policy.Fail}, nil
			}), nil)
			if row.typed != nil {
				w.BindPolicy(f.ID, policy.Func(func(context.Context, *policy.Request) (policy.Result, error) {
					return policy.Result{Verdict: policy.Pass, Writes: policy.Writes{Set: map[string]any{"prompt_data": row.typed}}}, nil
				}), nil)
			}
			r := w.NewBrowser().Get(t, "f", row.query)
			if row.want == nil {
				if got := flowtest.Describe(r); !strings.HasPrefix(got, "denied: This invitation") {
					t.Errorf("%s", got)
				}
				return
			}
			if got := flowtest.Describe(r); got != "redirect / final" {
				t.Fatalf("%s", got)
			}
			if seen == nil {
				seen = map[string]any{}
			}
			if diff := cmp.Diff(row.want, seen); diff != "" || inEffect != row.inEffect {
				t.Errorf("in effect %v\n%s", inEffect, diff)
			}
			if (d[once] == nil) != row.inEffect {
				t.Errorf("still there: %v", d[once] != nil)
			}
		})
	}
}
