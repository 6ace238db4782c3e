package userlogin

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"time"

	"github.com/weir-id/weir/flow"
	"github.com/weir-id/weir/identity"
)

// inbuiltBackend is recorded for a person whom no back end checked during the
// flow, such as after a recovery link.
const inbuiltBackend = "authentik.core.auth.InbuiltBackend"

type stage struct {
	config   Config
	sessions Sessions
	accounts Accounts
	devices  deviceCookies
}

var _ flow.Stage = (*stage)(nil)

// asks tells whether the stage shows the question; without it the stage acts
// at once on every request.
func (s *stage) asks() bool { return s.config.RememberMeOffset.Duration() > 0 }

// Challenge implements flow.Stage.
func (s *stage) Challenge(ctx context.Context, x *flow.Exec) (flow.Outcome, error) {
	if !s.asks() {
		return s.login(ctx, x, false)
	}
	if p, err := subject(ctx, x); p == nil || err != nil {
		return flow.Deny(""), err
	}
	return flow.Ask(&Challenge{}), nil
}

// answer is what clients send.
type answer struct {
	RememberMe bool `json:"remember_me" field:"required"`
}

// Respond implements flow.Stage.
func (s *stage) Respond(ctx context.Context, x *flow.Exec, r flow.Response) (flow.Outcome, error) {
	if !s.asks() {
		return s.login(ctx, x, false)
	}
	var a answer
	if errs := r.Decode(&a); errs != nil {
		return flow.AskAgain(errs), nil
	}
	return s.login(ctx, x, a.RememberMe)
}

// login attaches the pending user to a new session.
func (s *stage) login(ctx context.Context, x *flow.Exec, remember bool) (flow.Outcome, error) {
	p, err := subject(ctx, x)
	if p == nil || err != nil {
		return flow.Deny(""), err
	}
	known, err := s.known(ctx, x, p)
	if err != nil {
		return flow.Outcome{}, err
	}
	args := methodArgs(x, known)
	flow.KeyAuthMethodArgs.Set(x.Context, args)
	method, _ := flow.KeyAuthMethod.Get(x.Context)

	out := flow.Done().Prove(flow.Proof{Fact: flow.FactLogin, User: p.ID, At: x.Now})
	out.Login = &flow.Login{User: p, Backend: backend(x, p), Method: method, MethodArgs: args,
		Expires: s.expires(x.Now, remember), TerminateOthers: s.config.TerminateOtherSessions}
	if s.config.NetworkBinding != NoNetwork {
		out.Login.NetworkBinding = string(s.config.NetworkBinding)
	}
	if s.config.GeoIPBinding != NoPlace {
		out.Login.GeoIPBinding = string(s.config.GeoIPBinding)
	}
	// Between reading the account and writing the session somebody may have
	// switched the account off: look again where nobody can come between. A
	// stale step is taken anew, and then denies.
	out.Apply = func(ctx context.Context, tx flow.Tx) error {
		active, err := s.accounts.Active(ctx, tx, p.ID)
		if err != nil {
			return fmt.Errorf("log in user %d: %w", p.ID, err)
		}
		if !active {
			return fmt.Errorf("log in user %d, who is not active any more: %w", p.ID, flow.ErrStale)
		}
		return nil
	}
	if !s.asks() {
		cookies, err := s.devices.remember(x, p)
		if err != nil {
			return flow.Outcome{}, err
		}
		out.Cookies = cookies
	}
	return out.Record(loginEvent(p, method, args)), nil
}

// subject is who is to be logged in: the context's pending user, stored and
// active. Nil denies.
func subject(ctx context.Context, x *flow.Exec) (*identity.Person, error) {
	p, err := x.ContextUser(ctx)
	switch {
	case errors.Is(err, flow.ErrNoPerson):
		return nil, nil
	case err != nil:
		return nil, err
	case p == nil, !p.Saved(), !p.Active:
		return nil, nil
	}
	return p, nil
}

// expires is when the session ends; zero for one that ends with the browser.
func (s *stage) expires(now time.Time, remember bool) time.Time {
	d := s.config.SessionDuration.Duration()
	if remember {
		d += s.config.RememberMeOffset.Duration()
	}
	if d <= 0 {
		return time.Time{}
	}
	return now.Add(d)
}

// known tells whether the person was here before: from this address, or with
// this browser.
func (s *stage) known(ctx context.Context, x *flow.Exec, p *identity.Person) (bool, error) {
	if s.devices.knows(x, p) {
		return true, nil
	}
	addr := x.ClientIP()
	if !addr.IsValid() {
		return false, nil
	}
	seen, err := s.sessions.SeenFrom(ctx, p.ID, addr)
	if err != nil {
		return false, fmt.Errorf("look for sessions of user %d: %w", p.ID, err)
	}
	return seen, nil
}

// methodArgs adds known_device where nobody has set it.
func methodArgs(x *flow.Exec, known bool) map[string]any {
	args := map[string]any{}
	before, _ := flow.KeyAuthMethodArgs.Get(x.Context)
	maps.Copy(args, before)
	if _, set := args["known_device"]; !set {
		args["known_device"] = known
	}
	return args
}

func backend(x *flow.Exec, p *identity.Person) string {
	if name, ok := flow.KeyUserBackend.Get(x.Context); ok && name != "" {
		return name
	}
	if p.Backend != "" {
		return p.Backend
	}
	return inbuiltBackend
}

func loginEvent(p *identity.Person, method string, args map[string]any) flow.Event {
	details := map[string]any{"auth_method_args": args}
	if method != "" {
		details["auth_method"] = method
	}
	return flow.Event{Action: "login", User: p, Context: details}
}
