// Package accountlockdown holds the stage that shuts an account at once, for
// example because somebody else may have got hold of it. It asks nothing: a form
// or a consent before it does.
package accountlockdown

import (
	"context"

	"github.com/google/uuid"

	"github.com/weir-id/weir/flow"
	"github.com/weir-id/weir/identity"
	"github.com/weir-id/weir/internal/directory"
)

// Accounts stores users.
type Accounts interface {
	// WriteUser changes a user in the transaction of the step.
	WriteUser(ctx context.Context, tx flow.Tx, u identity.User, c directory.Change) (identity.User, error)
}

// Sessions ends sessions.
type Sessions interface {
	// EndOthers ends the sessions of a user but the one with the key, all of
	// them when the key is empty.
	EndOthers(ctx context.Context, tx flow.Tx, user int64, key string) error
}

// Tokens revokes tokens.
type Tokens interface {
	// DeleteOf deletes the tokens of a user, whatever they are for.
	DeleteOf(ctx context.Context, tx flow.Tx, user int64) error
}

// Config is the configuration of an account lockdown stage.
type Config struct {
	DeactivateUser      bool `json:"deactivate_user"`
	SetUnusablePassword bool `json:"set_unusable_password"`
	// DeleteSessions ends all sessions of the person, also the one that runs the
	// flow where people lock their own account.
	DeleteSessions bool `json:"delete_sessions"`
	RevokeTokens   bool `json:"revoke_tokens"`
	// CompletionFlow is where people go on who have locked their own account and
	// are signed out by it; it should be open to everybody.
	CompletionFlow *uuid.UUID `json:"self_service_completion_flow" field:"null,ref=flow"`
}

// Type returns the stage type.
func Type(accounts Accounts, sessions Sessions, tokens Tokens) flow.StageType {
	return flow.NewStageType(flow.StageType{
		Name:        "account_lockdown",
		Path:        "account_lockdown",
		Model:       "authentik_stages_account_lockdown.accountlockdownstage",
		Component:   "ak-stage-account-lockdown-form",
		Label:       "Account Lockdown Stage",
		Description: "Shuts the account of the person, with sessions and tokens.",
	}, func() Config {
		return Config{DeactivateUser: true, SetUnusablePassword: true, DeleteSessions: true, RevokeTokens: true}
	}, effects, func(_ string, c Config) flow.Stage {
		return flow.Plain((&stage{c, accounts, sessions, tokens}).lock)
	})
}

// effects tell that only people who lock their own account are signed out.
func effects(c Config) flow.Effects {
	e := flow.Effects{Needs: []flow.Fact{flow.FactUser}}
	if c.DeleteSessions {
		e.Sometimes = []flow.Fact{flow.FactLogout}
	}
	return e
}
