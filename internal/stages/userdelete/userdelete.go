// Package userdelete holds the stage that deletes the account of the person. It
// asks nothing: a form or a consent before it does.
package userdelete

import (
	"context"
	"fmt"

	"github.com/weir-id/weir/flow"
	"github.com/weir-id/weir/identity"
	"github.com/weir-id/weir/policy"
)

// Cause is what led to a deletion, for events.
type Cause struct {
	HTTP  *policy.HTTPRequest
	Brand *flow.Brand
	// Flow is the slug of the flow.
	Flow string
}

// Accounts deletes users.
type Accounts interface {
	// RemoveUser deletes a user, and what refers to them, in the transaction of
	// the step.
	RemoveUser(ctx context.Context, tx flow.Tx, p *identity.Person, c Cause) error
}

// Config is the configuration of a user delete stage; there is nothing to set.
type Config struct{}

// Type returns the stage type.
func Type(accounts Accounts) flow.StageType {
	return flow.NewStageType(flow.StageType{
		Name:        "user_delete",
		Path:        "user_delete",
		Model:       "authentik_stages_user_delete.userdeletestage",
		Component:   "ak-stage-user-delete-form",
		Label:       "User Delete Stage",
		Description: "Deletes the account of the person.",
	}, func() Config { return Config{} }, func(Config) flow.Effects {
		return flow.Effects{Needs: []flow.Fact{flow.FactPerson}, Always: []flow.Fact{flow.FactLogout}, Supplies: []flow.Fact{flow.FactDeleted}}
	}, func(string, Config) flow.Stage { return flow.Plain((&stage{accounts}).remove) })
}

type stage struct{ accounts Accounts }

// msgNobody is for visitors.
const msgNobody = "There is no account to delete. Sign in first."

// remove deletes the pending user, or the one of the session. The session ends
// with the account.
func (s *stage) remove(ctx context.Context, x *flow.Exec) (flow.Outcome, error) {
	p, err := x.PendingUser(ctx)
	if err != nil {
		return flow.Outcome{}, err
	}
	if !p.Saved() {
		return flow.Deny(msgNobody), nil
	}
	// Inside the transaction nothing else can be read.
	if _, err := p.Groups(ctx); err != nil {
		return flow.Outcome{}, fmt.Errorf("read groups: %w", err)
	}
	r, err := x.PolicyRequest(ctx)
	if err != nil {
		return flow.Outcome{}, err
	}
	cause := Cause{r.HTTP, x.Brand, x.Flow.Slug}
	flow.KeyPendingUser.Delete(x.Context)
	out := flow.Done().Prove(flow.Proof{Fact: flow.FactLogout, User: x.RequestUser.ID, At: x.Now})
	out.Logout = true
	if x.RequestUser.Saved() {
		out = out.Record(flow.Event{Action: "logout", User: x.RequestUser})
	}
	out.Apply = func(ctx context.Context, tx flow.Tx) error { return s.accounts.RemoveUser(ctx, tx, p, cause) }
	return out, nil
}
