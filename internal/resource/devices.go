package resource

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/weir-id/weir/flow"
	"github.com/weir-id/weir/identity"
	"github.com/weir-id/weir/internal/authenticator"
	"github.com/weir-id/weir/internal/catalog"
	"github.com/weir-id/weir/internal/directory/password"
	"github.com/weir-id/weir/internal/passkey"
)

// Device is a device of any kind, as lists of all of them show it.
type Device struct {
	VerboseName       string     `json:"verbose_name" field:"readonly"`
	VerboseNamePlural string     `json:"verbose_name_plural" field:"readonly"`
	Model             string     `json:"meta_model_name" field:"readonly"`
	PK                string     `json:"pk" field:"required"`
	Name              string     `json:"name" field:"required"`
	Type              string     `json:"type" field:"readonly"`
	Confirmed         bool       `json:"confirmed" field:"required"`
	Created           time.Time  `json:"created" field:"readonly"`
	LastUpdated       time.Time  `json:"last_updated" field:"readonly"`
	LastUsed          *time.Time `json:"last_used" field:"readonly,null"`
	Description       *string    `json:"extra_description" field:"readonly,null"`
	External          *string    `json:"external_id" field:"readonly,null"`
}

// Devices lists the devices of a user, of all kinds, by their age.
func (r *Registry) Devices(ctx context.Context, user int64) ([]Device, error) {
	all, err := r.devices.Of(ctx, r.devices.DB, user)
	if err != nil {
		return nil, err
	}
	out := []Device{}
	for i := range all {
		if kind := r.deviceClass(all[i].Class); kind != nil {
			out = append(out, deviceOf(kind, &all[i]))
		}
	}
	return out, nil
}

// deviceKind is the first kind that fits, nil for none.
func (r *Registry) deviceKind(fits func(*authenticator.Type) bool) authenticator.Kind {
	at := slices.IndexFunc(r.deviceKinds, func(k authenticator.Kind) bool { t := k.Type(); return fits(&t) })
	if at < 0 {
		return nil
	}
	return r.deviceKinds[at]
}

// deviceClass is the kind of a class, nil for one that this version does not have.
func (r *Registry) deviceClass(class string) authenticator.Kind {
	return r.deviceKind(func(t *authenticator.Type) bool { return t.Class == class })
}

func deviceOf(kind authenticator.Kind, d *authenticator.Device) Device {
	t := kind.Type()
	item := Device{VerboseName: t.Label, VerboseNamePlural: t.Plural, Model: strings.ToLower(t.Model), PK: d.Key(), Name: d.Name, Type: t.Model, Confirmed: d.Confirmed,
		Created: d.Created, LastUpdated: d.Updated, LastUsed: d.LastUsed}
	if k, ok := kind.(authenticator.Described); ok {
		description, external := k.Describe(d)
		item.Description, item.External = known(description), known(external)
	}
	return item
}

// OwnDevice is a device as its owner sees it.
type OwnDevice struct {
	Device
	authenticator.Details
	// Class is that of its kind. Lasting tells that it goes on answering, unlike
	// recovery codes.
	Class   string
	Lasting bool
	// Loss is what becomes of signing in without it.
	Loss authenticator.Loss
}

// OwnDevices lists what a person who visits a brand has, of all kinds, by their age.
func (r *Registry) OwnDevices(ctx context.Context, v View, brand *flow.Brand, owner *identity.Person) ([]OwnDevice, error) {
	all, err := r.devices.Of(ctx, v.DB, owner.ID)
	if err != nil {
		return nil, err
	}
	var out []OwnDevice
	for i := range all {
		d := &all[i]
		kind := r.deviceClass(d.Class)
		if kind == nil {
			continue
		}
		own := OwnDevice{Device: deviceOf(kind, d), Class: d.Class, Lasting: d.Confirmed && d.Lasting()}
		if k, ok := kind.(authenticator.Detailed); ok {
			if own.Details, err = k.Details(d); err != nil {
				return nil, err
			}
		}
		if own.Loss, err = r.lossOf(v.Config, brand, owner, all, d.ID); err != nil {
			return nil, err
		}
		out = append(out, own)
	}
	return out, nil
}

// ErrLastDevice refuses people to shut themselves out.
var ErrLastDevice error = &ForbiddenError{"Set another device up first: without this one you could not sign in any more. Recovery codes do not count, since they run out."}

// loss is what becomes of signing in for the owner of a device without it.
func (r *Registry) loss(ctx context.Context, v View, brand *flow.Brand, owner *identity.Person, device int64) (authenticator.Loss, error) {
	all, err := r.devices.Of(ctx, v.DB, owner.ID)
	if err != nil {
		return authenticator.ShutOut, err
	}
	return r.lossOf(v.Config, brand, owner, all, device)
}

func (r *Registry) lossOf(s *catalog.Snapshot, brand *flow.Brand, owner *identity.Person, all []authenticator.Device, device int64) (authenticator.Loss, error) {
	// Who has no password signs in with a passkey.
	demands := signInDemands(s, brand)
	if !password.Usable(owner.PasswordHash) {
		demands = append(demands, authenticator.Demand{Classes: []string{passkey.Class}, Without: authenticator.ShutOut})
	}
	worst := authenticator.Spared
	for _, demand := range demands {
		loss, err := demand.Loss(r.deviceKinds, all, device)
		if err != nil {
			return authenticator.ShutOut, err
		}
		worst = max(worst, loss)
	}
	return worst, nil
}

// signInDemands are what the stages want that sign people in at a brand: those of its
// flow; where it names none, those of all flows up to the first that lets everybody
// in. Policies are not asked: who might be shut out by a stage is not let into the trap.
func signInDemands(s *catalog.Snapshot, brand *flow.Brand) []authenticator.Demand {
	flows := s.FlowsFor(flow.Authentication)
	if brand != nil && brand.Authentication != nil {
		if f, ok := s.Flow(*brand.Authentication); ok {
			flows = []*flow.Flow{f}
		}
	}
	var out []authenticator.Demand
	for _, f := range flows {
		for _, b := range s.Bindings(f.ID) {
			if stage, ok := s.Stage(b.Stage); ok {
				if d, ok := stage.Config.(authenticator.Demanding); ok {
					out = append(out, d.Demand())
				}
			}
		}
		if len(s.PolicyBindings(f.ID)) == 0 {
			break
		}
	}
	return out
}
