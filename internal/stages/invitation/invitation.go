// Package invitation holds the stage that lets people in who have an
// invitation, and fills in what it brings.
package invitation

import (
	"context"
	"encoding/hex"
	"fmt"
	"maps"

	"github.com/google/uuid"

	"github.com/weir-id/weir/flow"
	"github.com/weir-id/weir/internal/event"
	store "github.com/weir-id/weir/internal/invitation"
)

// Invitations knows the invitations.
type Invitations interface {
	// Valid returns the invitation with an id if it holds now, else nil.
	Valid(ctx context.Context, id uuid.UUID) (*store.Invitation, error)
	// Consume uses an invitation up in the transaction of a step; a
	// *flow.Refusal when it no longer holds.
	Consume(ctx context.Context, tx flow.Tx, id uuid.UUID) error
}

// Consumed is the kind of what plans of this stage use up.
const Consumed = "invitation"

// What the stage leaves in the context.
const (
	keyInEffect   = flow.Key[bool]("invitation_in_effect")
	keyInvitation = flow.Key[*flow.Ref]("invitation")
)

// Config is the configuration of an invitation stage.
type Config struct {
	// ContinueFlowWithoutInvitation lets people without a valid invitation go
	// on; by default they are denied.
	ContinueFlowWithoutInvitation bool `json:"continue_flow_without_invitation"`
}

// Type returns the stage type.
func Type(invitations Invitations) flow.StageType {
	return flow.NewStageType(flow.StageType{
		Name:        "invitation",
		Path:        "invitation/stages",
		Model:       "authentik_stages_invitation.invitationstage",
		Component:   "ak-stage-invitation-form",
		Label:       "Invitation Stage",
		Filters:     []string{"continue_flow_without_invitation", "no_flows", "stage_uuid"},
		Description: "Lets people in who have an invitation.",
	}, func() Config { return Config{} }, func(Config) flow.Effects { return flow.Effects{Sometimes: []flow.Fact{flow.FactData}} },
		func(_ string, c Config) flow.Stage { return flow.Plain((&stage{c, invitations}).check) })
}

type stage struct {
	config      Config
	invitations Invitations
}

const msgInvalid = "This invitation has been used, has ended or was never valid. Ask for a new one."

// check looks for the invitation. One for a single use is used up with the
// first step after it that makes an account or signs somebody in, so that a
// form that nobody finishes does not cost it.
func (s *stage) check(ctx context.Context, x *flow.Exec) (flow.Outcome, error) {
	i, err := s.find(ctx, x)
	if err != nil {
		return flow.Outcome{}, err
	}
	if i == nil {
		if s.config.ContinueFlowWithoutInvitation {
			return flow.Skip(), nil
		}
		return flow.Deny(msgInvalid), nil
	}
	keyInEffect.Set(x.Context, true)
	keyInvitation.Set(x.Context, &flow.Ref{Kind: "invitation", ID: i.ID, Name: i.Name})
	known, _ := flow.KeyPromptData.Get(x.Context)
	flow.KeyPromptData.Set(x.Context, merge(known, i.FixedData))
	if i.SingleUse {
		x.Consume(Consumed, i.ID)
	}
	return flow.Done().Record(flow.Event{Action: string(event.InvitationUsed), Context: map[string]any{"invitation_uuid": hex.EncodeToString(i.ID[:])}}), nil
}

func (s *stage) find(ctx context.Context, x *flow.Exec) (*store.Invitation, error) {
	id, err := uuid.Parse(token(x))
	if err != nil {
		return nil, nil // no token, or one that nothing can have
	}
	i, err := s.invitations.Valid(ctx, id)
	if err != nil {
		return nil, fmt.Errorf("look for invitation: %w", err)
	}
	if i == nil || i.Flow != nil && *i.Flow != x.Flow.ID {
		return nil, nil
	}
	return i, nil
}

// token is what came with the link, or what a form before asked for.
func token(x *flow.Exec) string {
	for _, name := range []string{"itoken", "token"} {
		if v := x.Query().Get(name); v != "" {
			return v
		}
	}
	data, _ := flow.KeyPromptData.Get(x.Context)
	typed, _ := data["token"].(string)
	return typed
}

// merge puts more into a copy of base: objects into objects, lists behind
// lists, everything else in its place.
func merge(base, more map[string]any) map[string]any {
	out := maps.Clone(base)
	if out == nil {
		out = map[string]any{}
	}
	for key, v := range more {
		switch v := v.(type) {
		case map[string]any:
			if inner, ok := out[key].(map[string]any); ok {
				out[key] = merge(inner, v)
				continue
			}
		case []any:
			if list, ok := out[key].([]any); ok {
				out[key] = append(append([]any{}, list...), v...)
				continue
			}
		}
		out[key] = v
	}
	return out
}
