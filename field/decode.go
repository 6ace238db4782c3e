package field

import (
	"fmt"
	"reflect"
	"sort"
)

// Mode says what Decode makes of a missing field.
type Mode int

const (
	// Create demands the required fields; the others keep their defaults.
	Create Mode = iota
	// Update changes the given fields only.
	Update
	// Stored reads back what Encode with Secrets wrote. Read-only fields are
	// taken as well, and rules about what a caller must give do not apply.
	Stored
	// Replace demands the required fields of an object that exists; the others
	// keep their values.
	Replace
	// Internal is Update by the program itself: read-only fields are changed
	// too.
	Internal
)

// GivenValidator is implemented by documents with a rule that looks at what
// the caller sent instead of at the result. It is called for all modes
// but Stored, before Validate; given holds the names of the fields that were sent.
type GivenValidator interface {
	ValidateGiven(given map[string]bool) Errors
}

// Decoder is implemented (by pointer) by field types with a wire form of their
// own. v is a value as encoding/json decodes it, never nil.
type Decoder interface {
	DecodeField(v any) *Error
}

// Decode moves data into dst, a pointer to a struct with json names and field
// tags; the fields of embedded structs count as its own. It accepts what
// encoding/json (numbers as float64 or json.Number) and YAML decoders return
// and shares no memory with it.
//
// A field with a problem keeps its value. When no field has one, the rules of
// the document itself are asked (GivenValidator, Validator); after such an
// error dst is changed and must be thrown away. unknown lists the keys of data
// that are no fields, sorted. Read-only fields are ignored without a word.
//
// Decode panics when dst has a field of a type that it does not know.
func Decode(dst any, data map[string]any, mode Mode) (unknown []string, errs Errors) {
	v := reflect.ValueOf(dst).Elem()
	l := layoutOf(v.Type())
	seen := 0
	for _, f := range l.fields {
		raw, given := data[f.Name]
		if given {
			seen++
		}
		if f.ReadOnly && mode != Stored && mode != Internal {
			continue
		}
		if !given {
			if f.Required && mode != Update && mode != Internal {
				errs = errs.Add(f.Name, Error{Code: CodeRequired, Message: "field.required", String: "Fill in this field."})
			}
			continue
		}
		if problems := f.set(v.FieldByIndex(f.index), raw); len(problems) > 0 {
			errs = errs.Add(f.Name, problems...)
		}
	}
	if seen < len(data) {
		for key := range data {
			if _, ok := l.byName[key]; !ok {
				unknown = append(unknown, key)
			}
		}
		sort.Strings(unknown)
	}
	if len(errs) > 0 {
		return unknown, errs
	}
	return unknown, validate(dst, data, mode)
}

func validate(dst any, data map[string]any, mode Mode) Errors {
	if g, ok := dst.(GivenValidator); ok && mode != Stored {
		given := make(map[string]bool, len(data))
		for key := range data {
			given[key] = true
		}
		if errs := g.ValidateGiven(given); len(errs) > 0 {
			return errs
		}
	}
	if d, ok := dst.(Validator); ok {
		if errs := d.Validate(); len(errs) > 0 {
			return errs
		}
	}
	return nil
}

// set decodes raw into dst, which it leaves alone when there are problems.
func (f *member) set(dst reflect.Value, raw any) []Error {
	if raw == nil {
		if !f.Nullable {
			return []Error{{Code: CodeNull, Message: "field.null", String: "Enter a value; null is not allowed here."}}
		}
		dst.SetZero()
		return nil
	}
	tmp := reflect.New(f.typ).Elem()
	if problems := f.decode(&f.rules, tmp, raw); len(problems) > 0 {
		return problems
	}
	dst.Set(tmp)
	return nil
}

// problem makes the list of one error that the decoders of single types return.
func problem(code, message, format string, args ...any) []Error {
	return []Error{{Code: code, Message: message, String: fmt.Sprintf(format, args...)}}
}
