package prompt_test

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/google/uuid"

	"github.com/weir-id/weir/flow"
	"github.com/weir-id/weir/internal/prompt"
	"github.com/weir-id/weir/policy"
)

// A policy that found no core to hash on says nothing about the answer, which
// can be sent again; nor does an effect of one get lost in a form.
func TestWhatPoliciesOfAFormCauseBesides(t *testing.T) {
	busy := policy.Func(func(context.Context, *policy.Request) (policy.Result, error) {
		return policy.Result{}, fmt.Errorf("hash: %w", flow.ErrOverloaded)
	})
	acting := policy.Func(func(_ context.Context, r *policy.Request) (policy.Result, error) {
		return policy.Result{Verdict: policy.Fail, Effects: []policy.Effect{{Act: policy.EndPassword, Person: r.User}}}, nil
	})
	w := newWorld(t, ask("a", prompt.Text))
	w.config.ValidationPolicies = append(w.config.ValidationPolicies, *w.BindPolicy(uuid.New(), busy, nil).Policy)
	b := w.ready(t)
	req := b.Request("form", "")
	req.Answer, req.Body = true, map[string]any{"a": "x"}
	if _, err := b.Do(t.Context(), req); !errors.Is(err, flow.ErrOverloaded) {
		t.Errorf("without a core: %v", err)
	}

	w = newWorld(t, ask("a", prompt.Text))
	w.config.ValidationPolicies = append(w.config.ValidationPolicies, *w.BindPolicy(uuid.New(), acting, nil).Policy)
	shown(t, w.ready(t).Post(t, "form", "", map[string]any{"a": "x"}))
	carried := 0
	for _, c := range w.Store.Commits {
		carried += len(c.Effects)
	}
	if carried != 1 {
		t.Errorf("%d effects were carried out", carried)
	}
}
