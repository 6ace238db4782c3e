package resource

import (
	"encoding/json"
	"net/url"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"

	"github.com/weir-id/weir/field"
	"github.com/weir-id/weir/internal/access"
	"github.com/weir-id/weir/internal/catalog"
)

// Query asks for one page of a list.
type Query struct {
	// Page counts from 1, Size is the most objects on it.
	Page, Size int
	// Order comes before the default order of the kind.
	Order []Order
	// Terms must each be found, without regard to case, in one of the fields
	// that the kind searches.
	Terms []string
	// Filters are values as Filter.Decode returns them.
	Filters map[string]any
	// Scope is what the reader may see.
	Scope access.Scope
}

// Order is a field to sort by.
type Order struct {
	Field string
	Desc  bool
}

// offset is the number of objects before the page.
func (q *Query) offset() int { return (q.Page - 1) * q.Size }

// Filter is a parameter that narrows a list.
type Filter struct {
	Name string
	// Type is string (also when empty), boolean or integer; Format narrows a
	// string to uuid or date-time, Enum to some values.
	Type, Format string
	Enum         []string
	// Of is the field that is compared, whose Go type names Enum; nil where it
	// is none.
	Of *field.Spec
	// Object tells that the text is a JSON object.
	Object bool
	// Many tells that the parameter may be given several times.
	Many bool
	// Required tells clients that they must give it.
	Required bool
	// Default tells clients what holds without it; nil for nothing.
	Default any
	// Path is what configuration objects are compared by; Name when empty.
	Path string
	// Match compares configuration objects instead. Want is as Decode
	// returns it.
	Match func(v View, o *catalog.Object, want any) bool
}

// maxFilterValues bounds a parameter that is given several times, maxFilterRunes
// each value.
const (
	maxFilterValues = 200
	maxFilterBytes  = 4096
)

// maxFilterMembers bounds the JSON object of a parameter, at any depth.
const maxFilterMembers = 64

// jsonSize counts the values in a JSON value; deep nesting counts as much.
func jsonSize(v any, depth int) int {
	n := 1
	if depth > 16 {
		return maxFilterMembers + 1
	}
	switch v := v.(type) {
	case map[string]any:
		for _, member := range v {
			n += jsonSize(member, depth+1)
		}
	case []any:
		for _, item := range v {
			n += jsonSize(item, depth+1)
		}
	}
	return n
}

// Decode reads the values of the parameter: a string, bool, int64, uuid.UUID,
// time.Time or map[string]any, or a list of them ([]any) for Many. Empty values do not count; nil
// means that there is nothing to filter by.
func (f *Filter) Decode(values []string) (any, *field.Error) {
	if len(values) > maxFilterValues {
		return nil, &field.Error{Code: field.CodeMaxLength, String: "Give at most " + strconv.Itoa(maxFilterValues) + " values."}
	}
	var all []any
	for _, s := range values {
		if s = strings.TrimSpace(s); s == "" {
			continue
		}
		v, problem := f.one(s)
		if problem != nil {
			return nil, problem
		}
		all = append(all, v)
	}
	switch {
	case len(all) == 0:
		return nil, nil
	case f.Many:
		return all, nil
	}
	return all[len(all)-1], nil
}

func (f *Filter) one(s string) (any, *field.Error) {
	invalid := func(code, message string) (any, *field.Error) { return nil, &field.Error{Code: code, String: message} }
	if len(s) > maxFilterBytes || strings.ContainsRune(s, 0) || !utf8.ValidString(s) {
		return invalid(field.CodeInvalid, "Enter a shorter text without control characters.")
	}
	switch {
	case f.Type == "boolean":
		b, err := strconv.ParseBool(strings.ToLower(s))
		if err != nil {
			return invalid(field.CodeInvalid, "Enter true or false.")
		}
		return b, nil
	case f.Type == "integer":
		n, err := strconv.ParseInt(s, 10, 64)
		if err != nil {
			return invalid(field.CodeInvalid, "Enter a whole number.")
		}
		return n, nil
	case f.Format == "uuid":
		id, err := uuid.Parse(s)
		if err != nil || len(s) != 36 && len(s) != 32 {
			return invalid(field.CodeInvalid, "Enter the id of an object (a UUID).")
		}
		return id, nil
	case f.Object:
		var members map[string]any
		if json.Unmarshal([]byte(s), &members) != nil || jsonSize(members, 0) > maxFilterMembers {
			return invalid(field.CodeInvalid, "Enter a JSON object of a few members, such as {\"city\": \"Ulm\"}.")
		}
		return members, nil
	case f.Format == "date-time":
		t, err := field.ParseTime(s)
		if err != nil {
			return invalid(field.CodeInvalid, "Enter a date and time such as 2030-01-31T12:00:00Z.")
		}
		return t, nil
	}
	for _, choice := range f.Enum {
		if s == choice {
			return s, nil
		}
	}
	if f.Enum != nil {
		return invalid(field.CodeInvalidChoice, "Choose one of: "+strings.Join(f.Enum, ", ")+".")
	}
	return s, nil
}

// filtersOf declares filters that compare a field with the value; their types
// are those of the fields.
func filtersOf(fields []field.Spec, names ...string) []Filter {
	out := make([]Filter, len(names))
	for i, name := range names {
		out[i] = filterOf(fields, name)
	}
	return out
}

func filterOf(fields []field.Spec, name string) Filter {
	for i := range fields {
		s := &fields[i]
		if s.Name != name {
			continue
		}
		f := Filter{Name: name, Type: s.Type, Format: s.Format, Enum: s.Enum, Of: s}
		if s.Type == "array" {
			f.Many, f.Type, f.Format, f.Enum = true, s.Items.Type, s.Items.Format, s.Items.Enum
			f.Match = holdsAny(name)
		}
		if f.Format != "uuid" && f.Format != "date-time" {
			f.Format = ""
		}
		return f
	}
	panic("resource: no field called " + name + " to filter by")
}

// holdsAny matches objects of which a list holds one of the values.
func holdsAny(name string) func(View, *catalog.Object, any) bool {
	return func(v View, o *catalog.Object, want any) bool {
		held, _ := v.Config.Value(o, name)
		list, _ := held.([]any)
		for _, w := range want.([]any) {
			for _, h := range list {
				if text(h) == text(w) {
					return true
				}
			}
		}
		return false
	}
}

// text is a value of a filter or field as text.
func text(v any) string {
	switch v := v.(type) {
	case string:
		return v
	case uuid.UUID:
		return v.String()
	case time.Time:
		return v.UTC().Format(time.RFC3339Nano)
	case int64:
		return strconv.FormatInt(v, 10)
	case bool:
		return strconv.FormatBool(v)
	}
	return ""
}

// maxTerms bounds a search.
const maxTerms = 10

// Terms splits what was typed into a search field: words, or phrases in double
// quotes.
func Terms(typed string) []string {
	var out []string
	for i, part := range strings.Split(typed, `"`) {
		if i%2 == 1 {
			out = append(out, part)
			continue
		}
		out = append(out, strings.FieldsFunc(part, func(r rune) bool { return r == ' ' || r == ',' || r == '\t' || r == '\n' })...)
	}
	kept := out[:0]
	for _, term := range out {
		if term = strings.TrimSpace(strings.ReplaceAll(strings.ToValidUTF8(term, ""), "\x00", "")); term != "" && len(kept) < maxTerms {
			kept = append(kept, term)
		}
	}
	return kept
}

// ParseOrder reads the parameter ordering: fields joined by commas, a minus in
// front for descending.
func ParseOrder(s string) []Order {
	var out []Order
	for name := range strings.SplitSeq(s, ",") {
		name, desc := strings.CutPrefix(strings.TrimSpace(name), "-")
		if name != "" && len(out) < maxTerms {
			out = append(out, Order{name, desc})
		}
	}
	return out
}

// ParseFilters decodes the parameters that the kind declares.
func (k *Kind) ParseFilters(values url.Values) (map[string]any, field.Errors) {
	out := map[string]any{}
	var errs field.Errors
	for i := range k.Filters {
		f := &k.Filters[i]
		v, problem := f.Decode(values[f.Name])
		if problem != nil {
			errs = errs.Add(f.Name, *problem)
		} else if v != nil {
			out[f.Name] = v
		}
	}
	return out, errs
}

// ParseIncludes decodes the parameters that choose optional members.
func (k *Kind) ParseIncludes(values url.Values) (map[string]bool, field.Errors) {
	out := map[string]bool{}
	var errs field.Errors
	for _, in := range k.Includes {
		f := Filter{Name: in.Name, Type: "boolean"}
		v, problem := f.Decode(values[in.Name])
		if problem != nil {
			errs = errs.Add(in.Name, *problem)
		} else if v != nil {
			out[in.Name] = v.(bool)
		}
	}
	return out, errs
}
