package authenticator

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/google/uuid"

	"github.com/weir-id/weir/flow"
	"github.com/weir-id/weir/identity"
)

// SetupConfig is what all stages that set a device up have in their configuration;
// embed it.
type SetupConfig struct {
	// ConfigureFlow lets a signed-in person set a device up.
	ConfigureFlow *uuid.UUID `json:"configure_flow" field:"null,ref=flow"`
	// FriendlyName is what people are shown; empty for the name of the stage.
	FriendlyName string `json:"friendly_name" field:"blank"`
}

// DisplayName is the name for people; empty for that of the stage.
func (c *SetupConfig) DisplayName() string { return c.FriendlyName }

// SetUpClass is the class of the devices that stages of a type set up; empty for all
// other types.
func SetUpClass(t *flow.StageType) string {
	class, ok := strings.CutPrefix(t.SettingsComponent, "ak-user-settings-authenticator-")
	if !ok {
		return ""
	}
	return class
}

// Owner is who sets a device up: the pending user, who has an account. Without one,
// p is nil and the stage ends with out: visitors whom nobody has named pass by,
// everybody else is denied.
func Owner(ctx context.Context, x *flow.Exec) (p *identity.Person, out flow.Outcome, err error) {
	p, err = x.PendingUser(ctx)
	switch {
	case errors.Is(err, flow.ErrNoPerson):
		return nil, flow.Deny(""), nil
	case err != nil:
		return nil, flow.Outcome{}, err
	case p.Saved():
		return p, flow.Outcome{}, nil
	case p.Username == "":
		return nil, flow.Skip(), nil
	}
	return nil, flow.Deny(""), nil
}

// msgTaken is shown when somebody else was faster with the same device.
const msgTaken = "This device is registered already."

// Enrol adds a device with the step, and its event. A device whose handle is taken
// denies.
func (s *Devices) Enrol(out flow.Outcome, t Type, d *Device) flow.Outcome {
	app, model, _ := strings.Cut(t.Model, ".")
	named := map[string]any{"app": app, "model_name": model, "name": d.Name}
	before := out.Apply
	out.Apply = func(ctx context.Context, tx flow.Tx) error {
		if before != nil {
			if err := before(ctx, tx); err != nil {
				return err
			}
		}
		err := s.Add(ctx, tx, d)
		if errors.Is(err, ErrTaken) {
			return &flow.Refusal{Message: msgTaken, Err: fmt.Errorf("%s device of user %d: %w", d.Class, d.User, err)}
		}
		named["pk"] = d.Key() // events are recorded after this
		return err
	}
	return out.Record(flow.Event{Action: "model_created", App: app, Context: map[string]any{"model": named}})
}
