package authenticatorduo

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/weir-id/weir/field"
	"github.com/weir-id/weir/flow"
	"github.com/weir-id/weir/internal/authenticator"
	"github.com/weir-id/weir/internal/duo"
	"github.com/weir-id/weir/internal/guard"
)

// Kind is the kind of phones with Duo's app.
type Kind struct{ Env Env }

var (
	_ authenticator.Answerer = Kind{}
	_ authenticator.Used     = Kind{}
)

// Type implements authenticator.Kind.
func (Kind) Type() authenticator.Type { return kindType }

// Offer implements authenticator.Kind: people choose which account at Duo is asked.
func (Kind) Offer(_ context.Context, v *authenticator.Validation) ([]authenticator.Offer, error) {
	return authenticator.Each(v.Devices), nil
}

// Key implements authenticator.Answerer.
func (Kind) Key() string { return "duo" }

// Channel implements authenticator.Used.
func (Kind) Channel(d *authenticator.Device) string { return "duo:" + d.Handle }

// codeDenied is the code of a push that led to nothing, on the wire.
const codeDenied = "denied"

// Answer implements authenticator.Answerer. The value names a device, and the person
// is asked there; the call waits for what they say. No transaction is open meanwhile.
func (k Kind) Answer(ctx context.Context, v *authenticator.Validation, value any) (authenticator.Verdict, error) {
	d := device(v, value)
	if d == nil {
		return authenticator.Verdict{}, fmt.Errorf("duo device %v of the pending user: %w", value, flow.ErrMissing)
	}
	asked := v.X.Once("push to duo device "+d.Key(), func() any { return k.ask(ctx, v, d) }).(asked)
	var limited *guard.LimitedError
	switch err := asked.err; {
	case errors.As(err, &limited):
		n := int((limited.Wait + time.Minute - 1) / time.Minute)
		return authenticator.Verdict{Quiet: true, Problem: &field.Error{Code: guard.CodeThrottled, Message: "validate.error.duo.limited", Count: n,
			String: fmt.Sprintf("Too many pushes were sent. Minutes to wait: %d.", n)}}, nil
	case errors.Is(err, errBusy):
		return authenticator.Verdict{Quiet: true, Problem: denied("busy", "A push is waiting on your phone already. Answer it first.")}, nil
	case errors.Is(err, errInside), err != nil && ctx.Err() != nil:
		return authenticator.Verdict{}, err
	case err != nil:
		return authenticator.Verdict{Quiet: true, Problem: denied("away", "Duo does not answer now. Try again, or choose another way."),
			Events: []flow.Event{failed(v.X, v.Person, "A push cannot be sent", err)}}, nil
	case !asked.answer.Allowed():
		return refuse(v, d, asked.answer), nil
	}
	// The device may have been removed while the phone rang.
	j, err := k.Env.Devices.Judge(ctx, []int64{d.ID}, func(string) float64 { return authenticator.Unlimited },
		func(now *authenticator.Device, _ time.Time) (bool, error) { return now.Handle == d.Handle, nil })
	return authenticator.Verdict{Device: j.Device}, err
}

// device is that of the pending user which the answer names; nil for none.
func device(v *authenticator.Validation, value any) *authenticator.Device {
	id, _ := value.(int64)
	for i := range v.Devices {
		if d := &v.Devices[i]; d.ID == id && v.Person != nil && d.User == v.Person.ID {
			return d
		}
	}
	return nil
}

// asked is what became of a push.
type asked struct {
	answer duo.Answer
	err    error
}

// errInside means that not Duo, but the rest of the program has failed.
var errInside = errors.New("count a push")

// ask sends a push, once it is counted, and waits for the answer.
func (k Kind) ask(ctx context.Context, v *authenticator.Validation, d *authenticator.Device) asked {
	c := config(v.X, d)
	if c == nil {
		return asked{err: errors.New("the stage that set the device up is gone")}
	}
	end, err := k.Env.Waiting.begin(v.Person.ID)
	if err != nil {
		return asked{err: err}
	}
	defer end()
	count := guard.Send{Account: v.Person.ID, Recipients: []string{"duo " + d.Handle}, Client: v.X.ClientIP()}
	var limited *guard.LimitedError
	if err := k.Env.House.CountMessage(ctx, count); errors.As(err, &limited) {
		return asked{err: limited}
	} else if err != nil {
		return asked{err: fmt.Errorf("%w: %w", errInside, err)}
	}
	v.X.Patience(duo.Wait)
	a, err := k.Env.auth(c).Push(ctx, push(v, d))
	if err == nil && a.Allowed() {
		if err := k.Env.House.UncountMessage(ctx, count); err != nil {
			return asked{err: fmt.Errorf("%w: %w", errInside, err)}
		}
	}
	return asked{a, err}
}

// push is what the phone shows: who signs in, and where.
func push(v *authenticator.Validation, d *authenticator.Device) *duo.Push {
	p := &duo.Push{UserID: d.Handle, Username: v.Person.Username, Client: v.X.ClientIP(), Title: "Sign-in"}
	if b := v.X.Brand; b != nil && b.Title != "" {
		p.Title = b.Title
	}
	if h := v.X.HTTP(); h != nil && h.Host != "" {
		p.Info = append(p.Info, duo.Line{Name: "Domain", Value: h.Host})
	}
	if app, ok := flow.KeyApplication.Get(v.X.Context); ok && app != nil && app.Name != "" {
		p.Info = append(p.Info, duo.Line{Name: "Application", Value: app.Name})
	}
	return p
}

// config is the configuration of the stage that set the device up, as it is now; nil
// when the stage is gone.
func config(x *flow.Exec, d *authenticator.Device) *Config {
	object, ok := x.Catalog.Stage(d.Stage)
	if !ok || object.Err != nil {
		return nil
	}
	c, _ := object.Config.(*Config)
	return c
}

// refuse says why a push was not approved. That a person reports it as a fraud is told
// to those who look at events.
func refuse(v *authenticator.Validation, d *authenticator.Device, a duo.Answer) authenticator.Verdict {
	switch a.Status {
	case duo.StatusTimeout:
		return authenticator.Verdict{Problem: denied("timeout", "The push was not answered in time. Send another one.")}
	case duo.StatusFraud:
		return authenticator.Verdict{Problem: denied("declined", msgDeclined), Events: []flow.Event{{Action: "suspicious_request", User: v.Person, Context: map[string]any{
			"message": "A push was reported as a fraud on the phone.", "device": d.Name, "device_pk": d.Key(), "stage": v.X.Stage()}}}}
	}
	return authenticator.Verdict{Problem: denied("declined", msgDeclined)}
}

const msgDeclined = "The push was declined. If you did not ask for one, change your password."

func denied(id, text string) *field.Error {
	return &field.Error{Code: codeDenied, Message: "validate.error.duo." + id, String: text}
}
