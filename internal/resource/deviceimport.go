package resource

import (
	"context"
	"errors"
	"fmt"

	"github.com/google/uuid"

	"github.com/weir-id/weir/internal/authenticator"
	"github.com/weir-id/weir/internal/event"
)

// ErrNobody means that no user has a name.
var ErrNobody = errors.New("there is no user with the name")

// ImportDevice gives a person a device of a model that somebody else has made sure
// of, found by the handle. It returns false when such a device exists already. Nobody
// gives one to those who may do more (rule 46).
func (r *Registry) ImportDevice(ctx context.Context, w *Write, model, username string, stage uuid.UUID, handle string) (bool, error) {
	kind := r.deviceKind(func(t *authenticator.Type) bool { return t.Model == model })
	if kind == nil {
		return false, fmt.Errorf("import device: no kind of devices is called %s", model)
	}
	found, err := r.user.directory.FindUsers(ctx, w.Store(), map[string]any{"username": username})
	if err != nil {
		return false, fmt.Errorf("find %q: %w", username, err)
	}
	if len(found) != 1 {
		return false, ErrNobody
	}
	if err := w.proven(found[0].ID); err != nil {
		return false, err
	}
	if err := r.user.mayActOn(ctx, w, found[0].ID); err != nil {
		return false, err
	}
	t := kind.Type()
	d := &authenticator.Device{User: found[0].ID, Class: t.Class, Name: t.Label, Stage: stage, Confirmed: true, Handle: handle}
	err = r.devices.Add(ctx, w.Store(), d)
	if errors.Is(err, authenticator.ErrTaken) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	return true, r.user.record(ctx, w, event.ModelCreated, &Ref{Model: t.Model, Key: d.ID, Name: d.Name})
}
