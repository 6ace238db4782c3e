package flow

import (
	"slices"
	"strings"
)

// minTypedBytes is the length from which on a text that a person typed is looked
// for in reasons; shorter ones would be found by chance.
const minTypedBytes = 5

// reason is the text of an error for the log.
func (r *run) reason(err error) string { return r.untyped(err.Error()) }

// untyped is a text without what the person has typed in this flow: the
// exception of an expression may quote it.
func (r *run) untyped(text string) string {
	typed := texts(nil, r.req.Body)
	if r.plan != nil && r.plan.Context != nil {
		known, _ := KeyPromptData.Get(r.plan.Context)
		typed = texts(typed, known)
	}
	slices.SortFunc(typed, func(a, b string) int { return len(b) - len(a) })
	for _, t := range typed {
		text = strings.ReplaceAll(text, t, "***")
	}
	return text
}

// texts adds the texts in a value to a list.
func texts(list []string, v any) []string {
	switch v := v.(type) {
	case string:
		if len(v) >= minTypedBytes {
			list = append(list, v)
		}
	case []any:
		for _, item := range v {
			list = texts(list, item)
		}
	case map[string]any:
		for _, member := range v {
			list = texts(list, member)
		}
	}
	return list
}
