package password

import (
	"cmp"
	"context"
	"errors"
	"fmt"

	"github.com/weir-id/weir/field"
	"github.com/weir-id/weir/flow"
	"github.com/weir-id/weir/identity"
	"github.com/weir-id/weir/internal/guard"
)

// counterName is what wrong answers are counted under; all password stages of
// a session share it, so that another flow gives no further tries.
const counterName = "password"

type stage struct {
	config   Config
	verifier Verifier
}

var _ flow.Stage = (*stage)(nil)

// Challenge implements flow.Stage.
func (s *stage) Challenge(ctx context.Context, x *flow.Exec) (flow.Outcome, error) {
	if p, err := pending(ctx, x); p == nil || err != nil {
		return flow.Deny(""), err
	}
	c := &Challenge{AllowShowPassword: s.config.AllowShowPassword}
	if x.Brand != nil && x.Brand.Recovery != nil {
		if f, ok := x.Catalog.Flow(*x.Brand.Recovery); ok {
			c.RecoveryURL = x.FlowPath(f)
		}
	}
	return flow.Ask(c), nil
}

// answer is what clients send.
type answer struct {
	Password string `json:"password" field:"required,notrim"`
}

// Respond implements flow.Stage. An account that does not exist, pretended by
// the identification stage, goes the same way as one with a wrong password.
func (s *stage) Respond(ctx context.Context, x *flow.Exec, r flow.Response) (flow.Outcome, error) {
	p, err := pending(ctx, x)
	if p == nil || err != nil {
		return flow.Deny(""), err
	}
	var a answer
	if errs := r.Decode(&a); errs != nil {
		return s.refuse(ctx, x, inWords(errs))
	}
	v, err := s.verifier.Authenticate(ctx, guard.Of(x, cmp.Or(x.Typed(), p.Username)), s.config.PasswordBackends(), p, a.Password)
	if errs := guard.Refusal(err); errs != nil {
		return flow.AskAgain(errs), nil
	}
	if err != nil {
		return flow.Outcome{}, fmt.Errorf("check password: %w", err)
	}
	if !v.OK || !p.Saved() {
		out, err := s.refuse(ctx, x, field.Errors{"password": {{
			Code: field.CodeInvalid, String: "Invalid password", Message: "password.error.invalid"}}})
		return out.Record(failed(x, p)), err
	}
	x.SetPendingUser(p.WithBackend(v.Backend))
	flow.KeyUserBackend.Set(x.Context, v.Backend)
	return v.Accept(x, flow.Done(), p), nil
}

// refuse counts the wrong answer before anything else is written (rule 32),
// and ends the flow when it was the last one.
func (s *stage) refuse(ctx context.Context, x *flow.Exec, errs field.Errors) (flow.Outcome, error) {
	n, err := x.CountFailure(ctx, counterName)
	if err != nil {
		return flow.Outcome{}, fmt.Errorf("count wrong password: %w", err)
	}
	if n < int(s.config.FailedAttemptsBeforeCancel) {
		return flow.AskAgain(errs), nil
	}
	if err := x.ResetFailures(ctx, counterName); err != nil {
		return flow.Outcome{}, fmt.Errorf("reset count of wrong passwords: %w", err)
	}
	return flow.Deny("Invalid password"), nil
}

// inWords says what to do about a password that is not there.
func inWords(errs field.Errors) field.Errors {
	for i, e := range errs["password"] {
		if e.Code == field.CodeBlank || e.Code == field.CodeRequired {
			errs["password"][i].String, errs["password"][i].Message = "Enter your password", "password.error.empty"
		}
	}
	return errs
}

// pending is the context's pending user. The person of the session does not
// count: nobody proves a password for whom no earlier stage named.
func pending(ctx context.Context, x *flow.Exec) (*identity.Person, error) {
	p, err := x.ContextUser(ctx)
	if errors.Is(err, flow.ErrNoPerson) {
		return nil, nil
	}
	return p, err
}

// failed is the event of a wrong password. What was typed is masked where events
// are stored, and not even given there.
func failed(x *flow.Exec, p *identity.Person) flow.Event {
	return x.LoginFailed(p, map[string]any{"password": ""})
}
