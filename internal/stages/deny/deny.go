// Package deny holds the stage that ends a flow with a message. Bind it behind
// a policy to keep people out.
package deny

import (
	"context"
	"fmt"

	"github.com/weir-id/weir/flow"
)

// Message is the context key whose text, once a policy has set it, replaces
// the configured message, even when it is empty.
const Message = flow.Key[string]("deny_message")

// Config is the configuration of a deny stage.
type Config struct {
	// DenyMessage is shown to the person; "Unknown error" where empty.
	DenyMessage string `json:"deny_message" field:"blank"`
}

// Type returns the stage type.
func Type() flow.StageType {
	return flow.NewStageType(flow.StageType{
		Name:        "deny",
		Path:        "deny",
		Model:       "authentik_stages_deny.denystage",
		Component:   "ak-stage-deny-form",
		Label:       "Deny Stage",
		Description: "Ends the flow and shows a message.",
	}, func() Config { return Config{} }, effects, build)
}

// effects are empty: the stage is never done.
func effects(Config) flow.Effects { return flow.Effects{Denies: true} }

func build(_ string, c Config) flow.Stage {
	return flow.Plain(func(_ context.Context, x *flow.Exec) (flow.Outcome, error) {
		return flow.Deny(c.message(x.Context)), nil
	})
}

func (c Config) message(plan *flow.Context) string {
	v, set := plan.Value(string(Message))
	switch {
	case !set:
		return c.DenyMessage
	case v == nil:
		return ""
	}
	return fmt.Sprint(v)
}
