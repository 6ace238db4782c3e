package resource

import (
	"slices"
	"strings"
	"time"

	"github.com/weir-id/weir/internal/access"
	"github.com/weir-id/weir/internal/catalog"
	"github.com/weir-id/weir/internal/directory"
	"github.com/weir-id/weir/internal/directory/password"
	"github.com/weir-id/weir/internal/session/token"
)

// Config is what the kinds are made of.
type Config struct {
	Catalog   *catalog.Catalog
	Directory *directory.Directory
	// Hasher verifies passwords, so that the same password is no change.
	Hasher *password.Hasher
	Tokens *token.Tokens
	Access *access.Access
	// Now is the clock; time.Now when nil.
	Now func() time.Time
}

// Registry knows the models by name. It never changes.
type Registry struct {
	kinds map[string]Kind
	bases map[string]Kind
}

// New returns a registry of all models.
func New(c Config) *Registry {
	r := &Registry{kinds: map[string]Kind{}, bases: map[string]Kind{}}
	for _, model := range c.Catalog.Models() {
		kind, typ, _ := c.Catalog.ByModel(model)
		r.add(&object{catalog: c.Catalog, model: modelKey(model), kind: kind, typ: typ})
	}
	r.bases["authentik_flows.stage"] = &object{catalog: c.Catalog, model: "authentik_flows.stage", kind: catalog.KindStage, base: true}
	r.bases["authentik_policies.policy"] = &object{catalog: c.Catalog, model: "authentik_policies.policy", kind: catalog.KindPolicy, base: true}
	roles := roleSets{c.Access}
	r.add(&user{c.Directory, c.Hasher, roles})
	r.add(&group{c.Directory, roles})
	if c.Now == nil {
		c.Now = time.Now
	}
	r.add(&apiToken{c.Tokens, c.Directory, c.Now})
	return r
}

func (r *Registry) add(k Kind) { r.kinds[modelKey(k.Model())] = k }

// modelKey folds the model name; app labels are exact.
func modelKey(model string) string {
	app, name, _ := strings.Cut(model, ".")
	return app + "." + strings.ToLower(name)
}

// Models returns the names of all models whose objects can be written, sorted.
func (r *Registry) Models() []string {
	models := make([]string, 0, len(r.kinds))
	for model := range r.kinds {
		models = append(models, model)
	}
	slices.Sort(models)
	return models
}

// Kind returns a model whose objects can be written. The error is an
// *UnknownModelError.
func (r *Registry) Kind(model string) (Kind, error) {
	if k, ok := r.kinds[modelKey(model)]; ok {
		return k, nil
	}
	if _, ok := r.bases[modelKey(model)]; ok {
		return nil, onlyFind(model)
	}
	return nil, unknownModel(model)
}

// Base returns a model or base class for a look-up. The error is an
// *UnknownModelError.
func (r *Registry) Base(model string) (Kind, error) {
	if k, ok := r.bases[modelKey(model)]; ok {
		return k, nil
	}
	if k, ok := r.kinds[modelKey(model)]; ok {
		return k, nil
	}
	return nil, unknownModel(model)
}

// UnknownModelError says that no kind goes by a name.
type UnknownModelError struct {
	Model string
	// Area names what the model belongs to when authentik has such a model but
	// Weir does not; empty for a name that means nothing.
	Area string
}

func (e *UnknownModelError) Error() string {
	if e.Area == "" {
		return "the model " + e.Model + " is not known"
	}
	return "the model " + e.Model + " belongs to " + e.Area + ", which Weir does not have"
}

// areas are the parts of authentik that are outside of Weir, by the beginning
// of their model names.
var areas = []struct{ prefix, area string }{
	{"authentik_sources_", "sources"},
	{"authentik_core.source", "sources"},
	{"authentik_core.usersourceconnection", "sources"},
	{"authentik_core.groupsourceconnection", "sources"},
	{"authentik_stages_source.", "sources"},
	{"authentik_providers_", "providers"},
	{"authentik_core.provider", "providers"},
	{"authentik_core.propertymapping", "property mappings"},
	{"authentik_core.application", "applications"},
	{"authentik_outposts.", "outposts"},
	{"authentik_enterprise", "enterprise features"},
	{"authentik_endpoints", "enterprise features"},
	{"authentik_stages_authenticator_endpoint_gdtc.", "enterprise features"},
	{"authentik_stages_mtls.", "enterprise features"},
	{"authentik_policies_unique_password.", "enterprise features"},
	{"authentik_crypto.", "certificates"},
	{"authentik_tenants.", "tenants"},
	{"authentik_events.", "notification rules"},
	{"authentik_rbac.", "the management of roles"},
	{"authentik_blueprints.", "blueprint instances"},
}

func unknownModel(model string) error {
	key := modelKey(model)
	for _, a := range areas {
		if strings.HasPrefix(key, a.prefix) {
			return &UnknownModelError{model, a.area}
		}
	}
	return &UnknownModelError{Model: model}
}
