package authenticatorvalidate

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/weir-id/weir/field"
	"github.com/weir-id/weir/flow"
	"github.com/weir-id/weir/internal/authenticator"
)

// msgNone is shown to people who have no device that the stage allows.
const msgNone = "You have no authenticator that can be used here."

type stage struct {
	config Config
	env    Env
}

var _ flow.Stage = (*stage)(nil)

// Challenge implements flow.Stage.
func (s *stage) Challenge(ctx context.Context, x *flow.Exec) (flow.Outcome, error) {
	c, out, err := s.resolve(ctx, x)
	if c == nil || err != nil {
		return out, err
	}
	return flow.Ask(c), nil
}

// Respond implements flow.Stage.
func (s *stage) Respond(ctx context.Context, x *flow.Exec, r flow.Response) (flow.Outcome, error) {
	c, out, err := s.resolve(ctx, x)
	if c == nil || err != nil {
		return out, err
	}
	var a answer
	if errs := r.Decode(&a); errs != nil {
		return flow.AskAgain(errs), nil
	}
	if errs := a.check(r, c); errs != nil {
		return flow.AskAgain(errs), nil
	}
	if len(c.ConfigurationStages) > 0 && a.SelectedStage != "" {
		return s.configure(x, a.SelectedStage)
	}
	return s.take(ctx, x, r, &a, c)
}

// resolve returns what to ask, or else the outcome of a stage that asks
// nothing.
func (s *stage) resolve(ctx context.Context, x *flow.Exec) (*Challenge, flow.Outcome, error) {
	p, err := x.PendingUser(ctx)
	if errors.Is(err, flow.ErrNoPerson) {
		return nil, flow.Deny(""), nil
	}
	if err != nil {
		return nil, flow.Outcome{}, err
	}
	if !p.Saved() && p.Username == "" {
		return s.anonymous(ctx, x)
	}
	var devices []authenticator.Device
	if p.Saved() {
		if devices, err = s.env.Devices.Confirmed(ctx, p.ID); err != nil {
			return nil, flow.Outcome{}, fmt.Errorf("read devices of user %d: %w", p.ID, err)
		}
	}
	offers, err := s.offer(ctx, x, p, devices)
	switch {
	case err != nil:
		return nil, flow.Outcome{}, err
	case len(offers) == 0:
		return s.notConfigured(x)
	case s.recent(x, offers), named(x, offers):
		return nil, flow.Skip(), nil
	}
	return challenge(x, offers), flow.Outcome{}, nil
}

// anonymous decides for a visitor whom no stage has named. In a login flow, such
// a stage asks for a passkey that tells who it is; where none can be asked for, it
// denies rather than let everybody by.
func (s *stage) anonymous(ctx context.Context, x *flow.Exec) (*Challenge, flow.Outcome, error) {
	if x.Flow.Designation != flow.Authentication || !slices.Contains(s.config.DeviceClasses, WebAuthn) {
		return nil, flow.Skip(), nil
	}
	offers, err := s.offer(ctx, x, nil, nil)
	switch {
	case err != nil:
		return nil, flow.Outcome{}, err
	case len(offers) == 0:
		return nil, flow.Deny(msgNone), nil
	}
	return challenge(x, offers), flow.Outcome{}, nil
}

// notConfigured does what the configuration says for people without a device.
func (s *stage) notConfigured(x *flow.Exec) (*Challenge, flow.Outcome, error) {
	switch s.config.NotConfiguredAction {
	case Skip:
		return nil, flow.Skip(), nil
	case Configure:
	default:
		return nil, flow.Deny(msgNone), nil
	}
	stages := s.selectable(x)
	switch len(stages) {
	case 0:
		return nil, flow.Deny("").Record(flow.Event{Action: "configuration_error", App: "authentik.stages.authenticator_validate", Context: map[string]any{
			"message": "An authenticator validation stage has no stage left that sets a device up.", "stage": x.Stage()}}), nil
	case 1:
		out, err := s.configure(x, stages[0].PK.String())
		return nil, out, err
	}
	return &Challenge{DeviceChallenges: []DeviceChallenge{}, ConfigurationStages: stages}, flow.Outcome{}, nil
}

// displayed is offered by configurations that have a name of their own for people.
type displayed interface{ DisplayName() string }

// selectable lists the configuration stages that exist and can be used.
func (s *stage) selectable(x *flow.Exec) []SelectableStage {
	stages := []SelectableStage{}
	for _, id := range s.config.ConfigurationStages {
		object, ok := x.Catalog.Stage(id)
		if !ok || object.Err != nil {
			continue
		}
		item := SelectableStage{PK: id, Name: object.Name, Model: object.Type.Model,
			VerboseName: strings.TrimSpace(strings.ReplaceAll(object.Type.Label, "Setup Stage", ""))}
		if n, ok := object.Config.(displayed); ok && n.DisplayName() != "" {
			item.Name = n.DisplayName()
		}
		stages = append(stages, item)
	}
	return stages
}

// configure puts the chosen stage directly after this one, which is over: a
// person who has just set a device up is not asked for it in the same run.
func (s *stage) configure(x *flow.Exec, selected string) (flow.Outcome, error) {
	for _, item := range s.selectable(x) {
		if item.PK.String() != selected {
			continue
		}
		object, ok := x.Catalog.Stage(item.PK)
		if !ok {
			return flow.Outcome{}, fmt.Errorf("configuration stage %s does not exist", item.PK)
		}
		x.InsertStage(object)
		return flow.Skip(), nil
	}
	return flow.AskAgain(field.Errors{"selected_stage": {{Code: field.CodeInvalid,
		String: "Choose one of the offered stages.", Message: "validate.error.stage"}}}), nil
}
