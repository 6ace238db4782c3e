package deny_test

import (
	"context"
	"testing"

	"github.com/weir-id/weir/flow/flowtest"
	"github.com/weir-id/weir/internal/stages/deny"
	"github.com/weir-id/weir/policy"
)

func TestDeny(t *testing.T) {
	for _, row := range []struct {
		name    string
		message string
		// written is what a policy puts into the context; nil for nothing.
		written map[string]any
		want    string
	}{
		{"without a message nothing is explained", "", nil, "denied: Unknown error"},
		{"the configured message is shown", "Not today", nil, "denied: Not today"},
		{"a message from the context replaces it", "Not today", map[string]any{"deny_message": "Never"}, "denied: Never"},
		{"an empty message from the context replaces it too", "Not today", map[string]any{"deny_message": ""}, "denied: Unknown error"},
		{"a null from the context replaces it too", "Not today", map[string]any{"deny_message": nil}, "denied: Unknown error"},
		{"a number from the context is shown as text", "", map[string]any{"deny_message": int64(42)}, "denied: 42"},
	} {
		t.Run(row.name, func(t *testing.T) {
			w := flowtest.New(t, deny.Type())
			f := w.AddFlow("f", nil)
			b := w.Bind(f, w.AddStage("deny", "stop", &deny.Config{DenyMessage: row.message}), nil)
			if row.written != nil {
				w.BindPolicy(b.ID, writes(row.written), nil)
			}
			if got := flowtest.Describe(w.NewBrowser().Get(t, "f", "")); got != row.want {
				t.Errorf("GET: %s, want %s", got, row.want)
			}
			if got := flowtest.Describe(w.NewBrowser().Post(t, "f", "", map[string]any{"x": "y"})); got != row.want {
				t.Errorf("POST: %s, want %s", got, row.want)
			}
		})
	}
}

// writes passes and sets keys of the context.
func writes(set map[string]any) policy.Policy {
	return policy.Func(func(context.Context, *policy.Request) (policy.Result, error) {
		return policy.Result{Verdict: policy.Pass, Writes: policy.Writes{Set: set}}, nil
	})
}
