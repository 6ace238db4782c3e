package flow_test

import (
	"context"
	"testing"

	"github.com/weir-id/weir/flow/flowtest"
	"github.com/weir-id/weir/identity"
	"github.com/weir-id/weir/policy"
)

// asks is a policy that gives a verdict and asks for an effect.
func asks(v policy.Verdict, p *identity.Person) policy.Policy {
	return policy.Func(func(context.Context, *policy.Request) (policy.Result, error) {
		return policy.Result{Verdict: v, Messages: []string{"no"}, Effects: []policy.Effect{{Act: policy.EndPassword, Person: p}}}, nil
	})
}

// carried counts the effects of all steps that were written.
func carried(w *flowtest.World) (n int) {
	for _, c := range w.Store.Commits {
		n += len(c.Effects)
	}
	return n
}

func TestEffectsOfPoliciesGoWithTheStep(t *testing.T) {
	negated := func(b *policy.Binding) { b.Negate = true }
	forgiven := func(b *policy.Binding) { b.FailureResult = true }
	rows := []struct {
		name string
		// onFlow binds to the flow, else to the stage; onPlan asks while planning.
		onFlow, onPlan bool
		verdict        policy.Verdict
		change         func(*policy.Binding)
		passive        bool
		want           string
		effects        int
	}{
		{"a pass", false, false, policy.Pass, nil, false, "ak-stage-dummy", 1},
		{"a fail skips the stage", false, false, policy.Fail, nil, false, "redirect / final", 1},
		{"a fail that is negated", false, false, policy.Fail, negated, false, "ak-stage-dummy", 1},
		{"while planning", false, true, policy.Fail, nil, false, "redirect / final", 1},
		{"on the flow, which stores nothing else", true, false, policy.Fail, nil, false, "denied: no", 1},
		{"on the flow, passing", true, false, policy.Pass, nil, false, "ak-stage-dummy", 1},
		{"an error drops it", true, false, policy.Error, nil, false, "", 0},
		{"an error that counts as a pass drops it", false, false, policy.Error, forgiven, false, "ak-stage-dummy", 0},
		{"a passive request only looks", true, false, policy.Fail, nil, true, "denied: no", 0},
		{"a passive request only looks, at run time", false, false, policy.Pass, nil, true, "ak-stage-dummy", 0},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			w := newWorld(t)
			p := member(w.People, "max")
			f, bindings := stages(w, "f", "ask")
			target := bindings[0].ID
			if row.onFlow {
				target = f.ID
			}
			bindings[0].EvaluateOnPlan, bindings[0].ReevaluatePolicies = row.onPlan, !row.onPlan
			w.BindPolicy(target, asks(row.verdict, p), row.change)
			b := w.NewBrowser()
			req := b.Request("f", "")
			req.Passive = row.passive
			result, err := b.Do(t.Context(), req)
			if err != nil {
				t.Fatal(err)
			}
			if got := flowtest.Describe(result); row.want != "" && got != row.want {
				t.Errorf("got %s, want %s", got, row.want)
			}
			if n := carried(w); n != row.effects {
				t.Errorf("%d effects go with the steps, want %d", n, row.effects)
			}
		})
	}
}

// A passive request leaves an effect to the next one that may act.
func TestRule05AnEffectWaitsForAClick(t *testing.T) {
	w := newWorld(t)
	p := member(w.People, "max")
	_, bindings := stages(w, "f", "ask")
	w.BindPolicy(bindings[0].ID, asks(policy.Pass, p), nil)
	b := w.NewBrowser()
	req := b.Request("f", "")
	req.Passive = true
	if _, err := b.Do(t.Context(), req); err != nil || carried(w) != 0 {
		t.Fatalf("%d effects, %v", carried(w), err)
	}
	b.Post(t, "f", "", map[string]any{})
	if n := carried(w); n != 1 {
		t.Errorf("%d effects after the click", n)
	}
}

func TestEffectsOfAStart(t *testing.T) {
	for _, v := range []policy.Verdict{policy.Pass, policy.Fail} {
		w := newWorld(t)
		p := member(w.People, "max")
		f, _ := stages(w, "f", "ask")
		w.BindPolicy(f.ID, asks(v, p), nil)
		err := begin(t, w.NewBrowser(), "f", p)
		if (err == nil) != (v == policy.Pass) {
			t.Errorf("%v: %v", v, err)
		}
		if n := carried(w); n != 1 {
			t.Errorf("%v: %d effects", v, n)
		}
	}
}
