package field

import (
	"reflect"
	"time"

	"github.com/google/uuid"
)

// Option changes what Encode writes.
type Option int

const (
	// Public leaves out the fields tagged secret or hidden.
	Public Option = iota
	// WithSecrets writes them too: only for the catalog, which seals them.
	WithSecrets
)

// Encode returns the document, a pointer to a struct, as JSON values under its
// wire names: string, bool, int64, uint64, float64, nil, []any and
// map[string]any. Ids and times are strings; a nil list is an empty one.
// Nothing is shared with doc.
func Encode(doc any, option Option) map[string]any {
	return encodeFields(reflect.ValueOf(doc).Elem(), option, 0)
}

// Get returns one field of doc as Encode writes it.
func Get(doc any, name string) (any, bool) {
	v := reflect.ValueOf(doc).Elem()
	f, ok := layoutOf(v.Type()).byName[name]
	if !ok {
		return nil, false
	}
	return encodeValue(v.FieldByIndex(f.index), 0), true
}

func encodeFields(v reflect.Value, option Option, depth int) map[string]any {
	l := layoutOf(v.Type())
	out := make(map[string]any, len(l.fields))
	for _, f := range l.fields {
		if !f.Secret && !f.Hidden || option == WithSecrets {
			out[f.Name] = encodeValue(v.FieldByIndex(f.index), depth)
		}
	}
	return out
}

func encodeValue(v reflect.Value, depth int) any {
	switch x := v.Interface().(type) {
	case uuid.UUID:
		return x.String()
	case time.Time:
		return formatTime(x)
	case Duration:
		return x.String()
	}
	if depth > 2*maxDepth {
		return nil
	}
	switch v.Kind() {
	case reflect.Pointer, reflect.Interface:
		if v.IsNil() {
			return nil
		}
		return encodeValue(v.Elem(), depth+1)
	case reflect.String:
		return v.String()
	case reflect.Bool:
		return v.Bool()
	case reflect.Float32, reflect.Float64:
		return v.Float()
	case reflect.Slice:
		out := make([]any, v.Len())
		for i := range out {
			out[i] = encodeValue(v.Index(i), depth+1)
		}
		return out
	case reflect.Map:
		out := make(map[string]any, v.Len())
		for it := v.MapRange(); it.Next(); {
			out[it.Key().String()] = encodeValue(it.Value(), depth+1)
		}
		return out
	case reflect.Struct:
		return encodeFields(v, WithSecrets, depth+1)
	}
	if v.CanInt() {
		return v.Int()
	}
	if v.CanUint() {
		return v.Uint()
	}
	return nil
}

// Copy returns a pointer to a copy of the struct behind doc. Lists and maps
// are shared, which is safe for documents: Decode replaces them as a whole.
func Copy(doc any) any {
	v := reflect.ValueOf(doc).Elem()
	c := reflect.New(v.Type())
	c.Elem().Set(v)
	return c.Interface()
}

// Normalize returns v as Encode would write it had it been decoded into the
// field called name, so that it can be compared with Get; false when the field
// refuses it. doc is not changed.
func Normalize(doc any, name string, v any) (any, bool) {
	f, ok := layoutOf(reflect.TypeOf(doc).Elem()).byName[name]
	if !ok {
		return nil, false
	}
	if v == nil {
		return nil, true
	}
	tmp := reflect.New(f.typ).Elem()
	if len(f.set(tmp, v)) > 0 {
		return nil, false
	}
	return encodeValue(tmp, 0), true
}
