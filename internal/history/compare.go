package history

import (
	"bytes"
	"cmp"
	"encoding/json"
	"maps"
	"reflect"
	"slices"
	"strings"

	"github.com/google/uuid"

	"github.com/weir-id/weir/field"
	"github.com/weir-id/weir/internal/catalog"
)

// Difference is what differs about one object.
type Difference struct {
	// Op is +, ~ or -.
	Op   catalog.Op `json:"op" field:"required"`
	Kind string     `json:"kind" field:"required"`
	// Model is the name in blueprints and in the API.
	Model string `json:"model" field:"required"`
	PK    string `json:"pk" field:"required"`
	// Name is the natural name: "flow:default-authentication-flow".
	Name string `json:"name" field:"required"`
	// Fields are those that differ, in the declared order; of a new object
	// those that differ from the defaults, of a deleted one none.
	Fields []FieldDifference `json:"fields" field:"required"`
}

// FieldDifference is a field with its values of before and after.
type FieldDifference struct {
	Name string `json:"name" field:"required"`
	// Old and New are null where there is no such value, and where Secret or
	// Lines says more.
	Old any `json:"old" field:"required"`
	New any `json:"new" field:"required"`
	// Secret tells that the values differ and are not shown.
	Secret bool `json:"secret" field:"required"`
	// Lines are the differences of long texts, line by line as in a unified
	// diff.
	Lines []string `json:"lines" field:"required"`

	// reference tells that the values are names of objects, made that the object
	// is new.
	reference, made bool
}

// Names names a user or a group for people; empty for an unknown one.
type Names func(kind, id string) string

// Comparison compares two configurations.
type Comparison struct {
	Catalog       *catalog.Catalog
	Before, After *catalog.Snapshot
	// Names may be nil.
	Names Names
	// ByName matches objects that have the same name but not the same id: where
	// the two were made independently.
	ByName bool

	// twins are the ids before of objects that have another one after.
	twins map[uuid.UUID]uuid.UUID
}

// Objects are the objects that differ, by name.
func (c *Comparison) Objects() []Difference {
	c.twins = map[uuid.UUID]uuid.UUID{}
	if c.ByName {
		c.match()
	}
	before := map[uuid.UUID]*catalog.Object{}
	for o := range c.Before.All() {
		before[o.ID] = o
	}
	out := []Difference{}
	for now := range c.After.All() {
		old := before[cmp.Or(c.twins[now.ID], now.ID)]
		if old != nil {
			delete(before, old.ID)
		}
		switch {
		case old == now:
		case old == nil:
			out = append(out, c.object(catalog.Created, c.After, now, c.made(now)))
		default:
			if fields := c.fields(old, now); len(fields) > 0 {
				out = append(out, c.object(catalog.Changed, c.After, now, fields))
			}
		}
	}
	for _, old := range before {
		out = append(out, c.object(catalog.Deleted, c.Before, old, []FieldDifference{}))
	}
	slices.SortFunc(out, func(a, b Difference) int { return cmp.Or(strings.Compare(a.Name, b.Name), strings.Compare(a.PK, b.PK)) })
	return out
}

// match finds the objects that are new after and have the name of one that is
// there no more.
func (c *Comparison) match() {
	gone := map[string]uuid.UUID{}
	key := func(s *catalog.Snapshot, o *catalog.Object) string { return o.Type + " " + s.NaturalName(o) }
	for o := range c.Before.All() {
		if _, still := c.After.Get(o.ID); !still {
			gone[key(c.Before, o)] = o.ID
		}
	}
	for o := range c.After.All() {
		if id, twin := gone[key(c.After, o)]; twin {
			if _, was := c.Before.Get(o.ID); !was {
				c.twins[o.ID] = id
			}
		}
	}
}

func (c *Comparison) object(op catalog.Op, s *catalog.Snapshot, o *catalog.Object, fields []FieldDifference) Difference {
	return Difference{Op: op, Kind: o.Kind, Model: c.Catalog.Model(o.Kind, o.Type), PK: o.ID.String(), Name: s.NaturalName(o), Fields: fields}
}

// made are the fields of a new object that differ from its defaults.
func (c *Comparison) made(o *catalog.Object) []FieldDifference {
	defaults, _ := c.Catalog.Defaults(o.Kind, o.Type)
	return c.differing(encode(defaults), o, false)
}

// fields are the fields in which two versions differ.
func (c *Comparison) fields(old, now *catalog.Object) []FieldDifference {
	return c.differing(encode(c.Catalog.Parts(old)), now, true)
}

func encode(parts []any) map[string]any {
	out := map[string]any{}
	for _, part := range parts {
		maps.Copy(out, field.Encode(part, field.WithSecrets))
	}
	return out
}

// differing compares the fields of an object with other values. Those are shown
// where existed says that they were ever in force.
func (c *Comparison) differing(before map[string]any, now *catalog.Object, existed bool) []FieldDifference {
	out := []FieldDifference{}
	for _, part := range c.Catalog.Parts(now) {
		after := field.Encode(part, field.WithSecrets)
		for _, name := range field.Names(part) {
			spec, _ := field.Lookup(part, name)
			old, new := before[name], after[name]
			if same(old, c.translated(&spec, new)) {
				continue
			}
			if spec.Secret || spec.Hidden {
				out = append(out, FieldDifference{Name: name, Secret: true, Lines: []string{}, made: !existed})
				continue
			}
			if spec.Ref != "" {
				old, new = c.named(&spec, c.Before, c.After, old), c.named(&spec, c.After, c.Before, new)
			}
			if !existed {
				old = nil
			}
			out = append(out, newField(name, old, new, spec.Ref != ""))
		}
	}
	return out
}

// newField shows long texts by their lines.
func newField(name string, old, new any, reference bool) FieldDifference {
	f := FieldDifference{Name: name, Old: old, New: new, Lines: []string{}, reference: reference}
	a, b := long(old), long(new)
	if old != nil && new != nil && (a || b) {
		f.Old, f.New, f.Lines = nil, nil, lines(text(old), text(new))
	}
	return f
}

// maxLine is how long a value may be that is shown in one line.
const maxLine = 100

// long tells whether a value is better shown by its lines.
func long(v any) bool {
	switch v := v.(type) {
	case string:
		return strings.Contains(v, "\n")
	case map[string]any, []any:
		return len(compact(v)) > maxLine
	}
	return false
}

// text is a value as a text of several lines.
func text(v any) string {
	if s, ok := v.(string); ok {
		return s
	}
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	_ = e.Encode(v) // values of documents always encode
	return b.String()
}

func compact(v any) string {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	_ = e.Encode(v) // values of documents always encode
	return strings.TrimSuffix(b.String(), "\n")
}

// same compares values as they are stored: 1 and 1.0 are the same number.
func same(a, b any) bool { return reflect.DeepEqual(a, b) || compact(a) == compact(b) }

// translated puts the ids of before where a value of after refers to objects
// that have another one.
func (c *Comparison) translated(spec *field.Spec, v any) any {
	if spec.Ref == "" || len(c.twins) == 0 {
		return v
	}
	return each(v, func(v any) any {
		if s, ok := v.(string); ok {
			if id, err := uuid.Parse(s); err == nil && c.twins[id] != uuid.Nil {
				return c.twins[id].String()
			}
		}
		return v
	})
}

// named puts names where a value refers to objects; s knows them, or other
// does where s has them no more.
func (c *Comparison) named(spec *field.Spec, s, other *catalog.Snapshot, v any) any {
	kind, _, _ := strings.Cut(spec.Ref, ":")
	return each(v, func(v any) any {
		if v == nil {
			return nil
		}
		id := strings.Trim(compact(v), `"`)
		if kind == "user" || kind == "group" {
			if c.Names != nil {
				if name := c.Names(kind, id); name != "" {
					return kind + ":" + name
				}
			}
			return kind + ":" + id
		}
		parsed, err := uuid.Parse(id)
		if err != nil {
			return v
		}
		for _, s := range []*catalog.Snapshot{s, other} {
			if o, ok := s.Get(parsed); ok {
				return s.NaturalName(o)
			}
		}
		return v
	})
}

// each applies f to a value, or to the items of a list.
func each(v any, f func(any) any) any {
	list, ok := v.([]any)
	if !ok {
		return f(v)
	}
	out := make([]any, len(list))
	for i := range list {
		out[i] = f(list[i])
	}
	return out
}

// Row is what differs about an object that stands in a table: before and after
// are what is shown of it, nil for none, and changed the names of the fields
// that differ. names names the groups that it refers to; nil names none.
func Row(op catalog.Op, model, pk, name string, specs []field.Spec, before, after map[string]any, changed []string, names Names) Difference {
	_, kind, _ := strings.Cut(model, ".")
	o := Difference{Op: op, Kind: kind, Model: model, PK: pk, Name: kind + ":" + name, Fields: []FieldDifference{}}
	for i := range specs {
		spec := &specs[i]
		old, was := before[spec.Name]
		new, is := after[spec.Name]
		old, new = groups(names, old), groups(names, new)
		switch {
		case spec.ReadOnly || op == catalog.Deleted:
		case op == catalog.Created && !spec.Secret && is && !same(spec.Default, new):
			o.Fields = append(o.Fields, newField(spec.Name, nil, new, false))
		case op == catalog.Changed && slices.Contains(changed, spec.Name) && (spec.Secret || !was || !is):
			o.Fields = append(o.Fields, FieldDifference{Name: spec.Name, Secret: true, Lines: []string{}})
		case op == catalog.Changed && slices.Contains(changed, spec.Name):
			o.Fields = append(o.Fields, newField(spec.Name, old, new, false))
		}
	}
	return o
}

// groups puts the names of groups where their ids stand.
func groups(names Names, v any) any {
	return each(v, func(v any) any {
		s, ok := v.(string)
		if _, err := uuid.Parse(s); !ok || err != nil || names == nil {
			return v
		}
		if name := names("group", s); name != "" {
			return "group:" + name
		}
		return v
	})
}
