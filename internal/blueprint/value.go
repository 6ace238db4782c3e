package blueprint

import (
	"fmt"
	"strconv"
	"time"
)

// position is a place within a document.
type position struct{ line, column int }

func (p position) at() position { return p }

func (p position) before(q position) bool {
	return p.line < q.line || p.line == q.line && p.column < q.column
}

// value is a piece of a document. It is a scalar, a list, a mapping or a tag,
// and is never changed once loaded, so that one document can be applied many
// times.
type value interface {
	at() position
	// resolve returns the value with all tags replaced by what they stand for:
	// nil, bool, int64, float64, string, time.Time, []any or map[string]any.
	resolve(s *scope) (any, error)
}

type scalar struct {
	position
	v any
	// block tells that the text begins in the line below (YAML's "|"), where
	// its lines are indented by indent columns.
	block  bool
	indent int
}

func (v *scalar) resolve(s *scope) (any, error) {
	if text, ok := v.v.(string); ok {
		return text, s.spend(v, len(text))
	}
	return v.v, s.spend(v, 0)
}

type list struct {
	position
	items []value
}

func (v *list) resolve(s *scope) (any, error) {
	if err := s.spend(v, 0); err != nil {
		return nil, err
	}
	out := make([]any, len(v.items))
	for i, item := range v.items {
		var err error
		if out[i], err = s.resolve(item); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// mapping keeps the order of the document, because tags are resolved in it.
type mapping struct {
	position
	members []member
}

type member struct {
	key string
	// isText is false for a key such as 1 or yes, which key only describes.
	isText bool
	keyAt  position
	value  value
}

func (v *mapping) resolve(s *scope) (any, error) {
	if err := s.spend(v, 0); err != nil {
		return nil, err
	}
	out := make(map[string]any, len(v.members))
	for _, m := range v.members {
		resolved, err := s.resolve(m.value)
		if err != nil {
			return nil, err
		}
		out[m.key] = resolved
	}
	return out, nil
}

// get returns the member called key, nil when there is none.
func (v *mapping) get(key string) value {
	if v == nil {
		return nil
	}
	for _, m := range v.members {
		if m.key == key {
			return m.value
		}
	}
	return nil
}

// text returns the string that v is, false when v is something else or a tag.
func text(v value) (string, bool) {
	s, ok := v.(*scalar)
	if !ok {
		return "", false
	}
	t, ok := s.v.(string)
	return t, ok
}

// isNull tells whether v is written as null.
func isNull(v value) bool {
	s, ok := v.(*scalar)
	return ok && s.v == nil
}

// describe names the kind of a value for a message.
func describe(v value) string {
	switch v := v.(type) {
	case *list:
		return "a list"
	case *mapping:
		return "a mapping"
	case *scalar:
		switch v.v.(type) {
		case nil:
			return "null"
		case bool:
			return "true or false"
		case int64, float64:
			return "a number"
		case time.Time:
			return "a date"
		}
		return "text"
	}
	return "a tag"
}

// truthy judges a resolved value: null, false, zero and everything empty are
// false.
func truthy(v any) bool {
	switch v := v.(type) {
	case nil:
		return false
	case bool:
		return v
	case string:
		return v != ""
	case int64:
		return v != 0
	case float64:
		return v != 0
	case []any:
		return len(v) > 0
	case map[string]any:
		return len(v) > 0
	}
	return true
}

// merge returns the deep merge of two mappings in which over wins: mappings
// merge, lists are put one behind the other, everything else is replaced.
// Neither argument is changed.
func merge(base, over map[string]any) map[string]any {
	out := make(map[string]any, len(base)+len(over))
	for k, v := range base {
		out[k] = v
	}
	for k, v := range over {
		out[k] = mergeValue(out[k], v)
	}
	return out
}

func mergeValue(base, over any) any {
	switch over := over.(type) {
	case map[string]any:
		if b, ok := base.(map[string]any); ok {
			return merge(b, over)
		}
	case []any:
		if b, ok := base.([]any); ok {
			return append(append(make([]any, 0, len(b)+len(over)), b...), over...)
		}
	}
	return over
}

// keyText turns a scalar key into the key of a JSON object.
func keyText(v any) string {
	switch v := v.(type) {
	case nil:
		return "null"
	case string:
		return v
	case int64:
		return strconv.FormatInt(v, 10)
	case float64:
		return strconv.FormatFloat(v, 'g', -1, 64)
	case time.Time:
		return timeText(v)
	}
	return fmt.Sprint(v)
}

// timeText writes a date without its time, and a moment with it.
func timeText(t time.Time) string {
	if t.Equal(t.Truncate(24 * time.Hour)) {
		return t.Format(time.DateOnly)
	}
	return t.Format(time.RFC3339Nano)
}
