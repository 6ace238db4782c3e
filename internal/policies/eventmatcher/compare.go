package eventmatcher

import (
	"cmp"
	"encoding/json"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/weir-id/weir/internal/event"
)

// comparison compares what a path of an event leads to with a value, or with
// each of a list.
type comparison struct {
	path     []string
	operator string
	negated  bool
	values   []any
}

func (c *comparison) holds(e *event.Recorded) bool {
	have, _ := e.Attr(c.path[0])
	for _, member := range c.path[1:] {
		object, _ := have.(map[string]any)
		have = object[member]
	}
	for _, want := range c.values {
		if c.agrees(have, want) {
			return !c.negated
		}
	}
	return c.negated
}

// agrees tells whether the value, or one of a list of values, compares.
func (c *comparison) agrees(have, want any) bool {
	if list, ok := have.([]any); ok {
		for _, item := range list {
			if c.agrees(item, want) {
				return true
			}
		}
		return false
	}
	switch c.operator {
	case "=", "in":
		return equal(have, want)
	case "~":
		return strings.Contains(strings.ToLower(words(have)), want.(string))
	case "startswith":
		return strings.HasPrefix(strings.ToLower(words(have)), want.(string))
	case "endswith":
		return strings.HasSuffix(strings.ToLower(words(have)), want.(string))
	}
	order, comparable := compare(have, want)
	switch c.operator {
	case "<":
		return comparable && order < 0
	case "<=":
		return comparable && order <= 0
	case ">":
		return comparable && order > 0
	}
	return comparable && order >= 0
}

func equal(have, want any) bool {
	if want == nil || have == nil {
		return want == nil && have == nil
	}
	if b, ok := want.(bool); ok {
		return have == b
	}
	order, comparable := compare(have, want)
	return comparable && order == 0
}

// compare puts two values in order: times, numbers, and everything else that a
// text stands for. ok is false where that means nothing.
func compare(have, want any) (order int, ok bool) {
	switch want := want.(type) {
	case time.Time:
		at, ok := have.(time.Time)
		return at.Compare(want), ok
	case float64:
		switch have.(type) {
		case int64, float64, json.Number:
			n, err := strconv.ParseFloat(words(have), 64)
			return cmp.Compare(n, want), err == nil
		}
		return 0, false
	case string:
		switch have.(type) {
		case nil, bool, map[string]any, time.Time:
			return 0, false
		}
		return strings.Compare(words(have), want), true
	}
	return 0, false
}

// words is a value as text; objects are their JSON.
func words(v any) string {
	switch v := v.(type) {
	case nil:
		return ""
	case string:
		return v
	case int64:
		return strconv.FormatInt(v, 10)
	case float64:
		return strconv.FormatFloat(v, 'f', -1, 64)
	case time.Time:
		return v.UTC().Format(time.RFC3339Nano)
	case uuid.UUID:
		return v.String()
	}
	data, err := json.Marshal(v)
	if err != nil {
		return ""
	}
	return string(data)
}
