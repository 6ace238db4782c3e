// Package resource says what can be written from outside and how: each kind of
// object declares its model name, how it is found, created, changed, deleted and
// read. Blueprints and the API go through the same declarations, so a rule
// about data stands once and fails with the same words.
//
// The package does not know who may write; its callers ask package access.
package resource

import (
	"context"
	"errors"
	"fmt"
	"sort"
	"strings"

	"github.com/weir-id/weir/field"
	"github.com/weir-id/weir/internal/catalog"
	"github.com/weir-id/weir/internal/directory"
)

// Ref names a stored object.
type Ref struct {
	// Key is the primary key on the wire: a string (UUID), or int64 for users.
	Key any
	// PolicyTarget is the second id of things that policies are bound to;
	// empty for others.
	PolicyTarget string
	// Model is the model name of the object's kind, never that of a base type.
	Model string
	// Name is what people call the object.
	Name string
}

// Kind is one kind of object. Data that is at fault gives field.Errors; see
// Fault.
type Kind interface {
	// Model is the name in blueprints: "authentik_flows.flow".
	Model() string
	// Find returns the first object that matches all fields, in the kind's
	// default order; nil when there is none.
	Find(ctx context.Context, tx *catalog.Tx, match map[string]any) (*Ref, error)
	// Create makes an object; an empty key means a new one. unknown are the
	// keys of data that have no meaning for the kind.
	Create(ctx context.Context, tx *catalog.Tx, key string, data map[string]any) (ref *Ref, unknown []string, err error)
	// Update changes the given fields; changed are those that are different
	// now, sorted.
	Update(ctx context.Context, tx *catalog.Tx, ref *Ref, data map[string]any) (changed, unknown []string, err error)
	// Check validates data as Update would and changes nothing.
	Check(ctx context.Context, tx *catalog.Tx, ref *Ref, data map[string]any) error
	// Delete removes the object and what cannot be without it.
	Delete(ctx context.Context, tx *catalog.Tx, ref *Ref) error
	// Read returns the object as the API shows it, without secrets.
	Read(ctx context.Context, tx *catalog.Tx, ref *Ref) (map[string]any, error)
}

// Registry holds the kinds by model name.
type Registry struct {
	kinds map[string]Kind
	bases map[string]Kind
}

// NewRegistry returns the kinds of this program.
func NewRegistry(c *catalog.Catalog, people *directory.Directory, tokens Tokens) *Registry {
	r := &Registry{kinds: map[string]Kind{}, bases: map[string]Kind{}}
	for _, model := range c.Models() {
		kind, typ, _ := c.ByModel(model)
		r.kinds[modelKey(model)] = &configKind{catalog: c, model: model, kind: kind, typ: typ}
	}
	for _, k := range []Kind{&userKind{people: people}, &groupKind{people: people}, &tokenKind{tokens: tokens, people: people}} {
		r.kinds[modelKey(k.Model())] = k
	}
	for model, kind := range map[string]string{"authentik_flows.stage": catalog.KindStage, "authentik_policies.policy": catalog.KindPolicy} {
		r.bases[modelKey(model)] = &configKind{catalog: c, model: model, kind: kind}
	}
	return r
}

// Kind returns the kind that entries of a blueprint may name. The error says
// whether the model is unknown or one that this program leaves to others.
func (r *Registry) Kind(model string) (Kind, error) {
	if k, ok := r.kinds[modelKey(model)]; ok {
		return k, nil
	}
	if _, ok := r.bases[modelKey(model)]; ok {
		return nil, fmt.Errorf("%s is a base type; name one of its types", model)
	}
	return nil, unknownModel(model)
}

// Base returns the kind for a look-up, which may also name a base type that
// stands for all its types.
func (r *Registry) Base(model string) (Kind, error) {
	if k, ok := r.bases[modelKey(model)]; ok {
		return k, nil
	}
	return r.Kind(model)
}

// Models returns the model names that entries may name, sorted.
func (r *Registry) Models() []string {
	out := make([]string, 0, len(r.kinds))
	for _, k := range r.kinds {
		out = append(out, k.Model())
	}
	sort.Strings(out)
	return out
}

// modelKey folds the model name, which is written in any case, and keeps the
// app label, which is not.
func modelKey(model string) string {
	app, name, _ := strings.Cut(model, ".")
	return app + "." + strings.ToLower(name)
}

// outside are the app labels of areas that Weir does not cover.
var outside = []string{
	"authentik_sources_", "authentik_providers_", "authentik_outposts", "authentik_enterprise", "authentik_endpoints",
	"authentik_crypto", "authentik_stages_source", "authentik_stages_authenticator_endpoint_gdtc", "authentik_tenants", "authentik_reports",
	"authentik_lifecycle",
}

func unknownModel(model string) error {
	for _, prefix := range outside {
		if strings.HasPrefix(model, prefix) {
			return fmt.Errorf("the model %s is outside of what Weir does", model)
		}
	}
	return fmt.Errorf("there is no model %s in this version of Weir", model)
}

// errData marks errors that the data is to blame for, besides field.Errors.
type errData struct{ message string }

func (e errData) Error() string { return e.message }

// Fault returns the message of an error that the caller's data is to blame
// for; false when the fault is ours.
func Fault(err error) (string, bool) {
	var errs field.Errors
	var data errData
	switch {
	case errors.As(err, &errs), errors.As(err, &data), errors.Is(err, catalog.ErrField), errors.Is(err, directory.ErrField):
		return err.Error(), true
	}
	return "", false
}
