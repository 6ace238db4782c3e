package resource

import (
	"context"
	"slices"
	"strings"

	"github.com/google/uuid"

	"github.com/weir-id/weir/field"
	"github.com/weir-id/weir/internal/passkey"
)

const deviceTypeModel = "authentik_stages_authenticator_webauthn.webauthndevicetype"

// deviceType are the makes of passkeys that are known by name. They come with the
// program and are never written.
type deviceType struct{ unwritten }

func deviceTypeKind() *Kind {
	return &Kind{Objects: deviceType{deviceTypeModel}, Model: deviceTypeModel, Label: "WebAuthn Device type", Plural: "WebAuthn Device types",
		Path: "stages/authenticator/webauthn_device_types", Param: "aaguid", Key: "aaguid", Schema: "WebAuthnDeviceType", Tag: "stages", Calls: List | Retrieve,
		Filters: []Filter{{Name: "aaguid", Type: "string", Format: "uuid"}, {Name: "description"}}}
}

// Fields implements Objects.
func (deviceType) Fields() []field.Spec { return field.Describe(new(passkey.DeviceType)) }

func deviceTypeRef(d passkey.DeviceType) *Ref {
	return &Ref{Model: deviceTypeModel, Key: d.AAGUID.String(), Name: d.Description, loaded: d}
}

// Find implements Objects.
func (deviceType) Find(_ context.Context, _ View, match map[string]any) (*Ref, error) {
	match, ok, err := lookup(deviceTypeModel, match, map[string]matchType{"aaguid": matchUUID, "pk": matchUUID, "description": matchText})
	if err != nil || !ok {
		return nil, err
	}
	for _, d := range passkey.Makes() {
		agrees := true
		for name, want := range match {
			have := d.AAGUID.String()
			if name == "description" {
				have = d.Description
			}
			agrees = agrees && have == textOf(want)
		}
		if agrees {
			return deviceTypeRef(d), nil
		}
	}
	return nil, nil
}

// List implements Objects.
func (deviceType) List(_ context.Context, _ View, q *Query) ([]*Ref, int, error) {
	var found []passkey.DeviceType
	for _, d := range passkey.Makes() {
		if typeAgrees(d, q) {
			found = append(found, d)
		}
	}
	refs, total := arrange(found, q, func(d passkey.DeviceType, name string) string {
		if name == "aaguid" {
			return d.AAGUID.String()
		}
		return d.Description
	}, deviceTypeRef)
	return refs, total, nil
}

func typeAgrees(d passkey.DeviceType, q *Query) bool {
	if !q.Scope.All && !slices.Contains(q.Scope.IDs, d.AAGUID.String()) {
		return false
	}
	if want, asked := q.Filters["aaguid"]; asked {
		if id, err := uuid.Parse(textOf(want)); err != nil || id != d.AAGUID {
			return false
		}
	}
	if want, asked := q.Filters["description"]; asked && textOf(want) != d.Description {
		return false
	}
	all := strings.ToLower(d.Description + "\n" + d.AAGUID.String())
	return !slices.ContainsFunc(q.Terms, func(term string) bool { return !strings.Contains(all, strings.ToLower(term)) })
}

// Read implements Objects.
func (deviceType) Read(_ context.Context, _ View, refs ...*Ref) ([]map[string]any, error) {
	out := make([]map[string]any, len(refs))
	for i, ref := range refs {
		d, ok := ref.loaded.(passkey.DeviceType)
		if !ok {
			return nil, ErrGone
		}
		out[i] = field.Encode(&d, field.Public)
	}
	return out, nil
}
