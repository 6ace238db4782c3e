package resource

import (
	"context"
	"fmt"
	"reflect"
	"slices"

	"github.com/google/uuid"

	"github.com/weir-id/weir/field"
	"github.com/weir-id/weir/internal/catalog"
)

// configKind is a kind of configuration object. One implementation serves all:
// the catalog knows the fields from the typed documents.
type configKind struct {
	catalog *catalog.Catalog
	model   string
	kind    string
	// typ is empty for kinds without types, and for base types.
	typ string
}

// Model implements Kind, as do the methods below.
func (k *configKind) Model() string { return k.model }

func (k *configKind) Find(_ context.Context, tx *catalog.Tx, match map[string]any) (*Ref, error) {
	o, err := tx.Find(k.kind, k.typ, match)
	if err != nil || o == nil {
		return nil, err
	}
	return k.ref(tx, o), nil
}

func (k *configKind) ref(tx *catalog.Tx, o *catalog.Object) *Ref {
	ref := &Ref{Key: o.ID.String(), Model: k.catalog.Model(o.Kind, o.Type), Name: tx.Snapshot().DisplayName(o)}
	if o.Kind == catalog.KindFlow || o.Kind == catalog.KindBinding {
		ref.PolicyTarget = catalog.PolicyTargetID(o.ID).String()
	}
	return ref
}

func (k *configKind) Create(_ context.Context, tx *catalog.Tx, key string, data map[string]any) (*Ref, []string, error) {
	id, err := newKey(key)
	if err != nil {
		return nil, nil, err
	}
	o, unknown, err := tx.Create(k.kind, k.typ, id, data)
	if err != nil {
		return nil, nil, err
	}
	return k.ref(tx, o), unknown, nil
}

// newKey reads the key that a new object shall have; none gives uuid.Nil.
func newKey(key string) (uuid.UUID, error) {
	if key == "" {
		return uuid.Nil, nil
	}
	id, err := uuid.Parse(key)
	if err != nil {
		return uuid.Nil, field.Errorf("pk", field.CodeInvalid, "Enter a UUID.")
	}
	return id, nil
}

func (k *configKind) object(tx *catalog.Tx, ref *Ref) (*catalog.Object, error) {
	id, err := uuid.Parse(fmt.Sprint(ref.Key))
	if err != nil {
		return nil, fmt.Errorf("%s %v: %w", k.model, ref.Key, catalog.ErrNotFound)
	}
	o, ok := tx.Get(id)
	if !ok {
		return nil, fmt.Errorf("%s %s: %w", k.model, id, catalog.ErrNotFound)
	}
	return o, nil
}

func (k *configKind) Update(_ context.Context, tx *catalog.Tx, ref *Ref, data map[string]any) (changed, unknown []string, err error) {
	old, err := k.object(tx, ref)
	if err != nil {
		return nil, nil, err
	}
	before := k.catalog.Encode(old)
	o, unknown, err := tx.Patch(old.ID, data)
	if err != nil {
		return nil, nil, err
	}
	return differing(before, k.catalog.Encode(o)), unknown, nil
}

func (k *configKind) Check(_ context.Context, tx *catalog.Tx, ref *Ref, data map[string]any) error {
	o, err := k.object(tx, ref)
	if err != nil {
		return err
	}
	return tx.Check(o.ID, data)
}

func (k *configKind) Delete(_ context.Context, tx *catalog.Tx, ref *Ref) error {
	o, err := k.object(tx, ref)
	if err != nil {
		return err
	}
	return tx.Delete(o.ID)
}

func (k *configKind) Read(_ context.Context, tx *catalog.Tx, ref *Ref) (map[string]any, error) {
	o, err := k.object(tx, ref)
	if err != nil {
		return nil, err
	}
	out := k.catalog.Encode(o)
	out["pk"] = o.ID.String()
	if target := k.ref(tx, o).PolicyTarget; target != "" {
		out["policybindingmodel_ptr_id"] = target
	}
	return out, nil
}

// differing returns the names of the members that differ, sorted.
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
