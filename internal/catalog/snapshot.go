package catalog

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"slices"
	"strings"
	"sync"

	"github.com/google/uuid"

	"github.com/weir-id/weir/field"
	"github.com/weir-id/weir/flow"
	"github.com/weir-id/weir/policy"
)

// Snapshot is the whole configuration at one revision. It never changes and is
// safe for concurrent use. It implements flow.Catalog.
type Snapshot struct {
	catalog  *Catalog
	revision int64
	objects  trie[uuid.UUID, *Object]
	groups   trie[string, *group]
	uniques  trie[string, uuid.UUID]
	// backrefs are the objects that refer to "<kind>:<id>".
	backrefs trie[string, []uuid.UUID]
	// targets maps PolicyTargetID to the object's own id.
	targets trie[uuid.UUID, uuid.UUID]
}

var _ flow.Catalog = (*Snapshot)(nil)

// group is a sorted list of objects, and, made when first asked for, the same
// as typed documents.
type group struct {
	objects []*Object
	once    sync.Once
	docs    any
}

var noGroup = &group{}

// Revision is the revision of the snapshot.
func (s *Snapshot) Revision() int64 { return s.revision }

// Get returns an object by id, whatever its kind.
func (s *Snapshot) Get(id uuid.UUID) (*Object, bool) { return s.objects.get(id) }

// Objects returns the objects of a kind in its default order. The list is
// shared and must not be changed.
func (s *Snapshot) Objects(kind string) []*Object { return s.group(kind, "").objects }

func (s *Snapshot) group(kind, key string) *group {
	if g, ok := s.groups.get(kind + " " + key); ok {
		return g
	}
	return noGroup
}

// docs returns the typed list of a group.
func docs[T any](s *Snapshot, kind, key string) []T {
	g := s.group(kind, key)
	g.once.Do(func() {
		if len(g.objects) > 0 {
			g.docs = s.catalog.registry.byName[kind].list(g.objects)
		}
	})
	list, _ := g.docs.([]T)
	return list
}

func doc[T any](s *Snapshot, id uuid.UUID) (T, bool) {
	var zero T
	o, ok := s.objects.get(id)
	if !ok {
		return zero, false
	}
	return usable[T](o)
}

// usable returns the document for the typed look-ups. Where a kind has no way
// to say that an object is broken, the object is not there: a flow whose
// settings cannot be read must not run with the defaults.
func usable[T any](o *Object) (T, bool) {
	d, ok := o.Doc.(T)
	return d, ok && (o.Err == nil || !o.kind.hides)
}

// nameOf names an object for people; its id when it does not exist.
func (s *Snapshot) nameOf(id uuid.UUID) string {
	if o, ok := s.objects.get(id); ok {
		return s.DisplayName(o)
	}
	return id.String()
}

// DisplayName names an object for people.
func (s *Snapshot) DisplayName(o *Object) string {
	return o.kind.display(s, o.Doc)
}

// with returns a snapshot with the object instead of its former version.
func (s *Snapshot) with(o *Object) *Snapshot {
	next := s.without(o.ID)
	k := o.kind
	next.objects = next.objects.with(o.ID, o)
	for _, key := range groupKeys(k, o) {
		next.regroup(k, key, o, true)
	}
	for _, key := range uniqueKeys(k, o.Doc) {
		next.uniques = next.uniques.with(key, o.ID)
	}
	for _, ref := range references(k, o.Doc) {
		key := refKey(ref.Kind, ref.ID)
		from, _ := next.backrefs.get(key)
		if !slices.Contains(from, o.ID) {
			next.backrefs = next.backrefs.with(key, append(slices.Clone(from), o.ID))
		}
	}
	if k.target {
		next.targets = next.targets.with(PolicyTargetID(o.ID), o.ID)
	}
	return next
}

// without returns a snapshot that lacks the object.
func (s *Snapshot) without(id uuid.UUID) *Snapshot {
	next := *s
	old, ok := s.objects.get(id)
	if !ok {
		return &next
	}
	k := old.kind
	next.objects = next.objects.without(id)
	for _, key := range groupKeys(k, old) {
		next.regroup(k, key, old, false)
	}
	for _, key := range uniqueKeys(k, old.Doc) {
		if owner, _ := next.uniques.get(key); owner == id {
			next.uniques = next.uniques.without(key)
		}
	}
	for _, ref := range references(k, old.Doc) {
		key := refKey(ref.Kind, ref.ID)
		from, _ := next.backrefs.get(key)
		if i := slices.Index(from, id); i >= 0 {
			if from = slices.Delete(slices.Clone(from), i, i+1); len(from) > 0 {
				next.backrefs = next.backrefs.with(key, from)
			} else {
				next.backrefs = next.backrefs.without(key)
			}
		}
	}
	if k.target {
		next.targets = next.targets.without(PolicyTargetID(id))
	}
	return &next
}

// regroup puts an object into a sorted group or takes it out.
func (s *Snapshot) regroup(k *kind, key string, o *Object, in bool) {
	key = k.name + " " + key
	objects := noGroup.objects
	if g, ok := s.groups.get(key); ok {
		objects = g.objects
	}
	at, found := slices.BinarySearchFunc(objects, o, k.compare)
	switch {
	case in:
		objects = slices.Insert(slices.Clone(objects), at, o)
	case found:
		objects = slices.Delete(slices.Clone(objects), at, at+1)
	default:
		objects = slices.DeleteFunc(slices.Clone(objects), func(x *Object) bool { return x.ID == o.ID })
	}
	if len(objects) == 0 {
		s.groups = s.groups.without(key)
		return
	}
	s.groups = s.groups.with(key, &group{objects: objects})
}

func groupKeys(k *kind, o *Object) []string { return append([]string{""}, k.groups(o.Doc)...) }

func refKey(kind, id string) string { return kind + ":" + id }

// references returns what a document refers to. References to policy targets
// and to types of a kind count for the kind of the object.
func references(k *kind, doc any) []field.Reference {
	var out []field.Reference
	for _, part := range k.parts(doc) {
		out = append(out, field.References(part)...)
	}
	for i := range out {
		if !dataKind(out[i].Kind) {
			out[i].Kind = anyObject
		}
	}
	return out
}

// anyObject stands for all kinds of the catalog in back references: ids are
// unique over all of them.
const anyObject = "object"

// dataKind tells whether a kind lives in tables of its own.
func dataKind(kind string) bool { return kind == "user" || kind == "group" }

// uniqueKeys are the values that no other object of the kind may have. A set
// with an empty field does not count, as in SQL.
func uniqueKeys(k *kind, doc any) []string {
	var out []string
	for _, set := range k.uniques {
		values := make([]any, len(set))
		complete := true
		for i, name := range set {
			values[i], _ = fieldOf(k, doc, name)
			complete = complete && values[i] != nil
		}
		if complete {
			out = append(out, uniqueKey(k, set, values))
		}
	}
	return out
}

// uniqueKey is the key of a set of fields with these values.
func uniqueKey(k *kind, set []string, values []any) string {
	key, err := json.Marshal(append([]any{k.name + " " + strings.Join(set, ",")}, values...))
	if err != nil {
		return "" // values of documents always encode
	}
	return string(key)
}

// fieldOf returns a field of a document as JSON value.
func fieldOf(k *kind, doc any, name string) (any, bool) {
	for _, part := range k.parts(doc) {
		if v, ok := field.Get(part, name); ok {
			return v, true
		}
	}
	return nil, false
}

// Flow returns a flow by id.
func (s *Snapshot) Flow(id uuid.UUID) (*flow.Flow, bool) { return doc[*flow.Flow](s, id) }

// FlowBySlug returns a flow by slug.
func (s *Snapshot) FlowBySlug(slug string) (*flow.Flow, bool) {
	k := s.catalog.registry.byName[KindFlow]
	id, ok := s.uniques.get(uniqueKey(k, []string{"slug"}, []any{slug}))
	if !ok {
		return nil, false
	}
	return s.Flow(id)
}

// FlowsFor returns the flows of a designation by slug.
func (s *Snapshot) FlowsFor(d flow.Designation) []*flow.Flow {
	return docs[*flow.Flow](s, KindFlow, "designation:"+string(d))
}

// Bindings returns the bindings of a flow by order, then creation.
func (s *Snapshot) Bindings(flowID uuid.UUID) []*flow.Binding {
	return bound[*flow.Binding](s, KindBinding, flowID)
}

// Binding returns a stage binding by id.
func (s *Snapshot) Binding(id uuid.UUID) (*flow.Binding, bool) { return doc[*flow.Binding](s, id) }

// Stage returns a stage by id.
func (s *Snapshot) Stage(id uuid.UUID) (*flow.StageObject, bool) {
	if id == unusable {
		return unusableStage, true
	}
	return doc[*flow.StageObject](s, id)
}

// StageType returns a stage type by name.
func (s *Snapshot) StageType(name string) (*flow.StageType, bool) {
	t, ok := s.catalog.registry.stages[name]
	return t, ok
}

// PolicyBindings returns the bindings of a target by order, then creation.
func (s *Snapshot) PolicyBindings(target uuid.UUID) []*policy.Binding {
	return bound[*policy.Binding](s, KindPolicyBinding, target)
}

// Policy returns a policy by id.
func (s *Snapshot) Policy(id uuid.UUID) (*policy.Object, bool) { return doc[*policy.Object](s, id) }

// PinnedBinding returns a version of a binding; an error when the binding has
// been deleted.
func (s *Snapshot) PinnedBinding(ctx context.Context, id uuid.UUID, version int64) (*flow.Binding, error) {
	return pinned[*flow.Binding](ctx, s, id, version)
}

// PinnedStage returns a version of a stage; an error when the stage has been
// deleted.
func (s *Snapshot) PinnedStage(ctx context.Context, id uuid.UUID, version int64) (*flow.StageObject, error) {
	if id == unusable {
		return unusableStage, nil
	}
	return pinned[*flow.StageObject](ctx, s, id, version)
}

func pinned[T any](ctx context.Context, s *Snapshot, id uuid.UUID, version int64) (T, error) {
	var zero T
	o, ok := s.objects.get(id)
	if !ok {
		return zero, fmt.Errorf("object %s has been deleted", id)
	}
	if o.Version != version {
		old, err := s.catalog.version(ctx, id, version)
		if err != nil {
			return zero, err
		}
		if old.order != o.order {
			// Another object took the id after the deletion.
			return zero, fmt.Errorf("object %s has been deleted and made anew since version %d", id, version)
		}
		o = old
	}
	d, ok := usable[T](o)
	if !ok {
		return zero, fmt.Errorf("object %s is a %s", id, o.Kind)
	}
	return d, nil
}

// fallbackBrand is what a site looks like before anybody made a brand.
var fallbackBrand = func() *flow.Brand {
	b := flow.NewBrand()
	b.Domain = "fallback"
	return &b
}()

// BrandFor returns the brand with the longest domain that is the host or a
// parent of it, else the default brand, else a built-in one.
func (s *Snapshot) BrandFor(host string) *flow.Brand {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	for name := strings.ToLower(strings.TrimSuffix(host, ".")); name != ""; {
		if found := docs[*flow.Brand](s, KindBrand, "domain:"+name); len(found) > 0 {
			return found[0]
		}
		_, parent, ok := strings.Cut(name, ".")
		if !ok {
			break
		}
		name = parent
	}
	if found := docs[*flow.Brand](s, KindBrand, "default"); len(found) > 0 {
		return found[0]
	}
	return fallbackBrand
}
