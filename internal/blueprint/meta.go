package blueprint

import (
	"errors"

	"github.com/weir-id/weir/field"
)

// metaApply is the model of entries that apply another blueprint.
const metaApply = "authentik_blueprints.metaapplyblueprint"

// applyOther applies the blueprint that an entry names, inside of the
// transaction at hand. Each blueprint is applied once in a call, so blueprints
// that name each other come to an end.
func (s *scope) applyOther(e *entry) error {
	if s.anyFailed {
		return errFollows
	}
	attrs, err := s.fields(e.attrs)
	if err != nil {
		return err
	}
	match, ok := attrs["identifiers"].(map[string]any)
	if !ok || len(match) == 0 {
		return s.fieldError(e, "identifiers", field.CodeRequired, "Name the blueprint to apply: identifiers with a name or a path.")
	}
	required := true
	if v, given := attrs["required"]; given {
		if required, ok = v.(bool); !ok {
			return s.fieldError(e, "required", field.CodeInvalid, "Say true or false.")
		}
	}
	other, overrides, err := s.other(e, match)
	if err != nil {
		return err
	}
	name := pyText(match["name"])
	if match["name"] == nil {
		name = pyText(match["path"])
	}
	if other == nil {
		if required {
			return s.fieldError(e, "identifiers", field.CodeDoesNotExist, "There is no blueprint "+name+", and this one requires it.")
		}
		s.warn(e.position, "there is no blueprint %q; it is not required, so this goes on without it", name)
		s.skip(e, metaApply, "there is no blueprint "+name)
		return nil
	}
	if errs := s.broken[other]; errs != nil {
		s.warn(e.position, "the blueprint %q is invalid and was left out: %v", name, errs)
		s.skip(e, metaApply, "the blueprint "+name+" is invalid")
		return nil
	}
	done, begun := s.applied[other]
	switch {
	case done:
		s.skip(e, metaApply, name+" has been applied")
		return nil
	case begun:
		s.warn(e.position, "the blueprint %q is already being applied: the two apply each other", name)
		s.skip(e, metaApply, name+" is being applied")
		return nil
	}
	err = s.run.document(s.ctx, s.w, other, overrides)
	var errs Errors
	if errors.As(err, &errs) {
		return &errBroken{other, errs}
	}
	return err
}

// other finds a blueprint: first among those of the call, then among the
// instances. It returns nil when there is none.
func (s *scope) other(e *entry, match map[string]any) (*Document, map[string]any, error) {
	for key := range match {
		if key != "name" && key != "path" {
			return nil, nil, s.fieldError(e, "identifiers", field.CodeInvalid, "A blueprint is found by name or path, not by "+key+".")
		}
	}
	for _, d := range s.files {
		if matches(match, d.Name, d.File) {
			return d, s.options.Context, nil
		}
	}
	found, err := s.config.Instances.Instance(s.ctx, match)
	if err != nil || found == nil {
		return nil, nil, err
	}
	d, ok := s.known[found.File.Name]
	if !ok {
		var err error
		d, err = Load(found.File)
		if errs, bad := asErrors(err); bad {
			d = &Document{File: found.File.Name}
			s.broken[d] = errs
		}
		s.known[found.File.Name] = d
	}
	return d, found.Context, nil
}

func matches(match map[string]any, name, path string) bool {
	if want, ok := match["name"]; ok && want != name {
		return false
	}
	if want, ok := match["path"]; ok && want != path {
		return false
	}
	return true
}
