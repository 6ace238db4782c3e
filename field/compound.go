package field

import (
	"encoding/json"
	"fmt"
	"reflect"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"
)

// maxDepth bounds the nesting of free-form values.
const maxDepth = 64

func decodeCustom(_ *rules, dst reflect.Value, raw any) []Error {
	if p := dst.Addr().Interface().(Decoder).DecodeField(raw); p != nil {
		return []Error{*p}
	}
	return nil
}

func pointerDecoder(t reflect.Type) (decoder, error) {
	inner, err := decoderFor(t.Elem())
	return func(r *rules, dst reflect.Value, raw any) []Error {
		p := reflect.New(t.Elem())
		if problems := inner(r, p.Elem(), raw); len(problems) > 0 {
			return problems
		}
		dst.Set(p)
		return nil
	}, err
}

// sliceDecoder reads lists. min and max count the items; the other rules
// hold for each item. Ids of references are kept once each.
func sliceDecoder(t reflect.Type) (decoder, error) {
	inner, err := decoderFor(t.Elem())
	if err != nil {
		return nil, err
	}
	return func(r *rules, dst reflect.Value, raw any) []Error {
		items, ok := list(raw)
		switch n := int64(len(items)); {
		case !ok:
			return problem(CodeNotAList, "field.list.invalid", "Enter a list.")
		case r.max != nil && n > *r.max:
			return problem(CodeMaxLength, "", "Enter at most %d items.", *r.max)
		case r.min != nil && n < *r.min:
			return problem(CodeMinLength, "", "Enter at least %d items.", *r.min)
		}
		each := *r
		each.min, each.max = nil, nil
		out := reflect.MakeSlice(t, 0, len(items))
		seen := map[any]bool{}
		var problems []Error
		for i, item := range items {
			v := reflect.New(t.Elem()).Elem()
			var found []Error
			if item == nil && v.Kind() != reflect.Interface {
				found = problem(CodeNull, "", "Enter a value; null is not allowed here.")
			} else if item != nil {
				found = inner(&each, v, item)
			}
			for _, p := range found {
				p.Message, p.String = "", fmt.Sprintf("Item %d: %s", i+1, p.String)
				problems = append(problems, p)
			}
			if r.ref && len(found) == 0 {
				if seen[v.Interface()] {
					continue
				}
				seen[v.Interface()] = true
			}
			out = reflect.Append(out, v)
		}
		if len(problems) == 0 {
			dst.Set(out)
		}
		return problems
	}, nil
}

func list(raw any) ([]any, bool) {
	if items, ok := raw.([]any); ok {
		return items, true
	}
	v := reflect.ValueOf(raw)
	if v.Kind() != reflect.Slice {
		return nil, false
	}
	items := make([]any, v.Len())
	for i := range items {
		items[i] = v.Index(i).Interface()
	}
	return items, true
}

func mapDecoder(t reflect.Type) (decoder, error) {
	inner, err := decoderFor(t.Elem())
	if err == nil && t.Key().Kind() != reflect.String {
		err = fmt.Errorf("no decoder for keys of %v", t)
	}
	return func(r *rules, dst reflect.Value, raw any) []Error {
		m, ok := raw.(map[string]any)
		if !ok {
			return problem(CodeInvalid, "field.object.invalid", "Enter an object of keys and values.")
		}
		out := reflect.MakeMapWithSize(t, len(m))
		for key, item := range m {
			v := reflect.New(t.Elem()).Elem()
			if item != nil {
				if problems := inner(r, v, item); len(problems) > 0 {
					problems[0].Message, problems[0].String = "", fmt.Sprintf("Key %q: %s", key, problems[0].String)
					return problems
				}
			}
			out.SetMapIndex(reflect.ValueOf(key).Convert(t.Key()), v)
		}
		dst.Set(out)
		return nil
	}, err
}

// decodeStruct reads an object inside a document, with the same rules.
func decodeStruct(_ *rules, dst reflect.Value, raw any) []Error {
	m, ok := raw.(map[string]any)
	if !ok {
		return problem(CodeInvalid, "field.object.invalid", "Enter an object of keys and values.")
	}
	_, errs := Decode(dst.Addr().Interface(), m, Create)
	if len(errs) == 0 {
		return nil
	}
	return problem(CodeInvalid, "", "%v", errs)
}

func decodeAny(_ *rules, dst reflect.Value, raw any) []Error {
	v, err := plain(raw, 0)
	if err != nil {
		return problem(CodeInvalid, "", "Enter a JSON value: %v.", err)
	}
	if v != nil {
		dst.Set(reflect.ValueOf(v))
	}
	return nil
}

// plain copies a free-form value in the shapes that documents use: string,
// bool, int64, float64, nil, []any and map[string]any.
func plain(raw any, depth int) (any, error) {
	if depth > maxDepth {
		return nil, fmt.Errorf("it is nested more than %d deep", maxDepth)
	}
	switch v := raw.(type) {
	case nil, bool, int64, float64:
		return v, nil
	case string:
		if strings.ContainsRune(v, 0) || !utf8.ValidString(v) {
			return nil, fmt.Errorf("a text in it has a NUL character")
		}
		return v, nil
	case json.Number:
		if n, err := strconv.ParseInt(v.String(), 10, 64); err == nil {
			return n, nil
		}
		return v.Float64()
	case uuid.UUID:
		return v.String(), nil
	case time.Time:
		return formatTime(v), nil
	case map[string]any:
		out := make(map[string]any, len(v))
		for key, item := range v {
			if strings.ContainsRune(key, 0) || !utf8.ValidString(key) {
				return nil, fmt.Errorf("a key in it has a NUL character")
			}
			p, err := plain(item, depth+1)
			if err != nil {
				return nil, err
			}
			out[key] = p
		}
		return out, nil
	}
	switch v := reflect.ValueOf(raw); v.Kind() {
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32:
		return v.Int(), nil
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		if n := int64(v.Uint()); n >= 0 {
			return n, nil
		}
		return float64(v.Uint()), nil
	case reflect.String:
		return v.String(), nil
	case reflect.Slice:
		out := make([]any, v.Len())
		for i := range out {
			p, err := plain(v.Index(i).Interface(), depth+1)
			if err != nil {
				return nil, err
			}
			out[i] = p
		}
		return out, nil
	}
	return nil, fmt.Errorf("a %T has no place in it", raw)
}
