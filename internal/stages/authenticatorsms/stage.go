package authenticatorsms

import (
	"context"
	"errors"
	"fmt"

	"github.com/weir-id/weir/field"
	"github.com/weir-id/weir/flow"
	"github.com/weir-id/weir/identity"
	"github.com/weir-id/weir/internal/authenticator"
)

type stage struct {
	config Config
	env    Env
}

var _ flow.Stage = (*stage)(nil)

// The ids of texts.
const (
	textNumber = "phone.error.number"
	textOther  = "phone.other"
)

// Challenge implements flow.Stage. When the page is shown for the first time, a code
// is sent to the number of the plan.
func (s *stage) Challenge(ctx context.Context, x *flow.Exec) (flow.Outcome, error) {
	p, out, err := authenticator.Owner(ctx, x)
	if p == nil || err != nil {
		return out, err
	}
	d, err := authenticator.ReadPending(x, kindType.Class, p)
	if err != nil {
		return flow.Outcome{}, err
	}
	if d != nil {
		return flow.Ask(challenge(d)), nil
	}
	d = &authenticator.Pending{To: prompted(x)}
	if d.To == "" {
		return flow.Ask(challenge(d)), nil
	}
	if x.Passive() {
		// A page that somebody else opened sends nothing (rule 5).
		out := flow.Ask(challenge(d))
		out.Apply = func(context.Context, flow.Tx) error { return nil }
		return out, nil
	}
	problem, events, err := s.send(ctx, x, p, d)
	if err != nil {
		return flow.Outcome{}, err
	}
	if problem != nil {
		// The person may know a better one.
		d = &authenticator.Pending{}
		if err := d.Keep(x, kindType.Class, p); err != nil {
			return flow.Outcome{}, err
		}
	}
	c := challenge(d)
	c.Problem = problem
	return flow.Ask(c).Record(events...), nil
}

func challenge(d *authenticator.Pending) *Challenge {
	if d.To == "" {
		return &Challenge{Required: true}
	}
	return &Challenge{Target: mask(d.To), Typed: d.Typed}
}

// prompted is the number of the plan.
func prompted(x *flow.Exec) string {
	data, _ := flow.KeyPromptData.Get(x.Context)
	number, _ := data["phone"].(string)
	return canonical(number)
}

// Respond implements flow.Stage.
func (s *stage) Respond(ctx context.Context, x *flow.Exec, r flow.Response) (flow.Outcome, error) {
	p, out, err := authenticator.Owner(ctx, x)
	if p == nil || err != nil {
		return out, err
	}
	var a answer
	if errs := r.Decode(&a); errs != nil {
		return flow.AskAgain(errs), nil
	}
	d, err := authenticator.ReadPending(x, kindType.Class, p)
	if err != nil {
		return flow.Outcome{}, err
	}
	if d == nil {
		d = &authenticator.Pending{To: prompted(x)}
	}
	switch {
	case a.Code != "":
		return s.confirm(ctx, x, p, d, a.Code)
	case a.Number != nil && (d.To == "" || d.Typed):
		if d.Typed && *a.Number == "" {
			return flow.AskAgain(wrong(field.NonField, textOther, "Enter another number.")), (&authenticator.Pending{}).Keep(x, kindType.Class, p)
		}
		return s.typed(ctx, x, p, d, *a.Number)
	case a.Number != nil && *a.Number != "" && canonical(*a.Number) != d.To:
		// Where codes go to is known already (rule 25).
		return flow.AskAgain(wrong("phone_number", "phone.error.known", "The code is sent to the number that you gave before.")), nil
	case d.To == "":
		return flow.AskAgain(wrong("phone_number", textNumber, msgNumber)), nil
	}
	return s.deliver(ctx, x, p, d, field.Errors{field.NonField: {authenticator.Again()}})
}

const msgNumber = "Enter a number with its country code, like +49 171 1234567."

func wrong(name, id, text string) field.Errors {
	return field.Errors{name: {{Code: field.CodeInvalid, Message: id, String: text}}}
}

// typed sends a code to a number that the person has typed.
func (s *stage) typed(ctx context.Context, x *flow.Exec, p *identity.Person, d *authenticator.Pending, number string) (flow.Outcome, error) {
	to := canonical(number)
	if to == "" {
		return flow.AskAgain(wrong("phone_number", textNumber, msgNumber)), nil
	}
	// That somebody else has the number is told only to whoever holds the phone.
	known, err := s.env.Devices.ByHandle(ctx, kindType.Class, handle(x.StageID, to))
	if err != nil {
		return flow.Outcome{}, fmt.Errorf("look a number up: %w", err)
	}
	if known != nil && known.User == p.ID {
		return flow.AskAgain(wrong("phone_number", "phone.error.taken", "You use this number already. Enter another one.")), nil
	}
	if to != d.To {
		d = &authenticator.Pending{To: to, Typed: true}
	}
	return s.deliver(ctx, x, p, d, nil)
}

// deliver sends a code; told is what is said when it is on its way.
func (s *stage) deliver(ctx context.Context, x *flow.Exec, p *identity.Person, d *authenticator.Pending, told field.Errors) (flow.Outcome, error) {
	problem, events, err := s.send(ctx, x, p, d)
	if err != nil {
		return flow.Outcome{}, err
	}
	if problem != nil {
		told = field.Errors{field.NonField: {*problem}}
	}
	return flow.AskAgain(told).Record(events...), nil
}

// send sends a code and keeps the device to be. A problem leaves the plan as it was.
func (s *stage) send(ctx context.Context, x *flow.Exec, p *identity.Person, d *authenticator.Pending) (*field.Error, []flow.Event, error) {
	d.Refresh(x.Now, lasts)
	if err := s.env.send(ctx, &s.config, newMessage(x, p, d.To, x.StageName, d.Code)); err != nil {
		problem, other := authenticator.Unsent(err)
		return problem, failed(x, x.Stage(), err), other
	}
	return nil, nil, d.Keep(x, kindType.Class, p)
}

// confirm ends the stage for whoever has read the message.
func (s *stage) confirm(ctx context.Context, x *flow.Exec, p *identity.Person, d *authenticator.Pending, typed string) (flow.Outcome, error) {
	ok, err := d.Confirm(ctx, x, kindType.Class, p, typed)
	if err != nil {
		return flow.Outcome{}, err
	}
	if !ok {
		return flow.AskAgain(field.Errors{field.NonField: {d.Wrong()}}), nil
	}
	kept := authenticator.Receiver{To: d.To}
	if s.config.VerifyOnly {
		kept.To = hash(d.To)
	}
	device := &authenticator.Device{User: p.ID, Class: kindType.Class, Name: deviceName, Stage: x.StageID, Confirmed: true, Handle: handle(x.StageID, d.To)}
	if err := errors.Join(device.Write(kept), (*authenticator.Pending)(nil).Keep(x, kindType.Class, p)); err != nil {
		return flow.Outcome{}, err
	}
	return s.env.Devices.Enrol(flow.Done(), kindType, device), nil
}
