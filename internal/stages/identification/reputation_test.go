package identification_test

import (
	"slices"
	"testing"

	"github.com/weir-id/weir/flow"
	"github.com/weir-id/weir/internal/stages/identification"
)

// TestUnknownNamesLoseReputation: a name that nobody has is told of with the step
// that refuses it, and with it alone.
func TestUnknownNamesLoseReputation(t *testing.T) {
	strict := func(c *identification.Config) { c.PretendUserExists = false }
	for _, row := range []struct {
		name   string
		change func(*identification.Config)
		embed  bool
		action flow.InvalidResponseAction
		body   map[string]any
		want   []string
	}{
		{"an unknown name that is refused", strict, false, flow.Retry, map[string]any{"uid_field": "bob"}, []string{"bob"}},
		{"the same where the flow restarts", strict, false, flow.Restart, map[string]any{"uid_field": "bob"}, []string{"bob"}},
		{"the same with a password", nil, true, flow.Retry, map[string]any{"uid_field": "bob", "password": "wrong"}, []string{"bob"}},
		{"a known one with a wrong password has its event", nil, true, flow.Retry, map[string]any{"uid_field": "ann", "password": "wrong"}, nil},
		{"a known one", strict, false, flow.Retry, map[string]any{"uid_field": "ann"}, nil},
		{"a pretended one", nil, false, flow.Retry, map[string]any{"uid_field": "bob"}, nil},
		{"nothing typed", strict, false, flow.Retry, map[string]any{}, nil},
	} {
		t.Run(row.name, func(t *testing.T) {
			fx := newFixture(t, row.change)
			if row.embed {
				fx.embed(false)
			}
			other := fx.AddFlow("other", nil)
			fx.Bind(other, fx.stage, func(b *flow.Binding) { b.InvalidResponseAction = row.action })
			fx.browser.Answer(t, "other", "", row.body)
			if !slices.Equal(fx.users.unknown, row.want) {
				t.Errorf("told of %q, want %q", fx.users.unknown, row.want)
			}
		})
	}
}
