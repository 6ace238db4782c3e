package blueprint

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/weir-id/weir/field"
	"github.com/weir-id/weir/internal/access"
	"github.com/weir-id/weir/internal/resource"
)

// apply applies one entry: what it stands for is resolved in the order model,
// conditions, identifiers, attributes, state, permissions.
func (s *scope) apply(e *entry) error {
	model, err := wantText(s, e.model, "the model")
	if err != nil {
		return err
	}
	if strings.Count(model, ".") != 1 {
		return s.fail(e.model.at(), "the model %q must be an app and a name with a dot between", model)
	}
	meta := strings.EqualFold(model, metaApply)
	var kind *resource.Kind
	if !meta {
		// Before the conditions: a false condition must not hide a misspelt
		// model.
		if kind, err = s.registry.Kind(model); err != nil {
			return s.fail(e.model.at(), "%v%s", err, meant(strings.ToLower(model), s.registry.Models()...))
		}
	}
	if kind != nil {
		if err := s.permitted(e, kind); err != nil {
			return err
		}
	}
	ok, err := s.conditions(e)
	if err != nil {
		return err
	}
	if !ok {
		s.skip(e, model, "a condition is not met")
		return nil
	}
	if meta {
		return s.applyOther(e)
	}
	match, err := s.fields(e.identifiers)
	if err != nil {
		return err
	}
	for key, v := range match {
		// An object stands for its key.
		if m, ok := v.(map[string]any); ok && m["pk"] != nil {
			match[key] = m["pk"]
		}
	}
	attrs, err := s.fields(e.attrs)
	if err != nil {
		return err
	}
	wanted, err := s.state(e)
	if err != nil {
		return err
	}
	ref, err := s.find(e, kind, match, wanted)
	if err != nil {
		return err
	}
	ref, err = s.write(e, kind, wanted, ref, match, attrs)
	if err != nil || ref == nil {
		return err
	}
	s.register(e, ref)
	return s.grant(e, ref)
}

// permitted refuses entries of models that the author of the call may not add,
// change and delete.
func (s *scope) permitted(e *entry, kind *resource.Kind) error {
	return s.permit(e.model.at(), kind, access.Add, access.Change, access.Delete)
}

// permit refuses what one of the authorities may not do with all objects of a
// kind.
func (s *scope) permit(p position, kind *resource.Kind, verbs ...access.Verb) error {
	for _, person := range s.w.Authorities() {
		for _, verb := range verbs {
			ok, err := s.config.Access.In(s.w.Store()).Can(s.ctx, person, verb, kind.Name(), "")
			if err != nil {
				return err
			}
			if ok {
				continue
			}
			permission := kind.App() + "." + access.Permission(verb, kind.Name())
			if person != s.options.By.Person {
				return s.fail(p, "the author of the blueprint needs the permission %s", permission)
			}
			return s.fail(p, "you need the permission %s", permission)
		}
	}
	return nil
}

func (s *scope) conditions(e *entry) (bool, error) {
	if e.conditions == nil {
		return true, nil
	}
	// All are resolved before any is judged, as the format has it.
	resolved, err := s.resolve(e.conditions)
	if err != nil {
		return false, err
	}
	return !slices.ContainsFunc(resolved.([]any), func(c any) bool { return !truthy(c) }), nil
}

func (s *scope) state(e *entry) (state, error) {
	if e.state == nil {
		return present, nil
	}
	resolved, err := s.resolve(e.state)
	if err != nil {
		return "", err
	}
	word, _ := resolved.(string)
	if !slices.Contains(states, word) {
		return "", s.fail(e.state.at(), "the state must be one of %s", strings.Join(states, ", "))
	}
	return state(word), nil
}

// fields resolves identifiers or attributes and replaces exported keys.
func (s *scope) fields(m *mapping) (map[string]any, error) {
	if m == nil {
		return map[string]any{}, nil
	}
	if err := s.spend(m, 0); err != nil {
		return nil, err
	}
	out := make(map[string]any, len(m.members))
	for _, member := range m.members {
		resolved, err := s.resolve(member.value)
		if problem := (*Error)(nil); errors.As(err, &problem) && problem.Field == "" {
			problem.Field = member.key
		}
		if err != nil {
			return nil, err
		}
		out[member.key] = resolved
	}
	if len(s.keys)+len(s.lost) == 0 {
		return out, nil
	}
	follows := false
	for name, v := range out {
		if name != "pk" {
			out[name] = s.replaceKeys(v, &follows)
		}
	}
	if follows {
		return nil, errFollows
	}
	return out, nil
}

// replaceKeys puts the key of a stored object where the key that it had when
// it was exported stands: as the value, in a list or in a mapping. It tells when
// there is the key of an entry that has failed.
func (s *scope) replaceKeys(v any, follows *bool) any {
	one := func(v any) any {
		if old, ok := v.(string); ok {
			*follows = *follows || s.lost[old]
			if key, ok := s.keys[old]; ok {
				return key
			}
		}
		return v
	}
	switch v := v.(type) {
	case []any:
		out := make([]any, len(v))
		for i := range v {
			out[i] = one(v[i])
		}
		return out
	case map[string]any:
		out := make(map[string]any, len(v))
		for k := range v {
			out[k] = one(v[k])
		}
		return out
	}
	return one(v)
}

// find looks for the entry's object: by pk, else by all other identifiers
// together.
func (s *scope) find(e *entry, kind *resource.Kind, match map[string]any, wanted state) (*resource.Ref, error) {
	if len(match) == 0 {
		if wanted == absent {
			return nil, nil
		}
		return nil, s.fail(e.position, "the entry needs identifiers, so that its object can be found again")
	}
	rest := maps.Clone(match)
	delete(rest, "pk")
	if pk, ok := match["pk"]; ok {
		ref, err := kind.Find(s.ctx, s.w.View(), map[string]any{"pk": pk})
		if err != nil || ref != nil {
			return ref, s.entryError(e, err)
		}
	}
	if len(rest) == 0 {
		return nil, nil
	}
	ref, err := kind.Find(s.ctx, s.w.View(), rest)
	return ref, s.entryError(e, err)
}

func (s *scope) register(e *entry, ref *resource.Ref) {
	if pk, ok := text(e.identifiers.get("pk")); ok {
		s.keys[pk] = ref.Key
	}
	if e.id != "" && s.ids[e.id] == nil {
		s.ids[e.id] = ref
	}
}

// ignored warns of attributes that the model does not have. Identifiers that
// are look-up paths are no attributes.
func (s *scope) ignored(e *entry, kind *resource.Kind, unknown []string) {
	if len(unknown) == 0 {
		return
	}
	var names []string
	for _, f := range kind.Fields() {
		if !f.ReadOnly {
			names = append(names, f.Name)
		}
	}
	for _, name := range unknown[:min(len(unknown), maxWarnings)] {
		if strings.Contains(name, "__") && e.identifiers.get(name) != nil {
			continue
		}
		s.warn(s.fieldAt(e, name), "%s has no field %q; it is ignored%s", kind.Model, name, meant(name, names...))
	}
}

func (s *scope) note(e *entry, a Action, ref *resource.Ref, fields []string) {
	s.report.Changes = append(s.report.Changes, Change{Place: s.place(e.position), Action: a, Model: ref.Model, Name: ref.Name,
		Key: keyText(ref.Key), Fields: fields})
}

func (s *scope) skip(e *entry, model, why string) {
	s.skipped[e.id] = true
	s.report.Changes = append(s.report.Changes, Change{Place: s.place(e.position), Action: Skip, Model: model, Note: why})
}

// fieldAt finds where the entry gives a field; the entry itself if it does not.
func (s *scope) fieldAt(e *entry, name string) position {
	if v := e.given(name); v != nil {
		return v.at()
	}
	return e.position
}

func (s *scope) fieldError(e *entry, name, code, message string) *Error {
	p := &Error{Place: s.place(s.fieldAt(e, name)), Code: code, Message: message}
	if name != field.NonField {
		p.Field = name
	}
	return p
}

// within moves a problem to the place that it speaks of, for text that is
// written as a block in the file, such as an expression.
func (s *scope) within(e *entry, problem *Error, name string, p field.Error) {
	for _, m := range []*mapping{e.identifiers, e.attrs} {
		if v, ok := m.get(name).(*scalar); ok && v.block && p.Line > 0 {
			problem.Line, problem.Column = v.line+p.Line, 0
			if p.Column > 0 {
				problem.Column = v.indent + p.Column
			}
		}
	}
}

// entryError gives problems with the data their places; errors that the
// blueprint is not to blame for pass through.
func (s *scope) entryError(e *entry, err error) error {
	var problems field.Errors
	if errors.As(err, &problems) {
		var errs Errors
		for _, name := range slices.Sorted(maps.Keys(problems)) {
			for _, p := range problems[name] {
				one := s.fieldError(e, name, p.Code, p.String)
				if look, ok := e.given(name).(*find); ok && p.Code == field.CodeNull {
					one.Message += " " + look.name + " has found nothing."
				}
				s.within(e, one, name, p)
				errs = append(errs, one)
			}
		}
		return errs
	}
	if message, ok := resource.Fault(err); ok {
		return s.fail(e.position, "%s", message)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", s.place(e.position), err)
	}
	return nil
}

// keepSecrets leaves secrets alone that come from a variable of the environment which
// is not there: an export, which has such variables in place of secrets, may then be
// imported where it came from.
func (s *scope) keepSecrets(e *entry, kind *resource.Kind, data map[string]any) {
	for _, spec := range kind.Fields() {
		value, given := data[spec.Name]
		if tag, ok := e.attrs.get(spec.Name).(*env); ok && given && value == nil && spec.Secret {
			delete(data, spec.Name)
			s.warn(tag.position, "%s is secret, and its variable is not set: what is stored stays", spec.Name)
		}
	}
}
