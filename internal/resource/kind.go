package resource

import (
	"strings"

	"github.com/weir-id/weir/field"
	"github.com/weir-id/weir/internal/access"
)

// Kind declares one model. Everything that is known of it from outside follows
// from here: API addresses, permissions, OpenAPI, blueprint entries, forms.
type Kind struct {
	Objects
	// Model is the name in blueprints and permissions: "authentik_flows.flow".
	Model string
	// Label and Plural are the names for people.
	Label, Plural string
	// Path is the address below /api/v3/: "flows/instances". Kinds without one
	// are met in blueprints only.
	Path string
	// Param is the name of the key in addresses, Key the field that it is:
	// "slug" and "slug", "fsb_uuid" and "pk".
	Param, Key string
	// Schema is the name of the object in OpenAPI: "Flow". Tag groups the
	// addresses there.
	Schema, Tag string
	// Calls are the generic addresses of the kind; zero for all of them.
	Calls Calls
	// Alias tells that the objects are those of another kind with the same model,
	// which has the permissions, at an address of their own.
	Alias bool
	// Files tells that blueprints may hold objects of the kind.
	Files bool
	// Verbs are the permissions of the kind besides view, add, change, delete.
	Verbs []access.Verb
	// AddOwn lets everybody who is signed in create objects of their own.
	AddOwn bool
	// Filters are the parameters of lists besides paging, ordering and search.
	Filters []Filter
	// Includes are the parameters that choose optional members.
	Includes []Include
	// NoSearch and NoName leave the parameters search and name out.
	NoSearch bool
}

// Calls is a set of generic calls.
type Calls uint

// The generic calls.
const (
	List Calls = 1 << iota
	Create
	Retrieve
	Change // PUT and PATCH
	Delete
	UsedBy
	AllCalls = List | Create | Retrieve | Change | Delete | UsedBy
)

// Has tells whether the kind answers a call.
func (k *Kind) Has(c Calls) bool {
	calls := k.Calls
	if calls == 0 {
		calls = AllCalls
	}
	return k.Path != "" && calls&c != 0
}

// App and Name are the two parts of the model: "authentik_flows", "flow". Name
// is what permissions call the kind.
func (k *Kind) App() string { app, _, _ := strings.Cut(k.Model, "."); return app }

// Name is the part of the model behind the dot.
func (k *Kind) Name() string { _, name, _ := strings.Cut(k.Model, "."); return name }

// AllVerbs are the permissions of the kind: those that one of its calls, or an
// import, asks for.
func (k *Kind) AllVerbs() []access.Verb {
	var out []access.Verb
	for _, common := range []struct {
		verb access.Verb
		by   Calls
	}{{access.View, List | Retrieve | UsedBy}, {access.Add, Create}, {access.Change, Change}, {access.Delete, Delete}} {
		if k.Files || k.Has(common.by) {
			out = append(out, common.verb)
		}
	}
	return append(out, k.Verbs...)
}

// Writable returns the fields that the API accepts.
func (k *Kind) Writable() []field.Spec {
	var out []field.Spec
	for _, s := range k.Fields() {
		if !s.ReadOnly && !s.File {
			out = append(out, s)
		}
	}
	return out
}

// Include is a parameter that asks for optional members.
type Include struct {
	Name    string
	Default bool
}

// wants tells whether an optional member is wanted.
func (v View) wants(name string, byDefault bool) bool {
	if wanted, said := v.Include[name]; said {
		return wanted
	}
	return byDefault
}
