package identification

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/weir-id/weir/field"
	"github.com/weir-id/weir/flow"
	"github.com/weir-id/weir/identity"
	"github.com/weir-id/weir/internal/directory"
	"github.com/weir-id/weir/internal/guard"
)

// answer is what clients send. Nothing is required: which fields count depends
// on the configuration, and clients without pages always send both.
type answer struct {
	UIDField *string `json:"uid_field" field:"null,blank,max=1024"`
	Password *string `json:"password" field:"null,blank,notrim"`
	Captcha  *string `json:"captcha_token" field:"null,blank"`
}

// Respond implements flow.Stage.
func (s *stage) Respond(ctx context.Context, x *flow.Exec, r flow.Response) (flow.Outcome, error) {
	var a answer
	if errs := r.Decode(&a); errs != nil {
		return flow.AskAgain(errs), nil
	}
	if offersPasskey(r) {
		return s.passkey(ctx, x, r.Data["passkey"])
	}
	if a.UIDField == nil || *a.UIDField == "" {
		return flow.AskAgain(s.empty()), nil
	}
	// Before anything is looked up, so that it says nothing about the account.
	if problem, err := s.human(ctx, x, a.Captcha); problem != nil || err != nil {
		return flow.AskAgain(problem), err
	}
	password := ""
	if a.Password != nil {
		password = *a.Password
	}
	f, err := s.find(ctx, x, *a.UIDField, password)
	if err != nil {
		return flow.Outcome{}, err
	}
	if !f.accepted {
		return s.refuse(x, f), nil
	}
	return s.accept(x, f), nil
}

// passkey takes an answer of a passkey in place of a name.
func (s *stage) passkey(ctx context.Context, x *flow.Exec, value any) (flow.Outcome, error) {
	again := flow.AskAgain(refusal("Your passkey was not accepted. Try again, or use another way.", "identification.error.passkey"))
	if s.config.WebAuthnStage == nil {
		return again, nil
	}
	passkeys, err := s.passkeys(x)
	if err != nil {
		return flow.Outcome{}, err
	}
	out, ok, err := passkeys.TakePasskey(ctx, x, value)
	if err != nil || ok {
		return out, err
	}
	again.Apply = out.Apply
	return again.Record(out.Events...), nil
}

// human checks the token of an embedded captcha stage.
func (s *stage) human(ctx context.Context, x *flow.Exec, token *string) (field.Errors, error) {
	if s.config.CaptchaStage == nil {
		return nil, nil
	}
	captcha, err := s.captcha(x)
	if err != nil {
		return nil, err
	}
	if token == nil {
		token = new(string)
	}
	problem, err := captcha.Check(ctx, x, *token)
	if err != nil {
		return nil, fmt.Errorf("check captcha: %w", err)
	}
	if problem == nil {
		return nil, nil
	}
	return field.Errors{field.NonField: {*problem}}, nil
}

// offersPasskey tells whether the answer carries a passkey instead of a name.
// Forms and headless clients send an empty value for none.
func offersPasskey(r flow.Response) bool {
	switch v := r.Data["passkey"].(type) {
	case nil:
		return false
	case string:
		return v != ""
	case map[string]any:
		return len(v) > 0
	}
	return true
}

// finding is what became of a name and a password.
type finding struct {
	typed string
	// person is the account; nil when none has the name.
	person *identity.Person
	// accepted tells whether the flow goes on, also with a pretended account.
	accepted bool
	// The result of an embedded password check.
	checked bool
	verdict directory.Verdict
	// errs say why the password was not even looked at.
	errs field.Errors
}

// find looks the account up and, with an embedded password stage, checks the
// password. Whether the account exists makes no difference in time: the same
// work is done for nobody.
func (s *stage) find(ctx context.Context, x *flow.Exec, typed, password string) (finding, error) {
	f := finding{typed: typed}
	if len(s.config.UserFields) > 0 {
		p, err := s.users.Identify(ctx, s.config.userFields(), typed, s.config.CaseInsensitiveMatching)
		if err != nil && !errors.Is(err, flow.ErrNoPerson) {
			return f, fmt.Errorf("look up user: %w", err)
		}
		if err == nil {
			f.person = p
		}
	}
	if s.config.PasswordStage == nil {
		f.accepted = f.person != nil || s.config.PretendUserExists
		return f, nil
	}
	stage, err := s.embedded(x)
	if err != nil {
		return f, err
	}
	f.verdict, err = s.users.Authenticate(ctx, guard.Of(x, typed), stage.PasswordBackends(), f.person, password)
	if f.errs = guard.Refusal(err); f.errs != nil {
		return f, nil
	}
	if err != nil {
		return f, fmt.Errorf("check password: %w", err)
	}
	f.checked = f.person != nil
	f.accepted = f.checked && f.verdict.OK
	return f, nil
}

// accept makes the account the pending user; a pretended one stays unsaved,
// and no later stage accepts anything from it.
func (s *stage) accept(x *flow.Exec, f finding) flow.Outcome {
	s.display(x, f)
	out, p := flow.Done(), f.person
	if p == nil {
		p = pretended(f.typed)
	}
	if f.checked {
		p = p.WithBackend(f.verdict.Backend)
		out = f.verdict.Accept(x, out, p)
	}
	x.SetPendingUser(p)
	if s.config.PretendUserExists && !f.checked {
		// The account would tell who has one, and under which name (rule 18).
		x.HidePendingUser(f.typed)
	}
	if f.person == nil {
		return out
	}
	return out.Prove(flow.Proof{Fact: flow.FactUser, User: p.ID, At: x.Now})
}

// refuse answers a failure. What is kept in the context is the same for an
// account that exists and one that does not, since titles and policies show it.
func (s *stage) refuse(x *flow.Exec, f finding) flow.Outcome {
	s.display(x, f)
	x.SetPendingUser(pretended(f.typed))
	answeredKey.Set(x.Context, true)
	text, id := msgFailed, "identification.error.failed"
	if s.config.PasswordStage != nil {
		text, id = "The user name or password is not right. Try again or reset your password.", "identification.error.invalid"
	}
	errs := f.errs
	if errs == nil {
		errs = refusal(text, id)
	}
	out := flow.AskAgain(errs)
	switch {
	case f.checked:
		out = out.Record(failed(x, f.person))
	case f.person == nil && f.errs == nil:
		// The event of a wrong password does as much. A name that is pretended
		// costs nothing yet: its score would tell it from one that somebody has,
		// and the password that follows is counted for both.
		out.Apply = s.reputation.Unknown(f.typed, x.ClientIP())
	}
	return out
}

// display makes later stages show what was typed, where the configuration
// hides which account it is. Otherwise a hint that named somebody else goes.
func (s *stage) display(x *flow.Exec, f finding) {
	shown, _ := flow.KeyPendingUserIdentifier.Get(x.Context)
	switch {
	case shown == f.typed:
	case !s.config.ShowMatchedUser:
		flow.KeyPendingUserIdentifier.Set(x.Context, f.typed)
	case shown != "":
		flow.KeyPendingUserIdentifier.Delete(x.Context)
	}
}

// msgFailed is for failures that say nothing about a password.
const msgFailed = "That did not work. Check what you typed and try again."

// empty asks for what the field is for.
func (s *stage) empty() field.Errors {
	if slices.Equal(s.config.UserFields, []UserField{Email}) {
		return refusal("Enter your e-mail address", "identification.error.empty_email")
	}
	return refusal("Enter your user name", "identification.error.empty")
}

func pretended(typed string) *identity.Person {
	return identity.NewPerson(identity.User{Username: typed, Email: typed}, nil)
}

func refusal(text, id string) field.Errors {
	return field.Errors{field.NonField: {{Code: field.CodeInvalid, String: text, Message: id}}}
}

// failed is the event of a wrong password. What was typed is masked where events
// are stored, and not even given there.
func failed(x *flow.Exec, p *identity.Person) flow.Event {
	return x.LoginFailed(p, map[string]any{"password": ""})
}
