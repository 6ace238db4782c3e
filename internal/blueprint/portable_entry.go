package blueprint

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/google/uuid"

	"github.com/weir-id/weir/field"
	"github.com/weir-id/weir/internal/catalog"
	"github.com/weir-id/weir/internal/resource"
)

// entry is one object.
func (e *portable) entry(o *catalog.Object) (ordered, error) {
	if o.Err != nil {
		if _, err := whole(e.view, o.ID); err != nil {
			return nil, err
		}
	}
	kind, ok := e.exportable(o)
	if !ok {
		return nil, fmt.Errorf("export %s %s: files hold no such objects", o.Kind, o.ID)
	}
	read, err := e.read(kind, o.ID.String())
	if err != nil {
		return nil, err
	}
	references := map[string][]field.Reference{}
	secrets := map[string]bool{}
	for _, doc := range e.Catalog.Parts(o) {
		for _, ref := range field.References(doc) {
			references[ref.Field] = append(references[ref.Field], ref)
		}
		for _, name := range field.Secrets(doc) {
			if value, ok := field.Get(doc, name); ok && value != "" && value != nil {
				secrets[name] = true
			}
		}
	}
	natural := naturalKey(kind, o, read)
	var match, attrs ordered
	for _, s := range kind.Writable() {
		value, shown := read[s.Name]
		if s.Secret {
			if secrets[s.Name] {
				attrs = append(attrs, pair{s.Name, secretOf(e.view.Config.DisplayName(o), s.Name)})
				e.secrets = true
			}
			continue
		}
		if !shown || strings.HasSuffix(s.Name, "_set") {
			continue
		}
		if value, err = e.refer(value, references[s.Name]); err != nil {
			return nil, err
		}
		if slices.Contains(natural, s.Name) {
			match = append(match, pair{s.Name, value})
		} else {
			attrs = append(attrs, pair{s.Name, value})
		}
	}
	return ordered{{"model", kind.Model}, {"identifiers", match}, {"attrs", attrs}}, nil
}

func (e *portable) read(kind *resource.Kind, key string) (map[string]any, error) {
	ref, err := kind.Find(e.ctx, e.view, map[string]any{"pk": key})
	if err == nil && ref == nil {
		err = resource.ErrGone
	}
	if err != nil {
		return nil, fmt.Errorf("export %s %s: %w", kind.Model, key, err)
	}
	read, err := kind.Read(e.ctx, e.view, ref)
	if err != nil {
		return nil, fmt.Errorf("export %s %s: %w", kind.Model, key, err)
	}
	return read[0], nil
}

// naturalKey are the fields by which an object is found in another installation:
// what it is called, or what it binds to what.
func naturalKey(kind *resource.Kind, o *catalog.Object, read map[string]any) []string {
	switch o.Kind {
	case catalog.KindBinding:
		return []string{"target", "stage", "order"}
	case catalog.KindPolicyBinding:
		for _, subject := range []string{"policy", "group", "user"} {
			if read[subject] != nil {
				return []string{"target", subject, "order"}
			}
		}
		return []string{"target", "order"}
	}
	for _, s := range kind.Fields() {
		if s.Unique {
			return []string{s.Name}
		}
	}
	return nil
}

// refer puts tags where a value holds keys of other objects.
func (e *portable) refer(value any, refs []field.Reference) (any, error) {
	one := func(v any) (any, error) {
		for _, ref := range refs {
			if fmt.Sprint(v) == ref.ID {
				return e.tag(ref)
			}
		}
		return v, nil
	}
	list, ok := value.([]any)
	if !ok || len(refs) == 0 {
		return one(value)
	}
	out := make([]any, len(list))
	for i, v := range list {
		var err error
		if out[i], err = one(v); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// people are the models that references to people name.
var people = map[string]struct{ model, key string }{
	"user":  {"authentik_core.user", "username"},
	"group": {"authentik_core.group", "name"},
	"role":  {"authentik_rbac.role", "name"},
}

// tag refers to an entry before this one, or looks an object up by its name.
func (e *portable) tag(ref field.Reference) (any, error) {
	if id, err := uuid.Parse(ref.ID); err == nil {
		if name, ok := e.ids[id]; ok && (e.written == nil || e.written[id] || ref.Kind == "group") {
			e.used[name] = true
			return tagged{"!KeyOf", name}, nil
		}
		if o, ok := e.view.Config.Get(id); ok {
			return e.lookUp(o)
		}
	}
	p, ok := people[ref.Kind]
	if !ok {
		return nil, fmt.Errorf("export: %s %s is mentioned but does not exist", ref.Kind, ref.ID)
	}
	kind, err := e.Registry.Kind(p.model)
	if err != nil {
		return nil, fmt.Errorf("export %s %s: %w", ref.Kind, ref.ID, err)
	}
	read, err := e.read(kind, ref.ID)
	if err != nil {
		return nil, err
	}
	return tagged{"!Find", []any{p.model, []any{p.key, read[p.key]}}}, nil
}

// lookUp finds an object that the file does not hold, or holds further down.
func (e *portable) lookUp(o *catalog.Object) (any, error) {
	kind, ok := e.exportable(o)
	if !ok {
		return nil, fmt.Errorf("export: %s %s cannot be looked up by name", o.Kind, o.ID)
	}
	read, err := e.read(kind, o.ID.String())
	if err != nil {
		return nil, err
	}
	find := []any{kind.Model}
	for _, name := range naturalKey(kind, o, read) {
		find = append(find, []any{name, read[name]})
	}
	return tagged{"!Find", find}, nil
}

// groups are the groups that the whole configuration mentions: they belong to no
// flow, but a binding without its group could not be made. One that is there already
// stays as it is, and none gets powers.
func (e *portable) groups() ([]any, error) {
	if !e.whole {
		return nil, nil
	}
	names := map[string]uuid.UUID{}
	for _, o := range e.objects {
		for _, doc := range e.Catalog.Parts(o) {
			for _, ref := range field.References(doc) {
				if ref.Kind != "group" {
					continue
				}
				kind, err := e.Registry.Kind(people["group"].model)
				if err != nil {
					return nil, fmt.Errorf("export groups: %w", err)
				}
				read, err := e.read(kind, ref.ID)
				if err != nil {
					return nil, err
				}
				name, _ := read["name"].(string)
				if names[name], err = uuid.Parse(ref.ID); err != nil {
					return nil, fmt.Errorf("export group %q: %w", name, err)
				}
			}
		}
	}
	var out []any
	for _, name := range slices.Sorted(maps.Keys(names)) {
		id := "group-" + strings.Trim(notWord.ReplaceAllString(strings.ToLower(name), "-"), "-")
		for n := 2; e.taken[id]; n++ {
			id = fmt.Sprintf("group-%d", n)
		}
		e.taken[id], e.ids[names[name]] = true, id
		entry := ordered{{"model", people["group"].model}, {"id", id}, {"state", string(created)}, {"identifiers", ordered{{"name", name}}}}
		head := ""
		if out == nil {
			head = "Groups that are mentioned: they are made where they are missing"
		}
		out = append(out, commented{head: head, value: entry})
	}
	return out, nil
}

// secretOf is what stands in place of a secret.
func secretOf(object, name string) any {
	word := func(s string) string { return strings.Trim(notWord.ReplaceAllString(strings.ToLower(s), "_"), "_") }
	return tagged{"!Env", strings.ToUpper("secret_" + word(object) + "_" + word(name))}
}

func (e *portable) explain() string {
	if !e.secrets {
		return "It holds no secrets."
	}
	return "Secrets are not in it: where one belongs stands a variable of\nthe environment of weir apply. Without it, what is stored stays."
}
