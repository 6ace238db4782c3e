package blueprint

import (
	"errors"
	"strings"

	"github.com/weir-id/weir/internal/access"
	"github.com/weir-id/weir/internal/resource"
)

// keyOf is "!KeyOf id": the key of the object that an earlier entry made.
type keyOf struct {
	position
	id string
}

func (a arguments) keyOf() value {
	id, ok := a.word("the id of an entry")
	if !ok {
		return nil
	}
	return &keyOf{a.position, id}
}

func (t *keyOf) resolve(s *scope) (any, error) {
	ref, ok := s.ids[t.id]
	if !ok {
		if s.failed[t.id] {
			return nil, errFollows
		}
		return nil, s.fail(t.position, "!KeyOf %s: no entry applied before this one has that id (%s)", t.id, s.whyMissing(t.id))
	}
	if s.entry != nil && isPolicyBinding(s.entry.literalModel) && ref.PolicyTarget != "" {
		return ref.PolicyTarget, s.spend(t, 0)
	}
	return ref.Key, s.spend(t, 0)
}

// isPolicyBinding tells whether an entry's model is the one whose target is
// not the object itself but its role as something policies are bound to.
func isPolicyBinding(model string) bool {
	return strings.EqualFold(model, "authentik_policies.policybinding")
}

// find is "!Find [model, [field, value], ...]": the key of the first object
// that matches, or the whole object for !FindObject; null when there is none.
type find struct {
	position
	name   string
	model  value
	pairs  [][2]value
	object bool
}

func (a arguments) find(object bool) value {
	if len(a.items) < 2 {
		a.fail(a.position, "%s takes a model and at least one pair: %s [authentik_flows.flow, [slug, my-flow]]", a.name, a.name)
		return nil
	}
	t := &find{position: a.position, name: a.name, model: a.items[0], object: object}
	if model, ok := text(t.model); ok {
		if now, since, _, other := renamed(model); other {
			t.model = &scalar{position: t.model.at(), v: now}
			a.converted(t.model.at(), "the model %s is called %s since %s", model, now, since)
		}
	}
	for _, item := range a.items[1:] {
		pair, ok := item.(*list)
		if !ok || len(pair.items) != 2 {
			a.fail(item.at(), "%s takes pairs of field and value behind the model: [slug, my-flow]", a.name)
			return nil
		}
		t.pairs = append(t.pairs, [2]value{pair.items[0], pair.items[1]})
	}
	return t
}

func (t *find) resolve(s *scope) (any, error) {
	model, err := wantText(s, t.model, "the model of "+t.name)
	if err != nil {
		return nil, err
	}
	match := make(map[string]any, len(t.pairs))
	for _, pair := range t.pairs {
		name, err := wantText(s, pair[0], "a field of "+t.name)
		if err != nil {
			return nil, err
		}
		if match[name], err = s.resolve(pair[1]); err != nil {
			return nil, err
		}
	}
	if err := s.spend(t, 0); err != nil {
		return nil, err
	}
	kind, err := s.registry.Base(model)
	var unknown *resource.UnknownModelError
	if errors.As(err, &unknown) && unknown.Area != "" {
		// There are no such objects here, so none matches.
		s.warn(t.model.at(), "%s: %v, so nothing is found", t.name, err)
		return nil, nil
	}
	if err != nil {
		return nil, s.fail(t.model.at(), "%s: %v", t.name, err)
	}
	// Before the look-up: whether something is found tells of it too.
	if err := s.permit(t.model.at(), kind, access.View); err != nil {
		return nil, err
	}
	ref, err := kind.Find(s.ctx, s.w.View(), match)
	if err != nil {
		return nil, s.lookupError(t.position, t.name, err)
	}
	if ref == nil {
		// After a failed entry the object may be missing because of it.
		if s.anyFailed {
			return nil, errFollows
		}
		return nil, nil
	}
	if !t.object {
		return ref.Key, nil
	}
	objects, err := kind.Read(s.ctx, s.w.View(), ref)
	if err != nil {
		return nil, s.lookupError(t.position, t.name, err)
	}
	return objects[0], nil
}

// contextValue is "!Context key" or "!Context [key, default]".
type contextValue struct {
	position
	key, fallback value
}

func (a arguments) context() value {
	key, fallback, ok := a.wordOrPair("a key")
	if !ok {
		return nil
	}
	return &contextValue{a.position, key, fallback}
}

func (t *contextValue) resolve(s *scope) (any, error) {
	key, err := wantText(s, t.key, "the key of !Context")
	if err != nil {
		return nil, err
	}
	v, ok, err := s.contextValue(t.position, key)
	if err != nil || ok {
		return v, err
	}
	return orNull(s, t.fallback)
}
