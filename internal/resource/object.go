package resource

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"time"

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
	// extras are the read-only members that the documents do not hold.
	extras []extra
	// search are the paths that a search looks into.
	search []string
	// filters are those of the kind.
	filters []Filter
}

// extra is a group of computed members.
type extra struct {
	specs []field.Spec
	read  func(v View, o *catalog.Object) map[string]any
}

// computed declares read-only members by a struct with json names.
func computed[T any](read func(v View, o *catalog.Object) T) extra {
	return extra{readOnly(new(T)), func(v View, o *catalog.Object) map[string]any {
		members := read(v, o)
		return field.Encode(&members, field.Public)
	}}
}

// parts are the structs of a document that the kind shows: of base classes the
// part that all types share.
func (k *object) parts(all []any) []any {
	if k.base {
		return all[:1]
	}
	return all
}

// Fields implements Objects.
func (k *object) Fields() []field.Spec {
	defaults, ok := k.catalog.Defaults(k.kind, k.typ)
	if !ok {
		defaults = k.catalog.CommonDefaults(k.kind)
	}
	var out []field.Spec
	for _, e := range k.extras {
		out = append(out, e.specs...)
	}
	for _, part := range k.parts(defaults) {
		out = append(out, field.Describe(part)...)
	}
	return out
}

// Find implements Objects.
func (k *object) Find(_ context.Context, v View, match map[string]any) (*Ref, error) {
	found, err := v.Config.Find(k.kind, k.typ, match)
	if err != nil || found == nil {
		return nil, err
	}
	return k.ref(v.Config, found), nil
}

func (k *object) ref(s *catalog.Snapshot, o *catalog.Object) *Ref {
	ref := &Ref{Model: k.model, Key: o.ID.String(), Name: s.DisplayName(o), loaded: o}
	if k.base {
		ref.Model = modelKey(k.catalog.Model(o.Kind, o.Type))
	}
	if target, ok := o.PolicyTarget(); ok {
		ref.PolicyTarget = target.String()
	}
	return ref
}

// List implements Objects.
func (k *object) List(_ context.Context, v View, q *Query) ([]*Ref, int, error) {
	match := map[string]any{}
	var also []func(o *catalog.Object) bool
	for i := range k.filters {
		f := &k.filters[i]
		want, given := q.Filters[f.Name]
		switch {
		case !given:
		case f.Match != nil:
			also = append(also, func(o *catalog.Object) bool { return f.Match(v, o, want) })
		default:
			match[cmp.Or(f.Path, f.Name)] = want
		}
	}
	found, err := v.Config.FindAll(k.kind, k.typ, match)
	if err != nil {
		return nil, 0, err
	}
	if !q.Scope.All {
		also = append(also, func(o *catalog.Object) bool { return slices.Contains(q.Scope.IDs, o.ID.String()) })
	}
	for _, term := range q.Terms {
		also = append(also, func(o *catalog.Object) bool { return k.mentions(v.Config, o, strings.ToLower(term)) })
	}
	if len(also) > 0 {
		var kept []*catalog.Object
		for _, o := range found {
			if !slices.ContainsFunc(also, func(keep func(*catalog.Object) bool) bool { return !keep(o) }) {
				kept = append(kept, o)
			}
		}
		found = kept
	}
	if len(q.Order) > 0 {
		found = slices.Clone(found)
		slices.SortStableFunc(found, func(a, b *catalog.Object) int { return compareBy(v.Config, q.Order, a, b) })
	}
	total := len(found)
	found = found[min(q.offset(), total):min(q.offset()+q.Size, total)]
	refs := make([]*Ref, len(found))
	for i, o := range found {
		refs[i] = k.ref(v.Config, o)
	}
	return refs, total, nil
}

// mentions tells whether a field that is searched holds the term.
func (k *object) mentions(s *catalog.Snapshot, o *catalog.Object, term string) bool {
	for _, path := range k.search {
		v, _ := s.Value(o, path)
		if text, ok := v.(string); ok && strings.Contains(strings.ToLower(text), term) {
			return true
		}
	}
	return false
}

// compareBy compares two objects field by field; null comes first. Fields that
// a kind does not have, or that have no order, say nothing.
func compareBy(s *catalog.Snapshot, order []Order, a, b *catalog.Object) int {
	for _, by := range order {
		x, _ := s.Value(a, by.Field)
		y, _ := s.Value(b, by.Field)
		if c := compareValues(x, y); c != 0 {
			if by.Desc {
				return -c
			}
			return c
		}
	}
	return 0
}

func compareValues(x, y any) int {
	switch x := x.(type) {
	case nil:
		if y == nil {
			return 0
		}
		return -1
	case string:
		if y, ok := y.(string); ok {
			return strings.Compare(x, y)
		}
	case bool:
		if y, ok := y.(bool); ok && x != y {
			if y {
				return -1
			}
			return 1
		}
	case int64:
		if y, ok := y.(int64); ok {
			return cmp.Compare(x, y)
		}
	case uint64:
		if y, ok := y.(uint64); ok {
			return cmp.Compare(x, y)
		}
	case float64:
		if y, ok := y.(float64); ok {
			return cmp.Compare(x, y)
		}
	case time.Time:
		if y, ok := y.(time.Time); ok {
			return x.Compare(y)
		}
	}
	if y == nil {
		return 1
	}
	return 0
}

// Create implements Objects.
func (k *object) Create(ctx context.Context, w *Write, pk string, data map[string]any) (*Ref, []string, error) {
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
	o, unknown, err := w.Tx.Create(k.kind, k.typ, id, data)
	if err != nil {
		return nil, unknown, err
	}
	if err := k.mayHandOut(ctx, w, o, data); err != nil {
		return nil, unknown, err
	}
	return k.ref(w.Snapshot(), o), k.strange(unknown), nil
}

// mayHandOut refuses groups that give more than the author of the write holds,
// in fields that put people into groups (rule 46).
func (k *object) mayHandOut(ctx context.Context, w *Write, o *catalog.Object, data map[string]any) error {
	for _, part := range k.parts(k.catalog.Parts(o)) {
		for _, spec := range field.Describe(part) {
			if _, given := data[spec.Name]; !given || !spec.Grants {
				continue
			}
			for _, ref := range field.References(part) {
				group, err := uuid.Parse(ref.ID)
				if ref.Field != spec.Name || err != nil {
					continue
				}
				if err := mayJoin(ctx, w, group); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// Update implements Objects.
func (k *object) Update(ctx context.Context, w *Write, ref *Ref, data map[string]any, mode field.Mode) (changed, unknown []string, err error) {
	if k.base {
		return nil, nil, onlyFind(k.model)
	}
	before, err := k.get(w.Snapshot(), ref)
	if err != nil {
		return nil, nil, err
	}
	after, unknown, err := w.Edit(before.ID, data, mode)
	if err != nil {
		return nil, unknown, err
	}
	if err := k.mayHandOut(ctx, w, after, data); err != nil {
		return nil, unknown, err
	}
	// A name or slug may be what has changed.
	*ref = *k.ref(w.Snapshot(), after)
	return differing(values(before.Doc), values(after.Doc)), k.strange(unknown), nil
}

// Check implements Objects.
func (k *object) Check(_ context.Context, w *Write, ref *Ref, data map[string]any) error {
	o, err := k.get(w.Snapshot(), ref)
	if err != nil {
		return err
	}
	return w.Tx.Check(o.ID, data)
}

// Delete implements Objects.
func (k *object) Delete(_ context.Context, w *Write, ref *Ref) error {
	o, err := k.get(w.Snapshot(), ref)
	if err != nil {
		return err
	}
	return gone(w.Tx.Delete(o.ID))
}

// Read implements Objects.
func (k *object) Read(_ context.Context, v View, refs ...*Ref) ([]map[string]any, error) {
	out := make([]map[string]any, len(refs))
	for i, ref := range refs {
		o, err := k.get(v.Config, ref)
		if err != nil {
			return nil, err
		}
		out[i] = map[string]any{}
		for _, part := range k.parts(k.catalog.Parts(o)) {
			maps.Copy(out[i], field.Encode(part, field.Public))
		}
		for _, e := range k.extras {
			maps.Copy(out[i], e.read(v, o))
		}
	}
	return out, nil
}

// UsedBy implements Objects.
func (k *object) UsedBy(_ context.Context, v View, ref *Ref) ([]Use, error) {
	o, err := k.get(v.Config, ref)
	if err != nil {
		return nil, err
	}
	return uses(k.catalog, v.Config, v.Config.Referrers(o.ID), o.ID.String()), nil
}

// uses describes the objects that refer to an id.
func uses(c *catalog.Catalog, s *catalog.Snapshot, referrers []*catalog.Object, id string) []Use {
	out := []Use{}
	for _, from := range referrers {
		use := Use{Model: modelKey(c.Model(from.Kind, from.Type)), Key: from.ID.String(), Name: cmp.Or(s.DisplayName(from), from.ID.String())}
		for _, part := range c.Parts(from) {
			for _, ref := range field.References(part) {
				if ref.ID != id || use.Action == field.Cascade {
					continue
				}
				spec, _ := field.Lookup(part, ref.Field)
				switch {
				case ref.OnDelete == field.Cascade:
					use.Action = field.Cascade
				case spec.Type == "array":
					use.Action = "cascade_many"
				default:
					use.Action = "set_null"
				}
			}
		}
		out = append(out, use)
	}
	return out
}

// get is the object of a ref as it is now.
func (k *object) get(s *catalog.Snapshot, ref *Ref) (*catalog.Object, error) {
	id, err := uuid.Parse(ref.ID())
	if err != nil {
		return nil, fmt.Errorf("read %s %v: %w", k.model, ref.Key, err)
	}
	o, ok := s.Get(id)
	if !ok || o.Kind != k.kind {
		return nil, fmt.Errorf("read %s %s: %w", k.model, id, ErrGone)
	}
	return o, nil
}

// strange leaves out the keys that are known but never written: those of the
// representation, which data copied from there may hold.
func (k *object) strange(unknown []string) []string {
	return slices.DeleteFunc(unknown, func(name string) bool {
		return slices.Contains(alwaysReadOnly, name) || slices.ContainsFunc(k.extras, func(e extra) bool {
			return slices.ContainsFunc(e.specs, func(s field.Spec) bool { return s.Name == name })
		})
	})
}

// alwaysReadOnly are keys that old representations had.
var alwaysReadOnly = []string{"pk", "component", "verbose_name", "verbose_name_plural", "meta_model_name", "policybindingmodel_ptr_id", "flow_set",
	"bound_to", "export_url", "stages", "policies", "stage_obj", "policy_obj", "group_obj", "user_obj", "cache_count", "brand_uuid"}

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
