// Package authenticatortest holds what tests of stages that set a device up share.
package authenticatortest

import (
	"context"
	"testing"

	"github.com/weir-id/weir/flow"
	"github.com/weir-id/weir/flow/flowtest"
	"github.com/weir-id/weir/identity"
	"github.com/weir-id/weir/internal/authenticator"
	"github.com/weir-id/weir/policy"
)

// Shelf keeps the devices that are set up, in place of authenticator.Devices.
type Shelf struct{ Devices []*authenticator.Device }

// Enrol puts the device on the shelf when the step is carried out.
func (s *Shelf) Enrol(out flow.Outcome, _ authenticator.Type, d *authenticator.Device) flow.Outcome {
	out.Apply = func(context.Context, flow.Tx) error { s.Devices = append(s.Devices, d); return nil }
	return out
}

// Ann is user 7.
func Ann() *identity.Person {
	return identity.NewPerson(identity.User{ID: 7, Username: "ann+x@example.com", Active: true}, nil)
}

// Setup is a world with a flow "f" of one stage, which is about the person; nil for
// nobody. A nil config means the defaults.
func Setup(t *testing.T, typ flow.StageType, config any, person *identity.Person) *flowtest.World {
	t.Helper()
	w := flowtest.New(t, typ)
	f := w.AddFlow("f", nil)
	w.Bind(f, w.AddStage(typ.Name, "setup", config), nil)
	if person == nil {
		return w
	}
	if person.Saved() {
		w.People[person.ID] = person
	}
	w.BindPolicy(f.ID, policy.Func(func(context.Context, *policy.Request) (policy.Result, error) {
		return policy.Result{Verdict: policy.Pass, Writes: policy.Writes{Set: map[string]any{"pending_user": person}}}, nil
	}), nil)
	return w
}

// Owners tests for whom a stage with its defaults sets a device up: whoever has an
// account. make makes its type.
func Owners(t *testing.T, component string, make func(*Shelf) flow.StageType) {
	for _, row := range []struct {
		name   string
		person *identity.Person
		want   string
	}{
		{"a person with an account", Ann(), component},
		{"nobody", nil, "redirect / final"},
		{"a name of nobody", identity.NewPerson(identity.User{Username: "bob"}, nil), "denied: Unknown error"},
	} {
		t.Run(row.name, func(t *testing.T) {
			s := &Shelf{}
			w := Setup(t, make(s), nil, row.person)
			if got := flowtest.Describe(w.NewBrowser().Get(t, "f", "")); got != row.want {
				t.Errorf("GET: %s, want %s", got, row.want)
			}
			if got := flowtest.Describe(w.NewBrowser().Answer(t, "f", "", map[string]any{"code": "123456"})); got != row.want {
				t.Errorf("POST: %s, want %s", got, row.want)
			}
			if len(s.Devices) != 0 {
				t.Error("a device")
			}
		})
	}
}
