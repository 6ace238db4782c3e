package expression

import (
	"github.com/google/uuid"
	"go.starlark.net/starlark"

	"github.com/weir-id/weir/identity"
)

// entitlements are those of a person in the application of a call, none in no
// application.
func (e *evaluation) entitlements(p *identity.Person, c call) ([]map[string]any, error) {
	var v starlark.Value
	if err := c.take("app", &v); err != nil || v == starlark.None {
		return nil, err
	}
	var key string
	switch app := v.(type) {
	case *objectValue:
		if app.kind == "application" {
			key, _ = app.fields["pk"].(string)
		}
	case *refValue:
		if app.ref.Kind == "application" {
			key = app.ref.ID.String()
		}
	}
	id, perr := uuid.Parse(key)
	if perr != nil {
		return nil, raise(excType, "%s takes an application, not %s", c.name, repr(v))
	}
	if e.env.Entitlements == nil {
		return nil, raise(excRuntime, "%s: entitlements cannot be looked up here", c.name)
	}
	found, err := e.env.Entitlements(e.ctx, p, id)
	return found, hostError("look up entitlements", err)
}

// appEntitlements is user.app_entitlements.
func (e *evaluation) appEntitlements(p *identity.Person, c call) (starlark.Value, error) {
	found, err := e.entitlements(p, c)
	if err != nil {
		return nil, err
	}
	return e.query(listModel("ApplicationEntitlement", func(_ *evaluation, m *model, where []Lookup) ([]starlark.Value, error) {
		var out []starlark.Value
		for _, fields := range found {
			if matchFields(fields, where) {
				out = append(out, &objectValue{opaque{m.name}, m, "entitlement", fields})
			}
		}
		return out, nil
	}, "pk", "pbm_uuid", "name", "app", "attributes")), nil
}

// appEntitlementsAttributes is user.app_entitlements_attributes: the attributes of
// all entitlements by name, merged.
func (e *evaluation) appEntitlementsAttributes(p *identity.Person, c call) (starlark.Value, error) {
	found, err := e.entitlements(p, c)
	if err != nil {
		return nil, err
	}
	merged := map[string]any{}
	for _, fields := range found {
		attributes, _ := fields["attributes"].(map[string]any)
		merge(merged, attributes)
	}
	return e.dictOf(merged)
}
