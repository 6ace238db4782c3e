package authenticatorduo

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/google/uuid"

	"github.com/weir-id/weir/field"
	"github.com/weir-id/weir/flow"
	"github.com/weir-id/weir/identity"
	"github.com/weir-id/weir/internal/authenticator"
	"github.com/weir-id/weir/internal/duo"
	"github.com/weir-id/weir/internal/event"
)

// deviceName is what new devices are called.
const deviceName = "Duo Authenticator"

// msgAway is shown when Duo enrols nobody.
const msgAway = "Duo cannot be set up now. Ask your administrator."

type stage struct {
	config Config
	env    Env
}

var _ flow.Stage = (*stage)(nil)

// Challenge implements flow.Stage. When the page is shown for the first time, Duo
// enrols the person.
func (s *stage) Challenge(ctx context.Context, x *flow.Exec) (flow.Outcome, error) {
	p, out, err := authenticator.Owner(ctx, x)
	if p == nil || err != nil {
		return out, err
	}
	key := pending(x.StageID, p.ID)
	e, err := key.read(x.Context)
	if err != nil {
		return flow.Outcome{}, err
	}
	if e != nil {
		return flow.Ask(challenge(x, e)), nil
	}
	if x.Passive() {
		// A page that somebody else opened enrols nobody (rule 5).
		out := flow.Ask(&Challenge{StageID: x.StageID.String()})
		out.Apply = func(context.Context, flow.Tx) error { return nil }
		return out, nil
	}
	made := x.Once("enrol at "+string(key), func() any {
		e, err := s.env.auth(&s.config).Enrol(ctx, p.Username)
		return enrolled{e, err}
	}).(enrolled)
	if made.err != nil && ctx.Err() != nil {
		return flow.Outcome{}, made.err
	}
	if made.err != nil {
		return flow.Deny(msgAway).Record(failed(x, p, "A person cannot be enrolled at Duo", made.err)), nil
	}
	if err := key.keep(x.Context, made.at); err != nil {
		return flow.Outcome{}, err
	}
	return flow.Ask(challenge(x, made.at)), nil
}

// enrolled is what became of an enrolment.
type enrolled struct {
	at  *duo.Enrolment
	err error
}

func challenge(x *flow.Exec, e *duo.Enrolment) *Challenge {
	return &Challenge{Barcode: e.Barcode, Code: e.Code, StageID: x.StageID.String()}
}

// Respond implements flow.Stage: Duo is asked whether it knows the phone. What the
// client says or has been told does not count (rule 2).
func (s *stage) Respond(ctx context.Context, x *flow.Exec, r flow.Response) (flow.Outcome, error) {
	p, out, err := authenticator.Owner(ctx, x)
	if p == nil || err != nil {
		return out, err
	}
	var a answer
	if errs := r.Decode(&a); errs != nil {
		return flow.AskAgain(errs), nil
	}
	key := pending(x.StageID, p.ID)
	e, err := key.read(x.Context)
	if err != nil {
		return flow.Outcome{}, err
	}
	if e == nil {
		return again("duo.error.waiting", msgWaiting), nil
	}
	status, err := s.env.auth(&s.config).Status(ctx, e)
	switch {
	case err != nil && ctx.Err() != nil:
		return flow.Outcome{}, err
	case err != nil:
		return again("duo.error.away", "Duo does not answer now. Try again in a moment.").Record(failed(x, p, "Duo cannot be asked about an enrolment", err)), nil
	case status == duo.Waiting:
		return again("duo.error.waiting", msgWaiting), nil
	case status != duo.Success:
		key.forget(x.Context)
		return again("duo.error.expired", "That code is no use any more. Scan the new one."), nil
	}
	key.forget(x.Context)
	d := &authenticator.Device{User: p.ID, Class: kindType.Class, Name: deviceName, Stage: x.StageID, Confirmed: true, Handle: e.UserID}
	return s.env.Devices.Enrol(flow.Done(), kindType, d), nil
}

const msgWaiting = "Duo does not know your phone yet. Finish in the app, then press the button again."

func again(id, text string) flow.Outcome {
	return flow.AskAgain(field.Errors{field.NonField: {{Code: field.CodeInvalid, Message: id, String: text}}})
}

// failed is the event of a call that went wrong.
func failed(x *flow.Exec, p *identity.Person, what string, err error) flow.Event {
	return flow.Event{Action: string(event.ConfigurationError), User: p, Context: map[string]any{"message": what + ": " + err.Error(), "stage": x.Stage()}}
}

// pendingKey is where the plan, which is stored sealed, keeps the enrolment of one
// stage and person (rule 3).
type pendingKey flow.Key[string]

func pending(stage uuid.UUID, user int64) pendingKey {
	return pendingKey(fmt.Sprintf("weir_duo_secret_%s_%d", stage, user))
}

// read returns the enrolment; nil when there is none yet.
func (k pendingKey) read(c *flow.Context) (*duo.Enrolment, error) {
	text, ok := flow.Key[string](k).Get(c)
	if !ok {
		return nil, nil
	}
	var e duo.Enrolment
	if err := json.Unmarshal([]byte(text), &e); err != nil {
		return nil, fmt.Errorf("the plan holds an enrolment that is none: %w", err)
	}
	return &e, nil
}

func (k pendingKey) keep(c *flow.Context, e *duo.Enrolment) error {
	text, err := json.Marshal(e)
	if err != nil {
		return fmt.Errorf("encode enrolment: %w", err)
	}
	flow.Key[string](k).Set(c, string(text))
	return nil
}

func (k pendingKey) forget(c *flow.Context) { flow.Key[string](k).Delete(c) }
