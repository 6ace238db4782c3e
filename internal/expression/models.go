package expression

import (
	"context"
	"fmt"
	"net/url"
	"slices"
	"strings"

	"github.com/google/uuid"
	"go.starlark.net/starlark"

	"github.com/weir-id/weir/flow"
	"github.com/weir-id/weir/identity"
)

// Objects are the configuration objects that expressions can look at.
type Objects interface {
	// Objects returns all objects of a kind, "application" or "flow", by the
	// names of their fields on the wire, pk included.
	Objects(kind string) []map[string]any
	// Object returns one of them, or the "invitation" with an id, as long as it
	// holds; nil when there is none.
	Object(ctx context.Context, kind string, id uuid.UUID) (map[string]any, error)
}

// The models that are lists of fields, next to User and Group. Kinds of objects
// that this program does not have are lists without anything in them.
var (
	applicationModel = listModel("Application", configured("application"), "pk", "name", "slug", "group", "provider", "open_in_new_tab",
		"meta_launch_url", "meta_icon", "meta_description", "meta_publisher", "meta_hide", "policy_engine_mode")
	flowModel = listModel("Flow", configured("flow"), "pk", "name", "slug", "title", "designation", "authentication", "layout",
		"background", "denied_action", "compatibility_mode", "policy_engine_mode")
	tokenModel = listModel("Token", func(*evaluation, *model, []Lookup) ([]starlark.Value, error) {
		return nil, raise(excPermission, "Token.objects: expressions cannot look at tokens")
	}, "pk", "identifier", "key", "intent", "user", "description", "expires", "expiring", "managed")
	connectionModel = listModel("UserOAuthSourceConnection", nothing, "pk", "user", "source", "identifier", "access_token", "created", "expires")
	invitationModel = listModel("Invitation", invited, "pk", "invite_uuid", "name", "flow", "single_use", "expires", "fixed_data", "created_by")
	tenantModel     = listModel("Tenant", func(*evaluation, *model, []Lookup) ([]starlark.Value, error) {
		return []starlark.Value{&settingsValue{opaque{"Tenant"}}}, nil
	})
	// deviceModels are the classes of authenticators by their class on the wire.
	deviceModels = map[string]*model{"totp": deviceModel("TOTPDevice"), "static": deviceModel("StaticDevice"), "email": deviceModel("EmailDevice"),
		"sms": deviceModel("SMSDevice"), "duo": deviceModel("DuoDevice"), "webauthn": deviceModel("WebAuthnDevice")}
)

// listModel declares a model whose objects are found by list.
func listModel(name string, list func(*evaluation, *model, []Lookup) ([]starlark.Value, error), fields ...string) *model {
	m := &model{opaque: opaque{"type"}, name: name, fields: fields, list: list, missing: newClass(name+".DoesNotExist", excDoesNotExist)}
	m.instance = func(v starlark.Value) bool { o, ok := v.(*objectValue); return ok && o.m == m }
	return m
}

func deviceModel(name string) *model {
	m := listModel(name, nil, "pk", "user", "name", "confirmed", "last_used")
	m.devices = true
	return m
}

func nothing(*evaluation, *model, []Lookup) ([]starlark.Value, error) { return nil, nil }

// configured lists the objects of a kind of configuration.
func configured(kind string) func(*evaluation, *model, []Lookup) ([]starlark.Value, error) {
	return func(e *evaluation, m *model, where []Lookup) ([]starlark.Value, error) {
		if e.env.Objects == nil {
			return nil, raise(excRuntime, "%s.objects: these cannot be searched here", m.name)
		}
		var out []starlark.Value
		for _, fields := range e.env.Objects.Objects(kind) {
			if err := e.tick(); err != nil {
				return nil, err
			}
			if matchFields(fields, where) {
				out = append(out, &objectValue{opaque{m.name}, m, kind, fields})
			}
		}
		return out, nil
	}
}

// invited finds an invitation by its id. That is the secret of its link, so
// nobody finds one who does not have it.
func invited(e *evaluation, m *model, where []Lookup) ([]starlark.Value, error) {
	for _, l := range where {
		text, ok := l.Value.(string)
		if !ok || l.Not || l.Op != "exact" || l.Field != "pk" && l.Field != "invite_uuid" {
			continue
		}
		id, err := uuid.Parse(text)
		if err != nil {
			return nil, nil // no invitation has such an id
		}
		fields, err := e.configured("invitation", id)
		if err != nil || fields == nil || !matchFields(fields, where) {
			return nil, err
		}
		return []starlark.Value{&objectValue{opaque{m.name}, m, "invitation", fields}}, nil
	}
	return nil, raise(excPermission, "%s.objects: name the invitation by its pk, which is the secret of its link", m.name)
}

// devicesOfUser lists the confirmed authenticators of the user that the lookups
// name.
func devicesOfUser(e *evaluation, m *model, where []Lookup) ([]starlark.Value, error) {
	for _, l := range where {
		if id, ok := l.Value.(int64); ok && l.Field == "user" && l.Op == "exact" && !l.Not {
			all, err := e.authenticators(id)
			if err != nil {
				return nil, err
			}
			return slices.DeleteFunc(all, func(v starlark.Value) bool {
				d := v.(*objectValue)
				return d.m != m || !matchFields(d.fields, where)
			}), nil
		}
	}
	return nil, raise(excRuntime, "%s.objects: name the user whose devices are meant, such as filter(user=request.user)", m.name)
}

// authenticators are the devices of a user.
func (e *evaluation) authenticators(user int64) ([]starlark.Value, error) {
	if e.env.Users == nil {
		return nil, raise(excRuntime, "authenticators cannot be looked up here")
	}
	list, err := e.env.Users.Authenticators(e.ctx, user)
	if err != nil {
		return nil, hostError("read authenticators", err)
	}
	out := make([]starlark.Value, len(list))
	for i, a := range list {
		out[i] = deviceValue(a, user)
	}
	return out, e.elems(len(out))
}

// deviceValue is an authenticator; a user of 0 is unknown.
func deviceValue(a identity.Authenticator, user int64) *objectValue {
	m := deviceModels[a.Class]
	if m == nil {
		m = listModel(a.Class, nothing)
	}
	fields := map[string]any{"pk": a.ID, "id": a.ID, "name": a.Name, "type": a.Class, "confirmed": true, "last_used": a.LastUsed}
	if user != 0 {
		fields["user"] = user
	}
	return &objectValue{opaque{m.name}, m, "authenticator", fields}
}

// devicesForUser is devices_for_user.
func devicesForUser(e *evaluation, c call) (starlark.Value, error) {
	var v starlark.Value
	var confirmed, update starlark.Value
	if err := c.take("user", &v, "confirmed?", &confirmed, "for_verify?", &update); err != nil {
		return nil, err
	}
	u, err := userArg(v)
	if err != nil || !u.p.Saved() {
		return starlark.NewList(nil), err
	}
	list, err := e.authenticators(u.p.ID)
	return starlark.NewList(list), err
}

// matchFields tells whether an object with these fields satisfies all lookups.
func matchFields(fields map[string]any, where []Lookup) bool {
	for _, l := range where {
		if l.Match(dig(fields, append([]string{l.Field}, l.Path...))) == l.Not {
			return false
		}
	}
	return true
}

// objectValue is an object of a listModel. It can be read.
type objectValue struct {
	opaque
	m      *model
	kind   string
	fields map[string]any
}

func (o *objectValue) str() string { return fmt.Sprint(o.fields["name"]) }
func (o *objectValue) Hash() (uint32, error) {
	return starlark.String(fmt.Sprint(o.fields["pk"])).Hash()
}

func (o *objectValue) equal(other starlark.Value) bool {
	x, ok := other.(*objectValue)
	return ok && x.m.name == o.m.name && x.fields["pk"] == o.fields["pk"]
}

func (o *objectValue) attr(e *evaluation, name string) (starlark.Value, error) {
	switch name {
	case "save", "delete":
		return refuse(excPermission, o.m.name+"."+name+": expressions cannot change objects"), nil
	case "id":
		name = "pk"
	}
	if v, ok := o.fields[name]; ok {
		return e.fromGo(v)
	}
	return nil, nil
}

// ref is how a plan keeps the object.
func (o *objectValue) ref() (*flow.Ref, bool) {
	id, err := uuid.Parse(fmt.Sprint(o.fields["pk"]))
	return &flow.Ref{Kind: o.kind, ID: id, Name: o.str()}, err == nil
}

// moduleFlows is authentik.flows.models.
func moduleFlows() *module {
	return newModule("authentik.flows.models", map[string]starlark.Value{
		"Flow": flowModel, "FlowAuthenticationRequirement": choices("FlowAuthenticationRequirement", flow.Requirement("").Choices()),
		"FlowDesignation": choices("FlowDesignation", flow.Designation("").Choices()),
	})
}

// choices are the texts of a choice by their names in capitals.
func choices(name string, texts []string) starlark.Value {
	members := map[string]starlark.Value{}
	for _, text := range texts {
		members[strings.ToUpper(text)] = starlark.String(text)
	}
	return newRecord(name, members)
}

// modulesOfDevices are the modules of the authenticators.
func modulesOfDevices() []*module {
	out := []*module{newModule("authentik.stages.authenticator", functions(map[string]fn{"devices_for_user": devicesForUser}))}
	for class, m := range deviceModels {
		out = append(out, newModule("authentik.stages.authenticator_"+class+".models", map[string]starlark.Value{m.name: m}))
	}
	return out
}

// modulesOfModels are the other modules that published bodies import models
// and their like from.
func modulesOfModels() []*module {
	return append(modulesOfDevices(), moduleFlows(),
		newModule("authentik.tenants.models", map[string]starlark.Value{"Tenant": tenantModel}),
		newModule("authentik.tenants.utils", functions(map[string]fn{"normalize_base_url": normalizeBaseURL})),
		newModule("authentik.sources.oauth.models", map[string]starlark.Value{"UserOAuthSourceConnection": connectionModel}),
		newModule("authentik.stages.invitation.models", map[string]starlark.Value{"Invitation": invitationModel}),
		newModule("authentik.events.context_processors.mmdb", map[string]starlark.Value{"CONTEXT_KEY_CITY": starlark.String("geoip")}),
	)
}

// normalizeBaseURL checks an address of a site and returns it without what
// follows the host.
func normalizeBaseURL(_ *evaluation, c call) (starlark.Value, error) {
	v, err := c.one()
	if err != nil {
		return nil, err
	}
	u, perr := url.Parse(strings.TrimSpace(str(v)))
	if perr != nil || u.Scheme != "http" && u.Scheme != "https" || !validHost(u.Hostname()) || u.User != nil ||
		strings.Trim(u.Path, "/") != "" || u.RawQuery != "" || u.Fragment != "" {
		return nil, raise(excValidation, "Enter a valid URL.")
	}
	return starlark.String(u.Scheme + "://" + strings.ToLower(u.Host)), nil
}
