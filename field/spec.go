package field

import (
	"fmt"
	"reflect"
	"slices"
)

// Spec describes one field to those who draw forms and write API schemas.
type Spec struct {
	// Name is the name on the wire.
	Name string
	// Type is the JSON type: string, boolean, integer, number, array, object,
	// or any.
	Type string
	// Format narrows a string: uuid, date-time, duration, or what the tag says;
	// empty otherwise.
	Format string
	// Required fields must be given on creation.
	Required bool
	// Blank allows the empty string, Nullable null.
	Blank, Nullable bool
	// Unique, Slug, Secret, Hidden, File, ReadOnly and Grants are the tag words.
	Unique, Slug, Secret, Hidden, File, ReadOnly, Grants bool
	// Go is the Go type of the value, behind pointers, for those who name
	// schemas.
	Go reflect.Type
	// Enum lists the accepted strings, of the items for an array.
	Enum []string
	// Ref is the kind of the object that the value (or each item) is the id
	// of, such as "flow" or "stage:password"; empty otherwise.
	Ref string
	// Min and Max bound the characters, items or the number; nil when open.
	Min, Max *int64
	// Items describes the items of an array, Fields the fields of an object
	// with fixed keys (of each item for an array of them).
	Items  *Spec
	Fields []Spec
	// Default is the value of the document that was described, as Encode
	// returns it; nil for secrets.
	Default any
	// ShowDefault tells that API descriptions name the default.
	ShowDefault bool
}

// Describe returns the fields of a document, a pointer to a struct, in the
// order of the struct, without the hidden ones. The values of doc are the defaults.
func Describe(doc any) []Spec {
	v := reflect.ValueOf(doc).Elem()
	l := layoutOf(v.Type())
	out := make([]Spec, 0, len(l.fields))
	for _, f := range l.fields {
		if f.Hidden {
			continue
		}
		spec := f.Spec
		if !f.Secret {
			spec.Default = encodeValue(v.FieldByIndex(f.index), 0)
		}
		out = append(out, spec)
	}
	return out
}

// describe fills in what follows from the Go type.
func (s *Spec) describe(t reflect.Type) {
	if t.Kind() == reflect.Pointer {
		s.describe(t.Elem())
		return
	}
	s.Go = t
	switch {
	case t == uuidType:
		s.Type, s.Format = "string", "uuid"
		return
	case t == timeType:
		s.Type, s.Format = "string", "date-time"
		return
	case t == reflect.TypeFor[Duration]():
		s.Type, s.Format = "string", "duration"
		return
	}
	switch t.Kind() {
	case reflect.String:
		s.Type = "string"
	case reflect.Bool:
		s.Type = "boolean"
	case reflect.Float64:
		s.Type = "number"
	case reflect.Slice:
		s.Type = "array"
		s.Items = &Spec{Enum: s.Enum, Ref: s.Ref}
		s.Items.describe(t.Elem())
	case reflect.Map:
		s.Type = "object"
	case reflect.Struct:
		s.Type = "object"
		s.Fields = Describe(reflect.New(t).Interface())
		for _, f := range s.Fields {
			if f.Secret {
				// Sealing looks at the fields of documents only.
				panic(fmt.Sprintf("field: %v.%s: a nested field cannot be secret", t, f.Name))
			}
		}
	case reflect.Interface:
		s.Type = "any"
	default:
		s.Type = "integer"
		s.bound(t)
	}
}

// bound adds the range of the Go type where the tag names none.
func (s *Spec) bound(t reflect.Type) {
	least, most := bounds(t)
	if s.Min == nil && (least == 0 || t.Bits() < 64) {
		s.Min = &least
	}
	if top := int64(most); s.Max == nil && t.Bits() < 64 {
		s.Max = &top
	}
}

// Names returns the wire names of the document's fields, in order.
func Names(doc any) []string {
	l := layoutOf(reflect.TypeOf(doc).Elem())
	names := make([]string, len(l.fields))
	for i, f := range l.fields {
		names[i] = f.Name
	}
	return names
}

// Lookup returns the description of one field, without default.
func Lookup(doc any, name string) (Spec, bool) {
	f, ok := layoutOf(reflect.TypeOf(doc).Elem()).byName[name]
	if !ok {
		return Spec{}, false
	}
	return f.Spec, true
}

// Secrets returns the wire names of the fields that are sealed at rest.
func Secrets(doc any) []string {
	var names []string
	for _, f := range layoutOf(reflect.TypeOf(doc).Elem()).fields {
		if f.Secret {
			names = append(names, f.Name)
		}
	}
	return slices.Clip(names)
}
