package authenticatorvalidate

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/weir-id/weir/field"
	"github.com/weir-id/weir/flow"
	"github.com/weir-id/weir/internal/authenticator"
	"github.com/weir-id/weir/internal/guard"
)

// answer is what clients send; every part is optional.
type answer struct {
	SelectedChallenge *selected      `json:"selected_challenge"`
	SelectedStage     string         `json:"selected_stage"`
	Code              string         `json:"code"`
	WebAuthn          map[string]any `json:"webauthn"`
	Duo               int64          `json:"duo"`
}

// own are the parts that kinds judge themselves, by their keys.
func (a *answer) own() map[string]any { return map[string]any{"webauthn": a.WebAuthn, "duo": a.Duo} }

// selected names one of the offered devices.
type selected struct {
	Class Class  `json:"device_class" field:"required"`
	UID   string `json:"device_uid" field:"required"`
}

// check refuses the parts of an answer that nothing offered can take.
func (a *answer) check(r flow.Response, c *Challenge) field.Errors {
	var errs field.Errors
	if s := a.SelectedChallenge; s != nil && c.selected(s) == nil {
		errs = errs.Add("selected_challenge", refused("Choose one of the offered devices.", "validate.error.stage"))
	}
	none := refused("No device of this kind is offered.", "")
	if _, given := r.Data["code"]; given && len(c.coders()) == 0 {
		errs = errs.Add("code", none)
	}
	for key := range a.own() {
		if _, given := r.Data[key]; given && c.answerer(key) == nil {
			errs = errs.Add(key, none)
		}
	}
	return errs
}

func refused(text, id string) field.Error {
	return field.Error{Code: field.CodeInvalid, String: text, Message: id}
}

func (c *Challenge) selected(s *selected) *offered {
	i := slices.IndexFunc(c.offers, func(o offered) bool { return o.Class == s.Class && o.UID == s.UID })
	if i < 0 {
		return nil
	}
	return &c.offers[i]
}

// answerer is the offer of a kind that judges the key; nil for none.
func (c *Challenge) answerer(key string) *offered {
	i := slices.IndexFunc(c.offers, func(o offered) bool {
		k, ok := o.kind.(authenticator.Answerer)
		return ok && k.Key() == key
	})
	if i < 0 {
		return nil
	}
	return &c.offers[i]
}

// coders are the kinds that take codes, by class, of the devices that are offered.
func (c *Challenge) coders() map[string]authenticator.Coder {
	out := map[string]authenticator.Coder{}
	for _, o := range c.offers {
		if k, ok := o.kind.(authenticator.Coder); ok {
			out[string(o.Class)] = k
		}
	}
	return out
}

// take judges an answer whose parts are all offered.
func (s *stage) take(ctx context.Context, x *flow.Exec, r flow.Response, a *answer, c *Challenge) (flow.Outcome, error) {
	if a.Code != "" {
		return s.code(ctx, x, a.Code, c)
	}
	for key, value := range a.own() {
		if _, given := r.Data[key]; given {
			return s.ownAnswer(ctx, x, c.answerer(key), value)
		}
	}
	if a.SelectedChallenge != nil {
		return choose(ctx, x, c.selected(a.SelectedChallenge))
	}
	return flow.AskAgain(field.Errors{field.NonField: {refused(textEmpty, "validate.error.empty")}}), nil
}

// textEmpty is what clients of the wire know and ignore.
const textEmpty = "Empty response"

// choose remembers which device the person wants to be asked for, and sends what
// it needs. It does not answer the stage.
func choose(ctx context.Context, x *flow.Exec, o *offered) (flow.Outcome, error) {
	keyChosen.Set(x.Context, o.id())
	sender, ok := o.kind.(authenticator.Sender)
	if !ok {
		return flow.AskAgain(field.Errors{field.NonField: {refused(textEmpty, TextChosen)}}), nil
	}
	if len(o.devices) == 0 {
		return flow.Outcome{}, fmt.Errorf("offer of %s has no device to send to", o.Class)
	}
	sent, err := sender.Send(ctx, o.validation, &o.devices[0])
	if err != nil {
		return flow.Outcome{}, fmt.Errorf("send to %s device: %w", o.Class, err)
	}
	problem := refused(textEmpty, TextSent)
	if sent.Problem != nil {
		problem = *sent.Problem
	}
	errs := field.Errors{field.NonField: {problem}}
	out := flow.AskAgain(errs).Record(sent.Events...)
	if sent.Apply != nil {
		// The errors are part of the answer, which is written after the transaction.
		out.Apply = func(ctx context.Context, tx flow.Tx) error {
			problem, err := sent.Apply(ctx, tx)
			if problem != nil {
				errs[field.NonField][0] = *problem
			}
			return err
		}
	}
	return out, nil
}

// The ids of what is no error to people: that a device was chosen, which pages
// show, and that something was sent to it.
const (
	TextChosen = "validate.chosen"
	TextSent   = "validate.sent"
)

// code asks all offered devices that take codes.
func (s *stage) code(ctx context.Context, x *flow.Exec, typed string, c *Challenge) (flow.Outcome, error) {
	kinds := c.coders()
	var ids []int64
	for _, o := range c.offers {
		if kinds[string(o.Class)] == nil {
			continue
		}
		for _, d := range o.devices {
			ids = append(ids, d.ID)
		}
	}
	code := authenticator.Spelled(typed)
	j, err := s.env.Devices.Judge(ctx, ids, s.config.factor, func(d *authenticator.Device, now time.Time) (bool, error) {
		if code == "" {
			return false, nil
		}
		return kinds[d.Class].Check(d, code, now)
	})
	switch {
	case err != nil:
		return flow.Outcome{}, err
	case j.Wait > 0:
		e := guard.Refusal(&guard.LimitedError{Wait: j.Wait})[field.NonField][0]
		e.Code = field.CodeInvalid
		return flow.AskAgain(field.Errors{"code": {e}}), nil
	case j.Device == nil:
		return failed(x, c.offers[0].validation, field.Errors{"code": {c.wrong()}}), nil
	}
	for _, o := range c.offers {
		if string(o.Class) == j.Device.Class {
			return s.accept(ctx, x, &o, j.Device)
		}
	}
	return flow.Outcome{}, fmt.Errorf("a %s device answered that was not offered", j.Device.Class)
}

// wrong says what to do about a wrong code, of the device that pages ask for.
func (c *Challenge) wrong() field.Error {
	if c.Chosen != nil && c.Chosen.Class == Static {
		return refused("That code did not work. Use one that you have not used before.", "validate.error.static")
	}
	if c.Chosen != nil && c.Chosen.Sends {
		return refused("That code did not work. Use the newest one that was sent to you.", "validate.error.sent")
	}
	return refused("That code did not work. Use the newest one; it changes every 30 seconds.", "validate.error.code")
}

// ownAnswer has a kind judge its answer.
func (s *stage) ownAnswer(ctx context.Context, x *flow.Exec, o *offered, value any) (flow.Outcome, error) {
	kind := o.kind.(authenticator.Answerer)
	v, err := kind.Answer(ctx, o.validation, value)
	if err != nil {
		return flow.Outcome{}, fmt.Errorf("judge answer of %s: %w", o.Class, err)
	}
	var out flow.Outcome
	switch {
	case v.Device != nil:
		out, err = s.accept(ctx, x, o, v.Device)
	default:
		errs := field.Errors{kind.Key(): {cmp.Or(deref(v.Problem), refused("That did not work. Try again, or choose another way.", "validate.error.answer"))}}
		if v.Quiet {
			out = flow.AskAgain(errs)
		} else {
			out = failed(x, o.validation, errs)
		}
	}
	out.Apply = v.Apply
	return out.Record(v.Events...), err
}

func deref(e *field.Error) field.Error {
	if e == nil {
		return field.Error{}
	}
	return *e
}

// failed refuses a wrong answer, which is recorded about the person.
func failed(x *flow.Exec, v *authenticator.Validation, errs field.Errors) flow.Outcome {
	out := flow.AskAgain(errs)
	if v.Person == nil {
		return out
	}
	return out.Record(x.LoginFailed(v.Person, nil))
}
