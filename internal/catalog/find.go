package catalog

import (
	"errors"
	"fmt"
	"iter"
	"reflect"
	"slices"
	"strings"

	"github.com/google/uuid"

	"github.com/weir-id/weir/field"
)

// ErrField means that a look-up names a field that the kind does not have.
var ErrField = errors.New("no such field")

// Find returns the first object of a kind, in its default order, that matches
// all of match; nil when there is none. An empty typ means all types. A key is
// a field, "pk", or a path: through a reference ("flow__slug"), or with a
// comparison (__exact, __iexact, __contains, __icontains, __startswith,
// __istartswith, __endswith, __isnull, __in). An object as value must be
// contained in the field. Unknown fields are errors that wrap ErrField.
func (s *Snapshot) Find(kind, typ string, match map[string]any) (*Object, error) {
	found, err := s.matching(kind, typ, match)
	if err != nil {
		return nil, err
	}
	var first *Object
	for o := range found {
		if first == nil || o.kind.compare(o, first) < 0 {
			first = o
		}
	}
	return first, nil
}

// FindAll returns all objects that Find looks among, in the default order of
// the kind. The list may be shared and must not be changed.
func (s *Snapshot) FindAll(kind, typ string, match map[string]any) ([]*Object, error) {
	if len(match) == 0 {
		if typ == "" {
			return s.Objects(kind), nil
		}
		return s.group(kind, typeGroup+typ).list(), nil
	}
	found, err := s.matching(kind, typ, match)
	if err != nil {
		return nil, err
	}
	return slices.SortedFunc(found, func(a, b *Object) int { return a.kind.compare(a, b) }), nil
}

// matching yields the objects that match, in no order.
func (s *Snapshot) matching(kind, typ string, match map[string]any) (iter.Seq[*Object], error) {
	k, ok := s.catalog.registry.byName[kind]
	if !ok {
		return nil, fmt.Errorf("find object of unknown kind %q", kind)
	}
	for key := range match {
		if err := s.knows(k, typ, key); err != nil {
			return nil, err
		}
	}
	return func(yield func(*Object) bool) {
		for o := range s.candidates(k, typ, match) {
			if (typ == "" || o.Type == typ) && s.agrees(k, o, match) && !yield(o) {
				return
			}
		}
	}, nil
}

func (s *Snapshot) agrees(k *kind, o *Object, match map[string]any) bool {
	for key, want := range match {
		if !s.matches(k, o, key, want) {
			return false
		}
	}
	return true
}

// Value returns what stands at a path of an object, as field.Get does: a field,
// "pk", "created", "last_updated", or a field of what a reference leads to
// ("stage__name").
func (s *Snapshot) Value(o *Object, path string) (any, bool) {
	name, rest, deeper := strings.Cut(path, "__")
	switch name {
	case "pk":
		return o.ID.String(), !deeper
	case "created":
		return o.Created, !deeper
	case "last_updated":
		return o.Updated, !deeper
	}
	// An order or a search by a secret would tell it, letter by letter.
	if isSecret(o.kind, o.Doc, name) {
		return nil, false
	}
	v, ok := fieldOf(o.kind, o.Doc, name)
	if !ok || !deeper {
		return v, ok
	}
	id, err := uuid.Parse(fmt.Sprint(v))
	if err != nil {
		return nil, false
	}
	other, ok := s.Get(id)
	if !ok {
		return nil, false
	}
	return s.Value(other, rest)
}

// Find is Snapshot.Find over the changes made so far.
func (tx *Tx) Find(kind, typ string, match map[string]any) (*Object, error) {
	return tx.staged.Find(kind, typ, match)
}

// candidates are the objects that can match, in no order: the one that has the
// unique values which match names, else all of the kind. An import looks up
// every entry, so this must not walk through the catalog each time.
func (s *Snapshot) candidates(k *kind, typ string, match map[string]any) iter.Seq[*Object] {
	one := func(o *Object, found bool) iter.Seq[*Object] {
		return func(yield func(*Object) bool) {
			if found && o.Kind == k.name {
				yield(o)
			}
		}
	}
	if pk, given := match["pk"]; given {
		id, err := uuid.Parse(fmt.Sprint(pk))
		if err != nil {
			return one(nil, false)
		}
		return one(s.Get(id))
	}
	if doc, ok := k.fresh(typ); ok || typ == "" {
		if !ok {
			doc = k.stranger("")
		}
		for _, set := range k.uniques {
			key, ok := s.matchKey(k, doc, set, match)
			if !ok {
				continue
			}
			id, _ := s.uniques.get(key)
			return one(s.Get(id))
		}
	}
	if typ != "" {
		return s.group(k.name, typeGroup+typ).members.values()
	}
	return s.group(k.name, "").members.values()
}

// matchKey is the unique key of the values that match gives for a set of
// fields; false unless it gives all of them.
func (s *Snapshot) matchKey(k *kind, doc any, set []string, match map[string]any) (string, bool) {
	values := make([]any, len(set))
	for i, name := range set {
		want, given := match[name]
		if !given || want == nil {
			return "", false
		}
		part := k.parts(doc)[0]
		spec, ok := field.Lookup(part, name)
		if !ok {
			return "", false
		}
		if id, found := s.ResolveTarget(want); found && spec.Ref == "target" {
			want = id.String()
		}
		if values[i], ok = field.Normalize(part, name, want); !ok {
			return "", false
		}
	}
	return uniqueKey(k, set, values), true
}

var comparisons = map[string]func(have, want string) bool{
	"exact":       func(have, want string) bool { return have == want },
	"iexact":      strings.EqualFold,
	"contains":    strings.Contains,
	"icontains":   func(have, want string) bool { return strings.Contains(strings.ToLower(have), strings.ToLower(want)) },
	"startswith":  strings.HasPrefix,
	"istartswith": func(have, want string) bool { return strings.HasPrefix(strings.ToLower(have), strings.ToLower(want)) },
	"endswith":    strings.HasSuffix,
}

// knows tells whether the kind has the field that a key begins with.
func (s *Snapshot) knows(k *kind, typ, key string) error {
	name, _, _ := strings.Cut(key, "__")
	if name == "pk" || name == "policybindingmodel_ptr_id" && k.target {
		return nil
	}
	doc, ok := k.fresh(typ)
	if !ok {
		doc = k.stranger(typ)
	}
	for _, part := range k.parts(doc) {
		if spec, ok := field.Lookup(part, name); ok && !spec.Secret {
			return nil
		}
	}
	return fmt.Errorf("%s %q: %w", strings.ToLower(k.label), key, ErrField)
}

func (s *Snapshot) matches(k *kind, o *Object, key string, want any) bool {
	name, rest, path := strings.Cut(key, "__")
	if name == "pk" {
		id, err := uuid.Parse(fmt.Sprint(want))
		return err == nil && id == o.ID
	}
	if name == "policybindingmodel_ptr_id" {
		return fmt.Sprint(want) == PolicyTargetID(o.ID).String()
	}
	for _, part := range k.parts(o.Doc) {
		spec, ok := field.Lookup(part, name)
		if !ok || spec.Secret {
			continue
		}
		have, _ := field.Get(part, name)
		if path {
			return s.matchPath(spec, have, rest, want)
		}
		if spec.Ref == "target" {
			if id, ok := s.ResolveTarget(want); ok {
				want = id.String()
			}
		}
		if object, ok := want.(map[string]any); ok && spec.Type == "object" {
			return contains(have, object)
		}
		normal, ok := field.Normalize(part, name, want)
		return ok && reflect.DeepEqual(normal, have)
	}
	return false
}

func isSecret(k *kind, doc any, name string) bool {
	for _, part := range k.parts(doc) {
		if spec, ok := field.Lookup(part, name); ok {
			return spec.Secret
		}
	}
	return false
}

func (s *Snapshot) matchPath(spec field.Spec, have any, rest string, want any) bool {
	if compare, ok := comparisons[rest]; ok {
		if object, isMap := want.(map[string]any); isMap && rest == "contains" {
			return contains(have, object)
		}
		return have != nil && compare(fmt.Sprint(have), fmt.Sprint(want))
	}
	switch rest {
	case "isnull":
		return (have == nil) == (want == true)
	case "in":
		list, _ := want.([]any)
		for _, item := range list {
			if fmt.Sprint(item) == fmt.Sprint(have) {
				return true
			}
		}
		return false
	}
	if object, ok := have.(map[string]any); ok {
		return contains(object, map[string]any{rest: want})
	}
	if spec.Ref == "" || have == nil {
		return false
	}
	id, err := uuid.Parse(fmt.Sprint(have))
	if err != nil {
		return false
	}
	other, ok := s.Get(id)
	return ok && s.matches(s.catalog.registry.byName[other.Kind], other, rest, want)
}

// contains tells whether have holds all of want: objects by their members,
// lists by their items.
func contains(have, want any) bool {
	switch w := want.(type) {
	case map[string]any:
		h, ok := have.(map[string]any)
		if !ok {
			return false
		}
		for key, v := range w {
			item, ok := h[key]
			if !ok || !contains(item, v) {
				return false
			}
		}
		return true
	case []any:
		h, ok := have.([]any)
		if !ok {
			return false
		}
		for _, v := range w {
			found := false
			for _, item := range h {
				found = found || contains(item, v)
			}
			if !found {
				return false
			}
		}
		return true
	}
	return reflect.DeepEqual(have, want) || fmt.Sprint(have) == fmt.Sprint(want)
}
