// Package userlogout holds the stage that ends the session. The rest of the
// flow goes on in the anonymous session that follows.
package userlogout

import (
	"context"

	"github.com/weir-id/weir/flow"
)

// Config is the configuration of a user_logout stage; there is nothing to set.
type Config struct{}

// Type returns the stage type.
func Type() flow.StageType {
	return flow.NewStageType(flow.StageType{
		Name:        "user_logout",
		Path:        "user_logout",
		Model:       "authentik_stages_user_logout.userlogoutstage",
		Component:   "ak-stage-user-logout-form",
		Label:       "User Logout Stage",
		Description: "Ends the session of the person.",
	}, func() Config { return Config{} }, effects, build)
}

func effects(Config) flow.Effects { return flow.Effects{Always: []flow.Fact{flow.FactLogout}} }

func build(string, Config) flow.Stage { return flow.Plain(logout) }

// logout works for anonymous visitors too: their session is replaced as well,
// so that what follows never runs under an old handle (rule 7).
func logout(_ context.Context, x *flow.Exec) (flow.Outcome, error) {
	out := flow.Done().Prove(flow.Proof{Fact: flow.FactLogout, User: x.RequestUser.ID, At: x.Now})
	out.Logout = true
	if x.RequestUser.Saved() {
		out = out.Record(flow.Event{Action: "logout", User: x.RequestUser})
	}
	return out, nil
}
