package authenticatoremail

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/weir-id/weir/field"
	"github.com/weir-id/weir/flow"
	"github.com/weir-id/weir/identity"
	"github.com/weir-id/weir/internal/authenticator"
	"github.com/weir-id/weir/internal/directory"
	"github.com/weir-id/weir/internal/event"
)

// What people are told.
const (
	msgNobody = "There is nobody to set this up for. Start again."
	msgOnce   = "You have set this up already."
)

type stage struct {
	config  Config
	devices Devices
	letters Letters
}

var _ flow.Stage = (*stage)(nil)

// Challenge implements flow.Stage. When the page is shown for the first time, a code
// is sent to the address that is known.
func (s *stage) Challenge(ctx context.Context, x *flow.Exec) (flow.Outcome, error) {
	p, out, err := s.owner(ctx, x)
	if p == nil || err != nil {
		return out, err
	}
	d, err := authenticator.ReadPending(x, kindType.Class, p)
	if err != nil {
		return flow.Outcome{}, err
	}
	first := d == nil
	if first {
		d = &authenticator.Pending{To: address(x, p)}
		if d.To == "" {
			return flow.Ask(&Challenge{Required: true}), nil
		}
	}
	if d.To == "" {
		return flow.Ask(&Challenge{Required: true}), nil
	}
	masked := mask(d.To)
	c := &Challenge{Email: &masked, Typed: d.Typed}
	if !first {
		return flow.Ask(c), nil
	}
	return s.send(ctx, x, p, d, flow.Ask(c), func(problem *field.Error) { c.Problem = problem })
}

// Respond implements flow.Stage.
func (s *stage) Respond(ctx context.Context, x *flow.Exec, r flow.Response) (flow.Outcome, error) {
	p, out, err := s.owner(ctx, x)
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
		d = &authenticator.Pending{To: address(x, p)}
	}
	switch {
	case a.Code != "":
		return s.confirm(ctx, x, p, d, a.Code)
	case a.Email != nil && (d.To == "" || d.Typed):
		if to := *a.Email; d.Typed && to == "" {
			// The person wants to type another one; no problem is told.
			return flow.AskAgain(field.Errors{field.NonField: {{Code: field.CodeInvalid, Message: textOther, String: "Enter another address."}}}),
				(&authenticator.Pending{}).Keep(x, kindType.Class, p)
		} else if errs, err := s.refuse(ctx, p, to); errs != nil || err != nil {
			return flow.AskAgain(errs), err
		} else if !strings.EqualFold(to, d.To) {
			d = &authenticator.Pending{To: to, Typed: true}
		}
	case a.Email != nil && *a.Email != "" && !strings.EqualFold(*a.Email, d.To):
		// Where codes go to is known already (rule 25).
		return flow.AskAgain(wrongField("email", "email_device.error.known", "The code is sent to the address of your account.")), nil
	case d.To == "":
		return flow.AskAgain(wrongField("email", textAddress, "Enter an e-mail address, like name@example.com.")), nil
	}
	errs := field.Errors{field.NonField: {authenticator.Again()}}
	return s.send(ctx, x, p, d, flow.AskAgain(errs), func(problem *field.Error) { errs[field.NonField][0] = *problem })
}

// The ids of texts.
const (
	textAddress = "email_device.error.address"
	textOther   = "email_device.other"
)

func wrongField(name, id, text string) field.Errors {
	return field.Errors{name: {{Code: field.CodeInvalid, Message: id, String: text}}}
}

// owner is who sets a mailbox up: somebody with an account, who has not done so at
// this stage. Nobody passes by, since the stage would prove nothing.
func (s *stage) owner(ctx context.Context, x *flow.Exec) (*identity.Person, flow.Outcome, error) {
	p, out, err := authenticator.Owner(ctx, x)
	if err != nil {
		return nil, out, err
	}
	if p == nil {
		return nil, flow.Deny(msgNobody), nil
	}
	owned, err := s.devices.Confirmed(ctx, p.ID)
	if err != nil {
		return nil, flow.Outcome{}, fmt.Errorf("read devices of user %d: %w", p.ID, err)
	}
	if slices.ContainsFunc(owned, func(d authenticator.Device) bool { return d.Class == kindType.Class && d.Stage == x.StageID }) {
		return nil, flow.Deny(msgOnce), nil
	}
	return p, flow.Outcome{}, nil
}

// address is where the code goes to without being asked for: that of the account, or
// else of the plan.
func address(x *flow.Exec, p *identity.Person) string {
	data, _ := flow.KeyPromptData.Get(x.Context)
	prompted, _ := data["email"].(string)
	for _, to := range []string{p.Email, prompted} {
		if directory.ValidEmail(to) {
			return to
		}
	}
	return ""
}

// refuse tells what is wrong with a typed address.
func (s *stage) refuse(ctx context.Context, p *identity.Person, to string) (field.Errors, error) {
	if !directory.ValidEmail(to) {
		return wrongField("email", textAddress, "Enter an e-mail address, like name@example.com."), nil
	}
	owned, err := s.devices.Confirmed(ctx, p.ID)
	if err != nil {
		return nil, fmt.Errorf("read devices of user %d: %w", p.ID, err)
	}
	for i := range owned {
		if owned[i].Class != kindType.Class {
			continue
		}
		k, err := authenticator.ReadReceiver(&owned[i])
		if err != nil {
			return nil, err
		}
		if strings.EqualFold(k.To, to) {
			return wrongField("email", "email_device.error.taken", "You use this address already. Enter another one."), nil
		}
	}
	return nil, nil
}

// send adds to an outcome that a code is on its way, and keeps the device to be; tell
// is called where it is not.
func (s *stage) send(ctx context.Context, x *flow.Exec, p *identity.Person, d *authenticator.Pending, out flow.Outcome, tell func(*field.Error)) (flow.Outcome, error) {
	d.Refresh(x.Now, s.config.TokenExpiry.Duration())
	if err := d.Keep(x, kindType.Class, p); err != nil {
		return flow.Outcome{}, err
	}
	send, err := s.letters.Write(ctx, s.config.letter(x, p, d.To, d.Code))
	if err != nil {
		problem, _ := authenticator.Unsent(authenticator.ErrUnsent)
		tell(problem)
		return out.Record(broken(x, err)), nil
	}
	out.Apply = func(ctx context.Context, tx flow.Tx) error {
		err := send(ctx, tx)
		if err == nil {
			return nil
		}
		problem, err := authenticator.Unsent(err)
		if problem != nil {
			tell(problem)
		}
		return err
	}
	return out, nil
}

// broken is the event of a template that does not work.
func broken(x *flow.Exec, err error) flow.Event {
	return flow.Event{Action: string(event.ConfigurationError),
		Context: map[string]any{"message": "The mail with a code cannot be written: " + err.Error(), "stage": x.Stage()}}
}

// confirm ends the stage for whoever has read the mail.
func (s *stage) confirm(ctx context.Context, x *flow.Exec, p *identity.Person, d *authenticator.Pending, typed string) (flow.Outcome, error) {
	ok, err := d.Confirm(ctx, x, kindType.Class, p, typed)
	if err != nil {
		return flow.Outcome{}, err
	}
	if !ok {
		return flow.AskAgain(field.Errors{field.NonField: {d.Wrong()}}), nil
	}
	device := &authenticator.Device{User: p.ID, Class: kindType.Class, Name: "Email Device", Stage: x.StageID, Confirmed: true,
		Handle: fmt.Sprintf("%d %s", p.ID, strings.ToLower(d.To))}
	if err := errors.Join(device.Write(authenticator.Receiver{To: d.To}), (*authenticator.Pending)(nil).Keep(x, kindType.Class, p)); err != nil {
		return flow.Outcome{}, err
	}
	return s.devices.Enrol(flow.Done(), kindType, device), nil
}
