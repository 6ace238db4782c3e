package openapi

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"

	"github.com/weir-id/weir/field"
)

// Use is the direction in which an object travels. The rules differ as
// drf-spectacular has them, which made the published description.
type Use int

// The directions.
const (
	// Answer: read-only members are there, secret ones are not. What is
	// required or read-only is always present.
	Answer Use = iota
	// Request: the other way round; texts may not be empty unless they say so.
	Request
	// Patch: a request in which every member may be missing.
	Patch
)

// component is what an object is called in a direction.
func (u Use) component(name string) string {
	if u == Answer {
		return name
	}
	if !strings.HasSuffix(name, "Request") {
		name += "Request"
	}
	if u == Patch && !strings.HasPrefix(name, "Patched") {
		name = "Patched" + name
	}
	return name
}

// Schemas collects components. Two that share a name must be equal.
type Schemas struct {
	byName map[string]*Schema
	text   map[string]string
	errs   []error
}

// Collect adds the components to a document.
func (d *Document) Collect() *Schemas {
	return &Schemas{byName: d.Components.Schemas, text: map[string]string{}}
}

// Err tells of components that contradict each other.
func (s *Schemas) Err() error { return errors.Join(s.errs...) }

// add keeps the first of several equal schemas; the order of members does not
// count.
func (s *Schemas) add(name string, schema *Schema) *Schema {
	sorted := *schema
	sorted.Properties = slices.SortedFunc(slices.Values(schema.Properties), func(a, b Property) int { return strings.Compare(a.Name, b.Name) })
	encoded, err := json.Marshal(&sorted)
	if err != nil {
		s.errs = append(s.errs, fmt.Errorf("encode schema %s: %w", name, err))
	}
	known, twice := s.text[name]
	switch {
	case !twice:
		s.byName[name], s.text[name] = schema, string(encoded)
	case known != string(encoded):
		s.errs = append(s.errs, fmt.Errorf("two different schemas are called %s: %s and %s", name, known, encoded))
	}
	return RefTo(name)
}

// Object adds an object with the fields and refers to it.
func (s *Schemas) Object(name string, fields []field.Spec, use Use) *Schema {
	return s.add(use.component(name), s.object(fields, use))
}

// Open adds an object like Object that may hold any further members.
func (s *Schemas) Open(name string, fields []field.Spec, use Use) *Schema {
	o := s.object(fields, use)
	o.Additional = &Schema{}
	return s.add(use.component(name), o)
}

// Page adds one page of a list of objects and refers to it.
func (s *Schemas) Page(name string, item *Schema) *Schema {
	return s.add("Paginated"+name+"List", pageOf(item))
}

// Value describes a Go value by its type; the fields of a struct have their
// defaults from it. name replaces the name of the type where it is not empty.
func (s *Schemas) Value(v any, name string, use Use) *Schema {
	t := reflect.TypeOf(v)
	if t.Kind() == reflect.Struct {
		if name == "" {
			name = nameOf(t)
		}
		doc := reflect.New(t)
		doc.Elem().Set(reflect.ValueOf(v))
		return s.Object(name, field.Describe(doc.Interface()), use)
	}
	// A struct with the type as its only field makes the rules of fields hold
	// for other types, too.
	one := reflect.StructOf([]reflect.StructField{{Name: "Value", Type: t, Tag: `json:"value" field:"blank"`}})
	return s.Field(&field.Describe(reflect.New(one).Interface())[0], use)
}

// Choice adds a choice between objects and refers to it. The member called
// property has the key of the one that it is.
func (s *Schemas) Choice(name, property string, objects map[string]*Schema) *Schema {
	choice := &Schema{Discriminator: &Discriminator{Property: property, Mapping: map[string]string{}}}
	for _, key := range slices.Sorted(maps.Keys(objects)) {
		choice.OneOf = append(choice.OneOf, objects[key])
		choice.Discriminator.Mapping[key] = objects[key].Ref
	}
	return s.add(name, choice)
}

func (s *Schemas) object(fields []field.Spec, use Use) *Schema {
	out := &Schema{Type: "object"}
	inner := use
	if use == Patch {
		// Only whole members may be missing, not parts of them.
		inner = Request
	}
	for i := range fields {
		f := &fields[i]
		if f.File || use == Answer && f.Secret || use != Answer && f.ReadOnly {
			continue
		}
		out.Properties = append(out.Properties, Property{f.Name, s.Field(f, inner)})
		if f.Required && use != Patch || f.ReadOnly {
			out.Required = append(out.Required, f.Name)
		}
	}
	slices.Sort(out.Required)
	return out
}

// Field describes a member.
func (s *Schemas) Field(f *field.Spec, use Use) *Schema {
	schema := s.value(f, use)
	readOnly, writeOnly := f.ReadOnly && use == Answer, f.Secret && use != Answer
	if (schema.Ref != "") && (f.Nullable || readOnly || writeOnly || f.ShowDefault) {
		// Nothing may stand beside a reference.
		schema = &Schema{AllOf: []*Schema{schema}}
	}
	schema.Nullable, schema.ReadOnly, schema.WriteOnly = f.Nullable, readOnly, writeOnly
	if f.ShowDefault {
		schema.Default = f.Default
	}
	return schema
}

// slugPattern is what package field demands of slugs.
const slugPattern = `^[-a-zA-Z0-9_]+$`

// value describes the value of a field that is not null.
func (s *Schemas) value(f *field.Spec, use Use) *Schema {
	switch {
	case f.Type == "array":
		return &Schema{Type: "array", Items: s.value(item(f), use), MinItems: f.Min, MaxItems: f.Max}
	case len(f.Enum) > 0:
		return s.choices(f)
	case f.Type == "any":
		return &Schema{}
	case f.Type == "object" && f.Go != nil && f.Go.Kind() == reflect.Struct:
		object := s.object(f.Fields, use)
		if name := nameOf(f.Go); name != "" {
			return s.add(use.component(name), object)
		}
		return object
	case f.Type == "object":
		return &Schema{Type: "object", Additional: s.elements(f.Go, use)}
	case f.Type == "number":
		return &Schema{Type: "number", Format: "double", Minimum: f.Min, Maximum: f.Max}
	case f.Type == "integer":
		return &Schema{Type: "integer", Format: f.Format, Minimum: f.Min, Maximum: f.Max}
	case f.Type == "string":
		return text(f, use)
	}
	return &Schema{Type: f.Type}
}

// item describes the items of a list. They obey the rules of the list's tag.
func item(f *field.Spec) *field.Spec {
	each := *f.Items
	each.Blank, each.Slug = each.Blank || f.Blank, each.Slug || f.Slug
	return &each
}

// elements describes the values of a map.
func (s *Schemas) elements(t reflect.Type, use Use) *Schema {
	if t == nil || t.Kind() != reflect.Map || t.Elem().Kind() == reflect.Interface {
		return &Schema{}
	}
	return s.Value(reflect.Zero(t.Elem()).Interface(), "", use)
}

// text describes a string. Ids and times have their format; durations are
// texts of our own.
func text(f *field.Spec, use Use) *Schema {
	out := &Schema{Type: "string", Format: f.Format, MinLength: f.Min, MaxLength: f.Max}
	switch f.Format {
	case "uuid", "date-time", "binary":
		return out
	case "duration":
		out.Format = ""
	}
	if f.Slug {
		out.Pattern = slugPattern
	}
	if one := int64(1); use != Answer && !f.Blank && (out.MinLength == nil || *out.MinLength == 0) {
		out.MinLength = &one
	}
	return out
}

// choices refers to the list of accepted texts.
func (s *Schemas) choices(f *field.Spec) *Schema {
	choice := &Schema{Type: "string", Enum: f.Enum}
	name := nameOf(f.Go)
	if name == "" || f.Go.Kind() != reflect.String || f.Go.PkgPath() == "" {
		return choice
	}
	ref := s.add(name, choice)
	if !f.Blank {
		return ref
	}
	return &Schema{OneOf: []*Schema{ref, s.add("BlankEnum", &Schema{Enum: []string{""}})}}
}
