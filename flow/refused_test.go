package flow_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/weir-id/weir/field"
	"github.com/weir-id/weir/flow"
	"github.com/weir-id/weir/flow/flowtest"
)

// counting refuses every answer, and counts them in the step's transaction.
type counting struct {
	again bool
	n     *int
}

func (counting) Challenge(context.Context, *flow.Exec) (flow.Outcome, error) {
	return flow.Ask(&question{}), nil
}

func (c counting) Respond(context.Context, *flow.Exec, flow.Response) (flow.Outcome, error) {
	out := flow.Deny("no")
	if c.again {
		out = flow.AskAgain(field.Errorf("x", field.CodeInvalid, "No."))
	}
	out.Apply = func(context.Context, flow.Tx) error { *c.n++; return nil }
	return out, nil
}

// TestARefusedAnswerHasItsEffectOnce, however the step ends, and without an
// execution where nothing else is to be remembered.
func TestARefusedAnswerHasItsEffectOnce(t *testing.T) {
	for _, again := range []bool{true, false} {
		for _, action := range []flow.InvalidResponseAction{flow.Retry, flow.Restart, flow.RestartWithContext} {
			t.Run(fmt.Sprint(again, " ", action), func(t *testing.T) {
				n := 0
				w := flowtest.New(t, stageType("counting", flow.Effects{}, counting{again, &n}))
				f := w.AddFlow("f", nil)
				w.Bind(f, w.AddStage("counting", "counting", nil), func(b *flow.Binding) { b.InvalidResponseAction = action })
				b := w.NewBrowser()
				b.Get(t, "f", "")
				if n != 0 || len(w.Store.Commits) != 0 {
					t.Fatal("a look was written down")
				}
				r := b.Post(t, "f", "", map[string]any{})
				if n != 1 || len(w.Store.Commits) != 1 {
					t.Errorf("%s: %d effects in %d commits", flowtest.Describe(r), n, len(w.Store.Commits))
				}
			})
		}
	}
}
