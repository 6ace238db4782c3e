package blueprint

import (
	"errors"
	"fmt"

	"github.com/weir-id/weir/field"
	"github.com/weir-id/weir/internal/catalog"
	"github.com/weir-id/weir/internal/system"
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
	wanted, err := s.state(e)
	if err != nil {
		return err
	}
	if wanted == absent {
		s.skip(e, metaApply, "a blueprint that is applied cannot be absent")
		return nil
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
	other, kept, err := s.other(e, match)
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
	w, err := s.bounded(s.ctx, s.w, kept.Authors)
	if err != nil {
		return err
	}
	err = s.run.document(s.ctx, w, other, kept.Context)
	var errs Errors
	if errors.As(err, &errs) {
		return &errBroken{other, errs}
	}
	return err
}

// other finds a blueprint: first among those of the call, then among those kept
// in the catalog, then among the files of the server. The first result is nil
// when there is none; the second says with which context and by whose authority
// it is applied.
func (s *scope) other(e *entry, match map[string]any) (*Document, system.Blueprint, error) {
	for key := range match {
		if key != "name" && key != "path" {
			return nil, system.Blueprint{}, s.fieldError(e, "identifiers", field.CodeInvalid, "A blueprint is found by name or path, not by "+key+".")
		}
	}
	for _, d := range s.files {
		if matches(match, d.Name, d.File) {
			return d, system.Blueprint{Context: s.options.Context, Authors: s.options.Authors}, nil
		}
	}
	o, err := s.w.Find(catalog.KindBlueprint, "", match)
	if err != nil {
		return nil, system.Blueprint{}, s.entryError(e, err)
	}
	if o != nil {
		kept := *o.Doc.(*system.Blueprint)
		file, err := source(s.config.Instances, &kept)
		if missing := (field.Errors{}); errors.As(err, &missing) {
			return nil, kept, nil
		}
		if err != nil {
			return nil, kept, err
		}
		return s.load(fmt.Sprintf("%s %d", o.ID, o.Version), file), kept, nil
	}
	file, err := s.config.Instances.Instance(s.ctx, match)
	if err != nil || file == nil {
		return nil, system.Blueprint{}, err
	}
	return s.load(file.Name, *file), system.Blueprint{}, nil
}

// load reads a blueprint that another applies, once in a call.
func (s *scope) load(key string, file File) *Document {
	d, ok := s.known[key]
	if !ok {
		var err error
		d, err = Load(file)
		if errs, bad := asErrors(err); bad {
			d = &Document{File: file.Name}
			s.broken[d] = errs
		}
		s.known[key] = d
	}
	return d
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
