// Package authenticatorwebauthn holds the stage that makes a passkey, and the kind of
// these devices: the ceremonies of package passkey inside of flows.
package authenticatorwebauthn

import (
	"cmp"
	"context"
	"embed"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/weir-id/weir/field"
	"github.com/weir-id/weir/flow"
	"github.com/weir-id/weir/internal/authenticator"
	"github.com/weir-id/weir/internal/passkey"
)

//go:embed *.html
var pages embed.FS

// kindType describes the devices.
var kindType = authenticator.Type{Class: passkey.Class, Model: "authentik_stages_authenticator_webauthn.webauthndevice", Label: "WebAuthn Device", Plural: "WebAuthn Devices",
	Schema:  "WebAuthnDevice",
	Methods: []string{flow.MethodKey, flow.MethodPresence}, MaxName: 200}

// Judges are the devices that answer; it is authenticator.Devices.
type Judges interface {
	// ByHandle returns the device of a kind with the handle, nil for none.
	ByHandle(ctx context.Context, class, handle string) (*authenticator.Device, error)
	// Judge has check look at devices, one answer at a time.
	Judge(ctx context.Context, ids []int64, factor func(class string) float64, check func(d *authenticator.Device, now time.Time) (bool, error)) (authenticator.Judgement, error)
}

// Kind is the kind of passkeys. The handle of such a device is the id of the
// passkey, its counter that of the last answer.
type Kind struct {
	Devices Judges
	// Log takes why answers are refused.
	Log *slog.Logger
}

var (
	_ authenticator.Answerer  = Kind{}
	_ authenticator.Shown     = Kind{}
	_ authenticator.Described = Kind{}
	_ authenticator.Detailed  = Kind{}
	_ authenticator.Usable    = Kind{}
)

// Type implements authenticator.Kind.
func (Kind) Type() authenticator.Type { return kindType }

// anybody is the uid of the offer to whoever has a passkey for the site.
const anybody = "-1"

// Offer implements authenticator.Kind. All passkeys of a person are one offer: the
// browser knows which of them is at hand. Those that were made at another host are
// offered too: a host that nobody has passkeys for must not make the question go away.
func (k Kind) Offer(_ context.Context, v *authenticator.Validation) ([]authenticator.Offer, error) {
	site := passkey.At(v.X)
	if v.Person == nil {
		return []authenticator.Offer{{UID: anybody, Challenge: site.Request(passkey.Challenge(v.X), nil, verification(v), hints(v))}}, nil
	}
	var usable []authenticator.Device
	for _, d := range v.Devices {
		ok, err := k.Usable(&d, v.Options)
		if err != nil {
			return nil, err
		}
		if ok {
			usable = append(usable, d)
		}
	}
	offers := authenticator.First(usable)
	if offers == nil {
		return nil, nil
	}
	named := slices.Clone(usable)
	slices.SortStableFunc(named, func(a, b authenticator.Device) int { return cmp.Compare(a.Name, b.Name) })
	var ids []string
	for _, d := range named {
		ids = append(ids, d.Handle)
	}
	offers[0].Challenge = site.Request(passkey.Challenge(v.X), ids, verification(v), hints(v))
	return offers, nil
}

// verification is how much the passkey has to make sure of its owner. One that says
// who somebody is, is all that they show: it has to be two factors, the passkey and
// what unlocks it, whatever the stage asks of second steps.
func verification(v *authenticator.Validation) passkey.UserVerification {
	if v.Person == nil {
		return passkey.Required
	}
	return passkey.UserVerification(v.Options.UserVerification)
}

func hints(v *authenticator.Validation) []passkey.Hint {
	var out []passkey.Hint
	for _, h := range v.Options.Hints {
		out = append(out, passkey.Hint(h))
	}
	return out
}

// Key implements authenticator.Answerer.
func (Kind) Key() string { return "webauthn" }

// Answer implements authenticator.Answerer. The passkey is found by its id, and
// judged with nobody else at it, so that an answer moves the counter once.
func (k Kind) Answer(ctx context.Context, v *authenticator.Validation, value any) (authenticator.Verdict, error) {
	challenge := passkey.Take(v.X)
	a, err := passkey.ReadAssertion(value)
	if err != nil {
		return k.refuse(ctx, authenticator.Verdict{Quiet: true}, err)
	}
	d, err := k.Devices.ByHandle(ctx, kindType.Class, a.ID())
	switch {
	case err != nil:
		return authenticator.Verdict{}, err
	case d == nil:
		return k.refuse(ctx, authenticator.Verdict{Quiet: true, Problem: unknown()}, fmt.Errorf("nobody has the passkey"))
	case v.Person != nil && d.User != v.Person.ID:
		return k.refuse(ctx, authenticator.Verdict{Quiet: true, Problem: unknown()}, fmt.Errorf("the passkey is user %d's", d.User))
	case v.Person == nil && !a.NamesOwner():
		return k.refuse(ctx, authenticator.Verdict{}, fmt.Errorf("the passkey does not say whose it is"))
	}
	var why error
	site := passkey.At(v.X)
	j, err := k.Devices.Judge(ctx, []int64{d.ID}, func(string) float64 { return authenticator.Unlimited }, func(d *authenticator.Device, _ time.Time) (bool, error) {
		var r passkey.Record
		if err := d.Read(&r); err != nil {
			return false, err
		}
		if !r.OneOf(v.Options.AllowedTypes) {
			why = fmt.Errorf("passkeys of make %s are not allowed", r.AAGUID)
			return false, nil
		}
		var counter int64
		if counter, why = site.Verify(a, challenge, verification(v), &r, d.Counter); why != nil {
			return false, nil
		}
		d.Counter = counter
		return true, nil
	})
	if err != nil {
		return authenticator.Verdict{}, err
	}
	if j.Device == nil {
		return k.refuse(ctx, authenticator.Verdict{Events: suspicion(v, d, why)}, why)
	}
	return authenticator.Verdict{Device: j.Device}, nil
}

// refuse writes the reason to the log; the person learns no more than that it did
// not work.
func (k Kind) refuse(ctx context.Context, v authenticator.Verdict, why error) (authenticator.Verdict, error) {
	k.Log.InfoContext(ctx, "passkey refused", "reason", why)
	return v, nil
}

func unknown() *field.Error {
	return &field.Error{Code: field.CodeInvalid, Message: "webauthn.error.unknown", String: "This passkey is not known here. Use another one."}
}

// suspicion is the event of an answer that tells of a copied passkey.
func suspicion(v *authenticator.Validation, d *authenticator.Device, why error) []flow.Event {
	if why != passkey.ErrCopied {
		return nil
	}
	return []flow.Event{{Action: "suspicious_request", User: v.Person, Context: map[string]any{
		"message": "The counter of a passkey did not go up. The passkey may have been copied.", "device": d.Name, "device_pk": d.Key(), "stage": v.X.Stage()}}}
}

// members are those of an object in the API.
type members struct {
	Created    time.Time           `json:"created_on" field:"readonly"`
	DeviceType *passkey.DeviceType `json:"device_type" field:"readonly,null"`
	AAGUID     string              `json:"aaguid" field:"readonly"`
}

// Members implements authenticator.Shown.
func (Kind) Members(d *authenticator.Device) (any, error) {
	if d == nil {
		return &members{}, nil
	}
	var r passkey.Record
	if err := d.Read(&r); err != nil {
		return nil, err
	}
	m := &members{Created: d.Created, AAGUID: r.AAGUID.String()}
	if name, ok := passkey.Make(r.AAGUID); ok {
		m.DeviceType = &passkey.DeviceType{AAGUID: r.AAGUID, Description: name}
	}
	return m, nil
}

// Usable implements authenticator.Usable.
func (Kind) Usable(d *authenticator.Device, o authenticator.Options) (bool, error) {
	var r passkey.Record
	if err := d.Read(&r); err != nil {
		return false, err
	}
	return r.OneOf(o.AllowedTypes), nil
}

// Details implements authenticator.Detailed.
func (Kind) Details(d *authenticator.Device) (authenticator.Details, error) {
	var r passkey.Record
	if err := d.Read(&r); err != nil {
		return authenticator.Details{}, err
	}
	return authenticator.Details{Synced: &r.Synced}, nil
}

// Describe implements authenticator.Described.
func (Kind) Describe(d *authenticator.Device) (description, external string) {
	var r passkey.Record
	if err := d.Read(&r); err != nil || r.AAGUID == uuid.Nil {
		return "", ""
	}
	name, _ := passkey.Make(r.AAGUID)
	return name, r.AAGUID.String()
}
