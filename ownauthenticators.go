package weir

import (
	"context"
	"errors"
	"net/http"
	"slices"

	"github.com/google/uuid"

	"github.com/weir-id/weir/field"
	"github.com/weir-id/weir/internal/authenticator"
	"github.com/weir-id/weir/internal/flowhttp"
	"github.com/weir-id/weir/internal/passkey"
	"github.com/weir-id/weir/internal/request"
	"github.com/weir-id/weir/internal/resource"
	"github.com/weir-id/weir/internal/web"
)

// Authenticators implements web.Authenticators.
func (a *account) Authenticators(w http.ResponseWriter, r *http.Request) ([]web.Authenticator, error) {
	visit, v, err := a.view(w, r)
	if err != nil {
		return nil, err
	}
	list, err := a.kinds.OwnDevices(r.Context(), v, visit.Brand, visit.Person)
	out := make([]web.Authenticator, len(list))
	for i, d := range list {
		out[i] = web.Authenticator{ID: d.PK, Name: d.Name, Class: d.Class, Details: d.Details, Added: d.Created, LastUsed: d.LastUsed, Lasting: d.Lasting, Loss: d.Loss}
		if d.Description != nil {
			out[i].Make = *d.Description
		}
	}
	return out, err
}

// KnownPasskeys implements web.Authenticators.
func (a *account) KnownPasskeys(w http.ResponseWriter, r *http.Request) (passkey.Known, error) {
	visit, err := a.visit(w, r)
	if err != nil {
		return passkey.Known{}, err
	}
	known := passkey.NewKnown(request.From(r.Context()).Host, visit.Person.UUID)
	list, err := a.authenticators.Confirmed(r.Context(), visit.Person.ID)
	for _, d := range list {
		if d.Class != passkey.Class {
			continue
		}
		var record passkey.Record
		if err := d.Read(&record); err != nil {
			return passkey.Known{}, err
		}
		known.Add(d.Handle, &record)
	}
	return known, err
}

// SetUps implements web.Authenticators.
func (a *account) SetUps(w http.ResponseWriter, r *http.Request) ([]web.SetUp, error) {
	visit, err := a.visit(w, r)
	if err != nil {
		return nil, err
	}
	var out []web.SetUp
	for _, up := range a.catalog.Snapshot().SetUps() {
		class := authenticator.SetUpClass(up.Type)
		if class == "" {
			continue
		}
		if done, err := a.done(r.Context(), visit.Person.ID, class, up.Stage.ID); err != nil {
			return nil, err
		} else if done {
			continue
		}
		ok, err := a.runner.Startable(w, r, flowhttp.Call{Slug: up.Flow.Slug})
		if err != nil {
			return nil, err
		}
		if ok {
			out = append(out, web.SetUp{Class: class, Name: up.Flow.Heading(visit.Person), URL: up.Address()})
		}
	}
	return out, nil
}

// done tells whether a stage has set up for somebody all that it ever does.
func (a *account) done(ctx context.Context, person int64, class string, stage uuid.UUID) (bool, error) {
	at := slices.IndexFunc(a.authenticatorKinds, func(k authenticator.Kind) bool { return k.Type().Class == class })
	if at < 0 {
		return false, nil
	}
	if _, single := a.authenticatorKinds[at].(authenticator.Single); !single {
		return false, nil
	}
	list, err := a.authenticators.Confirmed(ctx, person)
	return slices.ContainsFunc(list, func(d authenticator.Device) bool { return d.Class == class && d.Stage == stage }), err
}

// RenameAuthenticator implements web.Authenticators.
func (a *account) RenameAuthenticator(w http.ResponseWriter, r *http.Request, id, name string) error {
	return a.onOwnDevice(w, r, id, func(ctx context.Context, w *resource.Write, k *resource.Kind, ref *resource.Ref) error {
		_, _, err := k.Update(ctx, w, ref, map[string]any{"name": name}, field.Update)
		return err
	})
}

// RemoveAuthenticator implements web.Authenticators.
func (a *account) RemoveAuthenticator(w http.ResponseWriter, r *http.Request, id string) error {
	err := a.onOwnDevice(w, r, id, func(ctx context.Context, w *resource.Write, k *resource.Kind, ref *resource.Ref) error {
		return k.Delete(ctx, w, ref)
	})
	switch {
	case errors.Is(err, resource.ErrSignInAgain):
		return web.ErrSignInAgain
	case errors.Is(err, resource.ErrLastDevice):
		return web.ErrLastDevice
	}
	return err
}

// onOwnDevice runs fn on a device of whoever is signed in, as a write of theirs.
func (a *account) onOwnDevice(w http.ResponseWriter, r *http.Request, id string, fn func(context.Context, *resource.Write, *resource.Kind, *resource.Ref) error) error {
	visit, err := a.visit(w, r)
	if err != nil {
		return err
	}
	list, err := a.kinds.Devices(r.Context(), visit.Person.ID)
	if err != nil {
		return err
	}
	for _, d := range list {
		if d.PK == id {
			return a.onOwn(w, r, d.Type, id, fn)
		}
	}
	return web.ErrNotYours
}
