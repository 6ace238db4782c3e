package authenticatorduo

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/weir-id/weir/field"
	"github.com/weir-id/weir/flow"
	"github.com/weir-id/weir/flow/flowtest"
	"github.com/weir-id/weir/identity"
	"github.com/weir-id/weir/internal/authenticator"
	"github.com/weir-id/weir/internal/duo/duotest"
	"github.com/weir-id/weir/internal/guard"
	"github.com/weir-id/weir/policy"
)

const shownDuo = "ak-stage-authenticator-duo"

// house is a Duo account and the rest of the program around the stage and the kind.
type house struct {
	*flowtest.World
	duo     *duotest.Server
	env     Env
	stage   *flow.StageObject
	flow    *flow.Flow
	b       *flowtest.Browser
	devices []authenticator.Device
	// counted are the pushes that were counted, taken those that were wanted; limited
	// refuses the next one.
	counted, taken []guard.Send
	limited        error
	// asked is run while a push waits.
	asked func()
}

func (h *house) CountMessage(_ context.Context, s guard.Send) error {
	if h.limited != nil {
		return h.limited
	}
	h.counted = append(h.counted, s)
	return nil
}

func (h *house) UncountMessage(_ context.Context, s guard.Send) error {
	h.taken = append(h.taken, s)
	return nil
}

func (h *house) Enrol(out flow.Outcome, _ authenticator.Type, d *authenticator.Device) flow.Outcome {
	out.Apply = func(context.Context, flow.Tx) error {
		for _, known := range h.devices {
			if known.Handle == d.Handle {
				return &flow.Refusal{Message: "taken", Err: authenticator.ErrTaken}
			}
		}
		h.devices = append(h.devices, *d)
		return nil
	}
	return out
}

func (h *house) Judge(_ context.Context, ids []int64, factor func(string) float64, check func(*authenticator.Device, time.Time) (bool, error)) (authenticator.Judgement, error) {
	if h.asked != nil {
		h.asked()
	}
	for i := range h.devices {
		d := &h.devices[i]
		if d.ID != ids[0] || factor("duo") != authenticator.Unlimited {
			continue
		}
		if ok, err := check(d, time.Now()); !ok || err != nil {
			return authenticator.Judgement{}, err
		}
		return authenticator.Judgement{Device: d}, nil
	}
	return authenticator.Judgement{}, nil
}

// validate is as much of the validation stage as the kind needs.
type validate struct{ h *house }

func (s validate) Challenge(context.Context, *flow.Exec) (flow.Outcome, error) {
	return flow.Ask(&question{}), nil
}

func (s validate) Respond(ctx context.Context, x *flow.Exec, r flow.Response) (flow.Outcome, error) {
	p, err := x.PendingUser(ctx)
	if err != nil {
		return flow.Outcome{}, err
	}
	if name, ok := r.Data["choose"].(string); ok {
		flow.Key[string]("chosen").Set(x.Context, name)
		return flow.AskAgain(field.Errors{}), nil
	}
	v := &authenticator.Validation{X: x, Person: p}
	for _, d := range s.h.devices {
		if d.User == p.ID {
			v.Devices = append(v.Devices, d)
		}
	}
	verdict, err := Kind{s.h.env}.Answer(ctx, v, r.Data["duo"])
	switch {
	case err != nil:
		return flow.Outcome{}, err
	case verdict.Device != nil:
		return flow.Done(), nil
	}
	quiet := "loud"
	if verdict.Quiet {
		quiet = "quiet"
	}
	e := field.Error{Code: quiet}
	if verdict.Problem != nil {
		e.Message = verdict.Problem.Code + " " + verdict.Problem.Message
	}
	return flow.AskAgain(field.Errors{"duo": {e}}).Record(verdict.Events...), nil
}

type question struct{ flow.UserInfo }

func (*question) Component() string { return "question" }

// newHouse is a flow "f" about ann, user 7, of the stage; with asks, of a question for
// an answer by push.
func newHouse(t *testing.T, asks bool) *house {
	h := &house{duo: duotest.New(t)}
	h.env = Env{Devices: h, House: h, Client: h.duo.Client, Now: time.Now, Waiting: &Waiting{}}
	question := flow.NewStageType(flow.StageType{Name: "question", Model: "tests.question"}, func() struct{} { return struct{}{} }, nil,
		func(string, struct{}) flow.Stage { return validate{h} })
	h.World = flowtest.New(t, Type(h.env), question)
	person := h.People.Add(identity.User{ID: 7, Username: "ann", Active: true})
	h.People.Add(identity.User{ID: 8, Username: "bob", Active: true})
	h.flow = h.AddFlow("f", nil)
	h.stage = h.AddStage("authenticator_duo", "push", &Config{ClientID: duotest.Key, ClientSecret: duotest.Secret, APIHostname: h.duo.Host})
	if asks {
		h.Bind(h.flow, h.AddStage("question", "confirm", nil), nil)
		for i, user := range []int64{7, 8} {
			id := fmt.Sprint("DU", i+1)
			h.duo.Add(duotest.User{ID: id, Username: id, Enrolled: true})
			h.devices = append(h.devices, authenticator.Device{ID: int64(i + 1), User: user, Class: "duo", Name: deviceName, Stage: h.stage.ID, Confirmed: true, Handle: id})
		}
	} else {
		h.Bind(h.flow, h.stage, nil)
	}
	h.BindPolicy(h.flow.ID, policy.Func(func(context.Context, *policy.Request) (policy.Result, error) {
		return policy.Result{Verdict: policy.Pass, Writes: policy.Writes{Set: map[string]any{"pending_user": person}}}, nil
	}), nil)
	h.b = h.NewBrowser()
	return h
}

// problem is the first one of a result.
func problem(r *flow.Result) string {
	if r.Challenge == nil {
		return ""
	}
	for name, list := range r.Challenge.Errors {
		return name + " " + list[0].Code + " " + list[0].Message
	}
	return ""
}

// gone is a stage that does not exist.
var gone = uuid.New()
