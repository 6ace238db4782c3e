package authenticatorwebauthn

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"

	"github.com/weir-id/weir/field"
	"github.com/weir-id/weir/flow"
	"github.com/weir-id/weir/identity"
	"github.com/weir-id/weir/internal/authenticator"
	"github.com/weir-id/weir/internal/passkey"
)

type stage struct {
	config  Config
	devices Devices
	log     *slog.Logger
}

var _ flow.Stage = (*stage)(nil)

// Challenge implements flow.Stage.
func (s *stage) Challenge(ctx context.Context, x *flow.Exec) (flow.Outcome, error) {
	p, out, err := authenticator.Owner(ctx, x)
	if p == nil || err != nil {
		return out, err
	}
	return flow.Ask(&Challenge{Registration: passkey.At(x).Creation(owner(p), passkey.Challenge(x), s.config.wanted()), Allowed: s.config.allowed()}), nil
}

// owner is the person as the passkey knows them, and by the name that the browser
// shows.
func owner(p *identity.Person) passkey.Owner {
	return passkey.Owner{Handle: passkey.HandleOf(p.UUID), Name: p.Username, DisplayName: cmp.Or(p.Name, p.Username)}
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
	made, err := passkey.At(x).Register(owner(p), passkey.Take(x), s.config.wanted(), a.Response)
	if err != nil {
		return s.refuse(ctx, x, "That did not work. Try again.", "webauthn.error.setup", err)
	}
	if !made.OneOf(s.config.Restrictions) {
		return s.refuse(ctx, x, "This kind of passkey is not allowed here. Use one that is.", "webauthn.error.make",
			fmt.Errorf("make %s, attestation %s %s", made.AAGUID, made.Format, made.Attestation))
	}
	// Whoever made the passkey before, here or for another account.
	switch known, err := s.devices.ByHandle(ctx, kindType.Class, made.ID); {
	case err != nil:
		return flow.Outcome{}, err
	case known != nil:
		return s.refuse(ctx, x, "This passkey is registered already.", "webauthn.error.taken", errors.New("the passkey is registered already"))
	}
	name, ok := passkey.Make(made.AAGUID)
	if !ok {
		name = kindType.Label
	}
	d := &authenticator.Device{User: p.ID, Class: kindType.Class, Name: name, Stage: x.StageID, Confirmed: true, Handle: made.ID, Counter: made.Counter}
	if err := d.Write(made.Record); err != nil {
		return flow.Outcome{}, err
	}
	if err := x.ResetFailures(ctx, s.counter(x)); err != nil {
		return flow.Outcome{}, fmt.Errorf("reset count of refused passkeys: %w", err)
	}
	return s.devices.Enrol(flow.Done(), kindType, d), nil
}

// msgAttempts is shown when the flow ends because of refused passkeys.
const msgAttempts = "Too many passkeys were refused. Start again later."

// refuse counts a refused passkey and asks again, unless it was the last one.
func (s *stage) refuse(ctx context.Context, x *flow.Exec, text, id string, why error) (flow.Outcome, error) {
	s.log.InfoContext(ctx, "new passkey refused", "reason", why)
	if s.config.MaxAttempts > 0 {
		n, err := x.CountFailure(ctx, s.counter(x))
		if err != nil {
			return flow.Outcome{}, fmt.Errorf("count refused passkey: %w", err)
		}
		if n >= int(s.config.MaxAttempts) {
			if err := x.ResetFailures(ctx, s.counter(x)); err != nil {
				return flow.Outcome{}, fmt.Errorf("reset count of refused passkeys: %w", err)
			}
			return flow.Deny(msgAttempts), nil
		}
	}
	return flow.AskAgain(field.Errors{"response": {{Code: field.CodeInvalid, String: text, Message: id}}}), nil
}

// counter is the name of the count of refused passkeys.
func (s *stage) counter(x *flow.Exec) string { return "webauthn " + x.StageID.String() }
