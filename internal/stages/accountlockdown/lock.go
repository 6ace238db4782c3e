package accountlockdown

import (
	"context"

	"github.com/weir-id/weir/flow"
	"github.com/weir-id/weir/identity"
	"github.com/weir-id/weir/internal/directory"
	"github.com/weir-id/weir/internal/directory/password"
	"github.com/weir-id/weir/internal/event"
)

// What policies and other stages put into the context for this one, and what it
// leaves there.
const (
	keyTargets     = "lockdown_target_users"
	keyReason      = flow.Key[string]("lockdown_reason")
	keySelfService = flow.Key[bool]("lockdown_self_service")
	keyResult      = flow.Key[map[string]any]("lockdown_result")
)

// What people are told.
const (
	msgNobody    = "There is no account to lock. Sign in first."
	msgStronger  = "You cannot lock this account. Ask an administrator."
	msgLocked    = "Your account is locked and you are signed out everywhere. Ask your administrator to get it back."
	msgSignedOut = "You are signed out everywhere."
)

type stage struct {
	config   Config
	accounts Accounts
	sessions Sessions
	tokens   Tokens
}

// lock shuts the account that the plan names, else that of the session; nothing
// of the request itself chooses it (rule 25). All of it happens in the transaction
// of the step, or nothing does.
func (s *stage) lock(ctx context.Context, x *flow.Exec) (flow.Outcome, error) {
	p, err := target(ctx, x)
	if err != nil {
		return flow.Outcome{}, err
	}
	// Accounts of outposts are the program's own (rule 37).
	if !p.Saved() || p.Type == identity.InternalServiceAccount {
		return flow.Deny(msgNobody), nil
	}
	flagged, _ := keySelfService.Get(x.Context)
	self := flagged || p.ID == x.RequestUser.ID
	if ok, err := may(ctx, x.RequestUser, p); err != nil || !self && !ok {
		return flow.Deny(msgStronger), err
	}
	keyResult.Set(x.Context, map[string]any{"user": p.Username, "success": true, "error": nil})
	out := flow.Done().Record(s.events(x, p, self)...)
	out.Apply = func(ctx context.Context, tx flow.Tx) error { return s.apply(ctx, tx, p) }
	if !self || !s.config.DeleteSessions {
		return out, nil
	}
	out = out.Prove(flow.Proof{Fact: flow.FactLogout, User: x.RequestUser.ID, At: x.Now})
	out.Logout = true
	if x.RequestUser.Saved() {
		out = out.Record(flow.Event{Action: string(event.Logout), User: x.RequestUser})
	}
	return out, s.leave(x)
}

// may tells whether somebody may lock another's account: a superuser's only as a
// superuser, as in the API (rule 46).
func may(ctx context.Context, by, p *identity.Person) (bool, error) {
	super, err := p.Superuser(ctx)
	if err != nil || !super {
		return err == nil, err
	}
	return by.Superuser(ctx)
}

// target is whom the plan is about. A list of targets that names nobody does not
// make somebody else the target.
func target(ctx context.Context, x *flow.Exec) (*identity.Person, error) {
	named, given := x.Context.Value(keyTargets)
	if !given {
		return x.PendingUser(ctx)
	}
	if list, ok := named.([]any); ok && len(list) > 0 {
		named = list[0]
	}
	if ref, ok := named.(*flow.PersonRef); ok && ref != nil {
		return x.Person(ctx, ref)
	}
	return &identity.Person{}, nil
}

// leave ends the flow behind the stage, in the session of nobody that follows:
// at the completion flow, or with a message.
func (s *stage) leave(x *flow.Exec) error {
	if to := s.config.CompletionFlow; to != nil {
		if _, ok := x.Catalog.Flow(*to); ok {
			return x.InsertInline("redirect", "completion", map[string]any{"mode": "flow", "target_flow": to, "keep_context": false})
		}
	}
	message := msgLocked
	if !s.config.DeactivateUser && !s.config.SetUnusablePassword {
		message = msgSignedOut
	}
	return x.InsertInline("deny", "locked", map[string]any{"deny_message": message})
}

func (s *stage) apply(ctx context.Context, tx flow.Tx, p *identity.Person) error {
	c := directory.Change{Edit: func(u *identity.User) { u.Active = u.Active && !s.config.DeactivateUser }}
	if s.config.SetUnusablePassword {
		c.Hash = password.Unusable
	}
	saved, err := s.accounts.WriteUser(ctx, tx, p.User, c)
	if err != nil {
		return err
	}
	if s.config.DeleteSessions {
		if err := s.sessions.EndOthers(ctx, tx, p.ID, ""); err != nil {
			return err
		}
	}
	if s.config.RevokeTokens {
		if err := s.tokens.DeleteOf(ctx, tx, p.ID); err != nil {
			return err
		}
	}
	p.User = saved
	return nil
}

// events tell what was done to whom, and why.
func (s *stage) events(x *flow.Exec, p *identity.Person, self bool) []flow.Event {
	out := []flow.Event{{Action: string(event.UserWrite), User: p, Context: map[string]any{
		"action_id": "account_lockdown", "affected_user": p.Username, "reason": reason(x), "self_service": self, "created": false,
		"deactivate_user": s.config.DeactivateUser, "set_unusable_password": s.config.SetUnusablePassword,
		"delete_sessions": s.config.DeleteSessions, "revoke_tokens": s.config.RevokeTokens,
	}}}
	if s.config.SetUnusablePassword {
		out = append(out, flow.Event{Action: string(event.PasswordSet), User: p, Context: map[string]any{"usable": false}})
	}
	return out
}

// reason is what a form asked for, else what a policy says, else empty.
func reason(x *flow.Exec) string {
	if data, ok := flow.KeyPromptData.Get(x.Context); ok {
		if typed, ok := data["reason"].(string); ok && typed != "" {
			return typed
		}
	}
	given, _ := keyReason.Get(x.Context)
	return given
}
