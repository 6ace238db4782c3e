package catalog

import (
	"fmt"
	"strings"

	"github.com/weir-id/weir/flow"
	"github.com/weir-id/weir/policy"
)

// registry knows the kinds and types of this program. It never changes after
// Open.
type registry struct {
	kinds  []*kind
	byName map[string]*kind
	stages map[string]*flow.StageType
	// models holds the types of each model, by its name with the part behind
	// the dot in small letters.
	models map[string]modelOf
}

type modelOf struct{ kind, typ, name string }

// newRegistry panics when two types share a name: such a program is broken.
func newRegistry(stages []flow.StageType, policies []policy.Type, compile func(name, body string) error) *registry {
	r := &registry{byName: map[string]*kind{}, stages: map[string]*flow.StageType{}, models: map[string]modelOf{}}
	policyTypes := map[string]*policy.Type{}
	for i := range stages {
		t := &stages[i]
		if r.stages[t.Name] != nil {
			panic(fmt.Sprintf("catalog: two stage types are called %q", t.Name))
		}
		r.stages[t.Name] = t
		r.addModel(t.Model, KindStage, t.Name)
	}
	for i := range policies {
		t := &policies[i]
		if policyTypes[t.Name] != nil {
			panic(fmt.Sprintf("catalog: two policy types are called %q", t.Name))
		}
		policyTypes[t.Name] = t
		r.addModel(t.Model, KindPolicy, t.Name)
	}
	r.kinds = append(kinds(r.stages, policyTypes, compile), notificationKinds(compile)...)
	for _, k := range r.kinds {
		k.complete()
		r.byName[k.name] = k
		if k.model != "" {
			r.addModel(k.model, k.name, "")
		}
	}
	return r
}

func (r *registry) addModel(model, kind, typ string) {
	key := modelKey(model)
	if old, ok := r.models[key]; ok {
		panic(fmt.Sprintf("catalog: model %q belongs to both %s %s and %s %s", model, old.kind, old.typ, kind, typ))
	}
	r.models[key] = modelOf{kind, typ, model}
}

// modelKey folds the model name, which blueprints write in any case, and keeps
// the app label, which they do not.
func modelKey(model string) string {
	app, name, _ := strings.Cut(model, ".")
	return app + "." + strings.ToLower(name)
}

// ByModel returns the kind and type behind a model name of blueprints, such as
// "authentik_flows.flow". The type is empty for kinds without types.
func (c *Catalog) ByModel(model string) (kind, typ string, ok bool) {
	m, ok := c.registry.models[modelKey(model)]
	return m.kind, m.typ, ok
}

// Model returns the model name of a kind and type, empty when there is none.
func (c *Catalog) Model(kind, typ string) string {
	for _, m := range c.registry.models {
		if m.kind == kind && m.typ == typ {
			return m.name
		}
	}
	return ""
}

// Models returns all model names in no particular order.
func (c *Catalog) Models() []string {
	names := make([]string, 0, len(c.registry.models))
	for _, m := range c.registry.models {
		names = append(names, m.name)
	}
	return names
}

// Kinds returns the kinds of objects, in the order of their declaration.
func (c *Catalog) Kinds() []string {
	names := make([]string, len(c.registry.kinds))
	for i, k := range c.registry.kinds {
		names[i] = k.name
	}
	return names
}

// Labels returns the names for people of one object of the kind and type, and
// of several.
func (c *Catalog) Labels(kind, typ string) (one, many string) {
	k, ok := c.registry.byName[kind]
	if !ok {
		return "", ""
	}
	one, many = k.label, k.plural
	if doc, ok := k.fresh(typ); ok {
		switch d := doc.(type) {
		case *flow.StageObject:
			one, many = d.Type.Label, d.Type.Label+"s"
		case *policy.Object:
			one, many = d.Type.Label, ""
		}
	}
	if many == "" {
		many = plural(one)
	}
	return one, many
}

// plural is the English plural of a label.
func plural(label string) string {
	if stem, ok := strings.CutSuffix(label, "y"); ok {
		return stem + "ies"
	}
	return label + "s"
}

// Defaults returns the structs that make up a new document of the kind and
// type, with their defaults, for field.Describe.
func (c *Catalog) Defaults(kind, typ string) ([]any, bool) {
	k, ok := c.registry.byName[kind]
	if !ok {
		return nil, false
	}
	doc, ok := k.fresh(typ)
	if !ok {
		return nil, false
	}
	return k.parts(doc), true
}

// CommonDefaults returns the structs of a new document of a kind with types; the
// first is what all types share.
func (c *Catalog) CommonDefaults(kind string) []any {
	k := c.registry.byName[kind]
	return k.parts(k.stranger(""))
}

// Labels returns the names for people of an object's type; see Catalog.Labels.
func (s *Snapshot) Labels(o *Object) (one, many string) { return s.catalog.Labels(o.Kind, o.Type) }
