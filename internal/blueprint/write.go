package blueprint

import (
	"fmt"
	"maps"
	"slices"

	"github.com/weir-id/weir/field"
	"github.com/weir-id/weir/internal/catalog"
	"github.com/weir-id/weir/internal/resource"
)

// write does what the state asks for. It returns nil when the entry has no
// object afterwards.
func (s *scope) write(e *entry, kind *resource.Kind, wanted state, ref *resource.Ref, match, attrs map[string]any) (*resource.Ref, error) {
	data := merge(attrs, match)
	delete(data, "pk")
	s.keepSecrets(e, kind, data)
	switch {
	case wanted == absent && ref == nil:
		s.skip(e, kind.Model, "there is nothing to delete")
		return nil, nil
	case wanted == absent:
		if err := kind.Delete(s.ctx, s.w, ref); err != nil {
			return nil, s.entryError(e, err)
		}
		s.note(e, Delete, ref, nil)
		s.planned(catalog.Deleted, kind, ref, nil, nil, nil)
		s.skipped[e.id] = true
		return nil, nil
	case ref == nil:
		pk, err := s.presetKey(e, match)
		if err != nil {
			return nil, err
		}
		defaults, err := s.fields(e.defaults)
		if err != nil {
			return nil, err
		}
		ref, unknown, err := kind.Create(s.ctx, s.w, pk, merge(defaults, data))
		if err != nil {
			return nil, s.entryError(e, err)
		}
		s.ignored(e, kind, unknown)
		s.note(e, Create, ref, nil)
		made, err := s.shown(kind, ref)
		if err != nil {
			return nil, s.entryError(e, err)
		}
		s.planned(catalog.Created, kind, ref, nil, made, nil)
		return ref, nil
	case wanted == mustCreated:
		return nil, s.exists(e, ref, match)
	case wanted == created:
		if err := kind.Check(s.ctx, s.w, ref, data); err != nil {
			return nil, s.entryError(e, err)
		}
		s.note(e, Unchanged, ref, nil)
		return ref, nil
	}
	before, err := s.shown(kind, ref)
	if err != nil {
		return nil, s.entryError(e, err)
	}
	changed, unknown, err := kind.Update(s.ctx, s.w, ref, data, field.Update)
	if err != nil {
		return nil, s.entryError(e, err)
	}
	s.ignored(e, kind, unknown)
	if len(changed) == 0 {
		s.note(e, Unchanged, ref, nil)
		return ref, nil
	}
	s.note(e, Update, ref, changed)
	after, err := s.shown(kind, ref)
	if err != nil {
		return nil, s.entryError(e, err)
	}
	s.planned(catalog.Changed, kind, ref, before, after, changed)
	return ref, nil
}

// presetKey is the key that a new object shall have: an import into an empty
// store keeps the keys of the export.
func (s *scope) presetKey(e *entry, match map[string]any) (string, error) {
	switch pk := match["pk"].(type) {
	case nil:
		return "", nil
	case string, int64:
		return keyText(pk), nil
	default:
		return "", s.fieldError(e, "pk", field.CodeInvalid, "the key must be text, not "+kindOf(pk))
	}
}

// exists refuses an entry that must make its object, naming each identifier.
func (s *scope) exists(e *entry, ref *resource.Ref, match map[string]any) error {
	var errs Errors
	for _, name := range slices.Sorted(maps.Keys(match)) {
		errs = append(errs, s.fieldError(e, name, field.CodeUnique, fmt.Sprintf("%s exists already, but the entry demands that it does not.", ref.Name)))
	}
	return errs
}
