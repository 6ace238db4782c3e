package resource

import (
	"context"
	"fmt"
	"maps"
	"reflect"
	"slices"

	"github.com/google/uuid"

	"github.com/weir-id/weir/field"
	"github.com/weir-id/weir/flow"
	"github.com/weir-id/weir/internal/catalog"
	"github.com/weir-id/weir/policy"
)

// object is a kind of configuration object: all of them live in the catalog,
// which has the rules.
type object struct {
	catalog          *catalog.Catalog
	model, kind, typ string
	// base marks a class that stands for all types of the kind.
	base bool
}

func (k *object) Model() string { return k.model }

func (k *object) Find(_ context.Context, tx *catalog.Tx, match map[string]any) (*Ref, error) {
	found, err := tx.Find(k.kind, k.typ, match)
	if err != nil || found == nil {
		return nil, err
	}
	return k.ref(tx, found), nil
}

func (k *object) ref(tx *catalog.Tx, o *catalog.Object) *Ref {
	ref := &Ref{Model: k.model, Key: o.ID.String(), Name: tx.Snapshot().DisplayName(o)}
	if k.base {
		ref.Model = modelKey(k.catalog.Model(o.Kind, o.Type))
	}
	if target, ok := tx.Snapshot().ResolveTarget(o.ID); ok {
		ref.PolicyTarget = catalog.PolicyTargetID(target).String()
	}
	return ref
}

func (k *object) Create(_ context.Context, tx *catalog.Tx, pk string, data map[string]any) (*Ref, []string, error) {
	if k.base {
		return nil, nil, onlyFind(k.model)
	}
	id := uuid.Nil
	if pk != "" {
		var err error
		if id, err = uuid.Parse(pk); err != nil {
			return nil, nil, field.Errorf("pk", field.CodeInvalid, "Give the key as a UUID; %q is none.", pk)
		}
	}
	o, unknown, err := tx.Create(k.kind, k.typ, id, data)
	if err != nil {
		return nil, unknown, err
	}
	return k.ref(tx, o), writable(unknown), nil
}

func (k *object) Update(_ context.Context, tx *catalog.Tx, ref *Ref, data map[string]any) (changed, unknown []string, err error) {
	if k.base {
		return nil, nil, onlyFind(k.model)
	}
	before, err := k.get(tx, ref)
	if err != nil {
		return nil, nil, err
	}
	after, unknown, err := tx.Patch(before.ID, data)
	if err != nil {
		return nil, unknown, err
	}
	// A name or slug may be what has changed.
	*ref = *k.ref(tx, after)
	return differing(values(before.Doc), values(after.Doc)), writable(unknown), nil
}

func (k *object) Check(_ context.Context, tx *catalog.Tx, ref *Ref, data map[string]any) error {
	o, err := k.get(tx, ref)
	if err != nil {
		return err
	}
	return tx.Check(o.ID, data)
}

func (k *object) Delete(_ context.Context, tx *catalog.Tx, ref *Ref) error {
	o, err := k.get(tx, ref)
	if err != nil {
		return err
	}
	return tx.Delete(o.ID)
}

func (k *object) Read(_ context.Context, tx *catalog.Tx, ref *Ref) (map[string]any, error) {
	o, err := k.get(tx, ref)
	if err != nil {
		return nil, err
	}
	out := k.catalog.Encode(o)
	out["pk"] = ref.Key
	out["meta_model_name"] = ref.Model
	if ref.PolicyTarget != "" {
		out["policybindingmodel_ptr_id"] = ref.PolicyTarget
	}
	return out, nil
}

func (k *object) get(tx *catalog.Tx, ref *Ref) (*catalog.Object, error) {
	id, err := uuid.Parse(fmt.Sprint(ref.Key))
	if err != nil {
		return nil, fmt.Errorf("read %s %v: %w", k.model, ref.Key, err)
	}
	o, ok := tx.Get(id)
	if !ok || o.Kind != k.kind {
		return nil, fmt.Errorf("read %s %s: %w", k.model, id, catalog.ErrNotFound)
	}
	return o, nil
}

// values returns the whole document, secrets included, to compare it.
func values(doc any) map[string]any {
	out := field.Encode(doc, field.WithSecrets)
	switch d := doc.(type) {
	case *flow.StageObject:
		maps.Copy(out, field.Encode(d.Config, field.WithSecrets))
	case *policy.Object:
		maps.Copy(out, field.Encode(d.Config, field.WithSecrets))
	}
	return out
}

// differing returns the names of the fields that differ, sorted.
func differing(before, after map[string]any) []string {
	var names []string
	for name, v := range after {
		if !reflect.DeepEqual(before[name], v) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// readOnly are keys that every representation of the API has, so data copied
// from there may hold them.
var readOnly = []string{"pk", "component", "verbose_name", "verbose_name_plural", "meta_model_name", "policybindingmodel_ptr_id", "flow_set",
	"bound_to", "export_url", "stages", "policies", "stage_obj", "policy_obj", "group_obj", "user_obj", "cache_count", "brand_uuid"}

// writable leaves out the keys that are known but never written.
func writable(unknown []string) []string {
	return slices.DeleteFunc(unknown, func(name string) bool { return slices.Contains(readOnly, name) })
}
