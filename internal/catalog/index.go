package catalog

import (
	"cmp"
	"encoding/json"
	"slices"
	"strings"

	"github.com/google/uuid"

	"github.com/weir-id/weir/field"
)

// with returns a snapshot with the object instead of its former version.
func (s *Snapshot) with(o *Object) *Snapshot {
	next := s.without(o.ID)
	k := o.kind
	next.objects = next.objects.with(o.ID, o)
	for _, key := range groupKeys(k, o) {
		g, _ := next.groups.get(key)
		next.groups = next.groups.with(key, &group{kind: k, members: g.with(o)})
	}
	for _, key := range uniqueKeys(k, o.Doc) {
		next.uniques = next.uniques.with(key, o.ID)
	}
	for _, ref := range references(k, o.Doc) {
		key := refKey(ref.Kind, ref.ID)
		from, _ := next.backrefs.get(key)
		next.backrefs = next.backrefs.with(key, from.with(o.ID, struct{}{}))
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
		g, _ := next.groups.get(key)
		if rest := g.members.without(id); rest.empty() {
			next.groups = next.groups.without(key)
		} else {
			next.groups = next.groups.with(key, &group{kind: k, members: rest})
		}
	}
	for _, key := range uniqueKeys(k, old.Doc) {
		if owner, _ := next.uniques.get(key); owner == id {
			next.uniques = next.uniques.without(key)
		}
	}
	for _, ref := range references(k, old.Doc) {
		key := refKey(ref.Kind, ref.ID)
		from, _ := next.backrefs.get(key)
		if from = from.without(id); from.empty() {
			next.backrefs = next.backrefs.without(key)
		} else {
			next.backrefs = next.backrefs.with(key, from)
		}
	}
	if k.target {
		next.targets = next.targets.without(PolicyTargetID(id))
	}
	return &next
}

// groupKeys are the groups of an object: that of its kind, and the kind's own.
func groupKeys(k *kind, o *Object) []string {
	keys := []string{k.name + " "}
	if o.Type != "" {
		keys = append(keys, k.name+" "+typeGroup+o.Type)
	}
	for _, key := range k.groups(o.Doc) {
		keys = append(keys, k.name+" "+key)
	}
	return keys
}

// typeGroup begins the key of the group of all objects of one type.
const typeGroup = "type:"

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

// Referrers are the objects that refer to an object of the catalog, in the
// order of creation.
func (s *Snapshot) Referrers(id uuid.UUID) []*Object {
	return s.referrers(anyObject, id.String())
}

// UsersOf are the objects that refer to a user or group, in the order of
// creation.
func (s *Snapshot) UsersOf(kind, id string) []*Object { return s.referrers(kind, id) }

func (s *Snapshot) referrers(kind, id string) []*Object {
	holders := s.holders(kind, id)
	out := make([]*Object, 0, len(holders))
	for _, holder := range holders {
		if o, ok := s.Get(holder); ok {
			out = append(out, o)
		}
	}
	return out
}

// holders are the ids of the objects that refer to an id, in the order of
// creation.
func (s *Snapshot) holders(kind, id string) []uuid.UUID {
	from, _ := s.backrefs.get(refKey(kind, id))
	var out []*Object
	for holder := range from.keys() {
		if o, ok := s.Get(holder); ok {
			out = append(out, o)
		}
	}
	slices.SortFunc(out, func(a, b *Object) int {
		return cmp.Or(slices.Compare(a.order[:], b.order[:]), slices.Compare(a.ID[:], b.ID[:]))
	})
	ids := make([]uuid.UUID, len(out))
	for i, o := range out {
		ids[i] = o.ID
	}
	return ids
}
