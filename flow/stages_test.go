package flow_test

import (
	"context"
	"errors"
	"testing"

	"github.com/weir-id/weir/field"
	"github.com/weir-id/weir/flow"
	"github.com/weir-id/weir/flow/flowtest"
	"github.com/weir-id/weir/identity"
	"github.com/weir-id/weir/policy"
)

// The stage types of these tests: as small as they can be.

type question struct{ flow.UserInfo }

func (*question) Component() string { return "ak-stage-dummy" }

// asking shows a question and is done with any answer.
type asking struct{}

func (asking) Challenge(context.Context, *flow.Exec) (flow.Outcome, error) {
	return flow.Ask(&question{}), nil
}

func (asking) Respond(context.Context, *flow.Exec, flow.Response) (flow.Outcome, error) {
	return flow.Done(), nil
}

// gate lets only the answer "right" pass and proves a password.
type gate struct{ forget bool }

func (gate) Challenge(context.Context, *flow.Exec) (flow.Outcome, error) {
	return flow.Ask(&question{}), nil
}

func (g gate) Respond(ctx context.Context, x *flow.Exec, r flow.Response) (flow.Outcome, error) {
	if r.Data["password"] != "right" {
		return flow.AskAgain(field.Errorf("password", field.CodeInvalid, "Wrong.")), nil
	}
	if g.forget {
		return flow.Done(), nil
	}
	p, err := x.PendingUser(ctx)
	if err != nil {
		return flow.Outcome{}, err
	}
	return flow.Done().Prove(flow.Proof{Fact: flow.FactPassword, User: p.ID, At: x.Now}), nil
}

// identify makes the user with the typed id (as a number) the pending user.
type identify struct{ people flowtest.People }

func (identify) Challenge(context.Context, *flow.Exec) (flow.Outcome, error) {
	return flow.Ask(&question{}), nil
}

func (s identify) Respond(ctx context.Context, x *flow.Exec, r flow.Response) (flow.Outcome, error) {
	for _, p := range s.people {
		if p.Username == r.Data["uid_field"] {
			x.SetPendingUser(p)
			return flow.Done(), nil
		}
	}
	return flow.AskAgain(field.Errorf(field.NonField, field.CodeInvalid, "Nobody.")), nil
}

type none struct{}

func stageType(name string, effects flow.Effects, stage flow.Stage) flow.StageType {
	return flow.NewStageType(flow.StageType{Name: name}, func() none { return none{} },
		func(none) flow.Effects { return effects }, func(string, none) flow.Stage { return stage })
}

func plain(f func(context.Context, *flow.Exec) flow.Outcome) flow.Stage {
	return flow.Plain(func(ctx context.Context, x *flow.Exec) (flow.Outcome, error) { return f(ctx, x), nil })
}

// newWorld has all the stage types of these tests.
func newWorld(t *testing.T) *flowtest.World {
	people := flowtest.People{}
	w := flowtest.New(t,
		stageType("ask", flow.Effects{}, asking{}),
		stageType("gate", flow.Effects{Always: []flow.Fact{flow.FactPassword}}, gate{}),
		stageType("forgetful", flow.Effects{Always: []flow.Fact{flow.FactPassword}}, gate{forget: true}),
		stageType("identify", flow.Effects{Sometimes: []flow.Fact{flow.FactUser}}, identify{people}),
		stageType("deny", flow.Effects{}, plain(func(context.Context, *flow.Exec) flow.Outcome { return flow.Deny("no entry") })),
		stageType("broken", flow.Effects{}, flow.Plain(func(context.Context, *flow.Exec) (flow.Outcome, error) {
			return flow.Done(), errors.New("broken on purpose")
		})),
		stageType("panics", flow.Effects{}, plain(func(context.Context, *flow.Exec) flow.Outcome { panic("on purpose") })),
		stageType("login", flow.Effects{Always: []flow.Fact{flow.FactLogin}}, flow.Plain(func(ctx context.Context, x *flow.Exec) (flow.Outcome, error) {
			p, err := x.ContextUser(ctx)
			if err != nil || p == nil {
				return flow.Deny(""), err
			}
			out := flow.Done()
			out.Login = &flow.Login{User: p}
			return out, nil
		})),
		stageType("logout", flow.Effects{Always: []flow.Fact{flow.FactLogout}}, plain(func(context.Context, *flow.Exec) flow.Outcome {
			out := flow.Done()
			out.Logout = true
			return out
		})),
		stageType("remember", flow.Effects{}, plain(func(_ context.Context, x *flow.Exec) flow.Outcome {
			x.Context.SetValue("seen", true)
			return flow.Skip()
		})),
	)
	// The executor reads the same people as the identify stage.
	w.Rebuild(t, people)
	return w
}

// verdict is a policy with a verdict that tests can turn.
type verdict struct {
	v   policy.Verdict
	msg []string
}

func (p *verdict) Evaluate(context.Context, *policy.Request) (policy.Result, error) {
	if p.v == policy.Error {
		return policy.Result{}, errors.New("provoked")
	}
	return policy.Result{Verdict: p.v, Messages: p.msg}, nil
}

func pass() *verdict { return &verdict{v: policy.Pass} }

func fail(messages ...string) *verdict { return &verdict{v: policy.Fail, msg: messages} }

func admin(p flowtest.People) *identity.Person {
	return p.Add(identity.User{Username: "admin", Active: true}, identity.Group{Name: "admins", Superuser: true})
}

func member(p flowtest.People, name string, groups ...identity.Group) *identity.Person {
	return p.Add(identity.User{Username: name, Active: true}, groups...)
}
