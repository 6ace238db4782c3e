package identification

import (
	"context"
	"fmt"

	"github.com/google/uuid"

	"github.com/weir-id/weir/flow"
	"github.com/weir-id/weir/internal/flowtoken"
)

// answeredKey marks that the person typed something that was refused. From
// then on a hint only fills in the field: answering with it again would turn a
// refusal into success behind the person's back.
const answeredKey = flow.Key[bool]("goauthentik.io/stages/identification/answered")

// maxHint bounds a hint from the address, in bytes; e-mail addresses have at
// most 254.
const maxHint = 1024

type stage struct {
	config     Config
	users      Users
	reputation Reputation
}

var _ flow.Stage = (*stage)(nil)

// Challenge implements flow.Stage. A recovery link names the person already, and is
// asked nothing by a stage that asks for no more than that. A hint about who is
// coming answers a simple stage at once and fills in the field of any other.
func (s *stage) Challenge(ctx context.Context, x *flow.Exec) (flow.Outcome, error) {
	if x.Restored() == string(flowtoken.Recovery) && s.config.PasswordStage == nil && s.config.CaptchaStage == nil {
		return flow.Skip(), nil
	}
	hinted := hint(x)
	if hinted != "" && s.simple(x) {
		f, err := s.find(ctx, x, hinted, "")
		if err != nil {
			return flow.Outcome{}, err
		}
		if f.accepted {
			return s.accept(x, f), nil
		}
	}
	c, err := s.challenge(ctx, x, hinted)
	if err != nil {
		return flow.Outcome{}, err
	}
	return flow.Ask(c), nil
}

func (s *stage) challenge(ctx context.Context, x *flow.Exec, hinted string) (*Challenge, error) {
	c := &Challenge{UserFields: s.config.userFields(), PasswordFields: s.config.PasswordStage != nil,
		PendingUserIdentifier: Hint(hinted), FlowDesignation: x.Flow.Designation, PrimaryAction: "Continue",
		Sources: []Source{}, ShowSourceLabels: s.config.ShowSourceLabels, EnableRememberMe: s.config.EnableRememberMe,
		EnrollURL: link(x, s.config.EnrollmentFlow), RecoveryURL: link(x, s.config.RecoveryFlow),
		PasswordlessURL: link(x, s.config.PasswordlessFlow)}
	if x.Flow.Designation == flow.Authentication {
		c.PrimaryAction = "Log in"
	}
	if app, ok := flow.KeyApplication.Get(x.Context); ok && app != nil {
		c.ApplicationPre = app.Name
	}
	if c.PasswordFields {
		password, err := s.embedded(x)
		if err != nil {
			return nil, err
		}
		c.AllowShowPassword = password.ShowsPassword()
	}
	if s.config.CaptchaStage != nil {
		captcha, err := s.captcha(x)
		if err != nil {
			return nil, err
		}
		inner := captcha.Ask(x)
		c.Captcha = &Captcha{flow.Envelope{Component: inner.Component(), Body: inner}}
	}
	if s.config.WebAuthnStage != nil {
		passkeys, err := s.passkeys(x)
		if err != nil {
			return nil, err
		}
		if c.Passkey, err = passkeys.AskPasskey(ctx, x); err != nil {
			return nil, fmt.Errorf("embedded stage: %w", err)
		}
	}
	return c, nil
}

// hint is who is expected: whom an earlier step of the protocol named, else
// the parameter login_hint.
func hint(x *flow.Exec) string {
	typed, ok := flow.KeyPendingUserIdentifier.Get(x.Context)
	if !ok || typed == "" {
		typed = x.Query().Get("login_hint")
	}
	if len(typed) > maxHint {
		return ""
	}
	return typed
}

// simple tells whether the stage asks for nothing but a name, so that a hint
// is a whole answer.
func (s *stage) simple(x *flow.Exec) bool {
	answered, _ := answeredKey.Get(x.Context)
	return s.config.PasswordStage == nil && s.config.CaptchaStage == nil && s.config.WebAuthnStage == nil && !x.BindingPolicies && !answered
}

// embedded returns the password stage as it is configured now, captcha the
// captcha stage, passkeys the validation stage. One that cannot be used is an error, so that nobody passes
// without it.
func (s *stage) embedded(x *flow.Exec) (embedded, error) {
	object, err := part(x, *s.config.PasswordStage)
	if err != nil {
		return nil, err
	}
	password, ok := object.Config.(embedded)
	if !ok {
		return nil, fmt.Errorf("embedded stage %q does not ask for passwords", object.Name)
	}
	return password, nil
}

func (s *stage) captcha(x *flow.Exec) (captcha, error) {
	object, err := part(x, *s.config.CaptchaStage)
	if err != nil {
		return nil, err
	}
	captcha, ok := object.Stage.(captcha)
	if !ok {
		return nil, fmt.Errorf("embedded stage %q is no captcha", object.Name)
	}
	return captcha, nil
}

func (s *stage) passkeys(x *flow.Exec) (passkeys, error) {
	object, err := part(x, *s.config.WebAuthnStage)
	if err != nil {
		return nil, err
	}
	passkeys, ok := object.Stage.(passkeys)
	if !ok {
		return nil, fmt.Errorf("embedded stage %q takes no passkeys", object.Name)
	}
	return passkeys, nil
}

// part finds a stage that is embedded in this one.
func part(x *flow.Exec, id uuid.UUID) (*flow.StageObject, error) {
	object, ok := x.Catalog.Stage(id)
	if !ok {
		return nil, fmt.Errorf("embedded stage %s does not exist", id)
	}
	if object.Err != nil {
		return nil, fmt.Errorf("embedded stage %q: %w", object.Name, object.Err)
	}
	return object, nil
}

func link(x *flow.Exec, id *uuid.UUID) string {
	if id == nil {
		return ""
	}
	f, ok := x.Catalog.Flow(*id)
	if !ok {
		return ""
	}
	return x.FlowPath(f)
}
