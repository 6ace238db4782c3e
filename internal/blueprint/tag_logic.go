package blueprint

import (
	"strings"
	"time"
)

// choose is "!If [condition]" or "!If [condition, then, else]".
type choose struct {
	position
	condition, then, otherwise value
}

func (a arguments) choose() value {
	switch len(a.items) {
	case 1:
		return &choose{a.position, a.items[0], nil, nil}
	case 3:
		return &choose{a.position, a.items[0], a.items[1], a.items[2]}
	}
	a.fail(a.position, "!If takes a list of a condition, or of a condition and two values, not of %d", len(a.items))
	return nil
}

func (t *choose) resolve(s *scope) (any, error) {
	c, err := s.resolve(t.condition)
	if err != nil {
		return nil, err
	}
	switch {
	case t.then == nil:
		return truthy(c), s.spend(t, 0)
	case truthy(c):
		return s.resolve(t.then)
	}
	return s.resolve(t.otherwise)
}

// condition is "!Condition [MODE, value, ...]".
type condition struct {
	position
	mode   value
	values []value
}

func (a arguments) condition() value {
	if len(a.items) < 2 {
		a.fail(a.position, "!Condition takes a list of a mode and at least one value: !Condition [AND, ...]")
		return nil
	}
	t := &condition{a.position, a.items[0], a.items[1:]}
	if mode, ok := text(t.mode); ok && judge(mode) == nil {
		a.fail(t.mode.at(), "!Condition: the mode %q is not known; use AND, NAND, OR, NOR, XOR, XNOR, EQ or NEQ", mode)
		return nil
	}
	return t
}

func (t *condition) resolve(s *scope) (any, error) {
	mode, err := wantText(s, t.mode, "the mode of !Condition")
	if err != nil {
		return nil, err
	}
	decide := judge(mode)
	if decide == nil {
		return nil, s.fail(t.mode.at(), "!Condition: the mode %q is not known; use AND, NAND, OR, NOR, XOR, XNOR, EQ or NEQ", mode)
	}
	values := make([]any, len(t.values))
	for i, v := range t.values {
		if values[i], err = s.resolve(v); err != nil {
			return nil, err
		}
	}
	return decide(values), s.spend(t, 0)
}

// judge returns the rule of a mode in any letter case, nil when there is none.
// All but EQ and NEQ look only at what is true or false.
func judge(mode string) func([]any) bool {
	trues := func(values []any) (n int) {
		for _, v := range values {
			if truthy(v) {
				n++
			}
		}
		return n
	}
	switch strings.ToUpper(mode) {
	case "AND":
		return func(v []any) bool { return trues(v) == len(v) }
	case "NAND":
		return func(v []any) bool { return trues(v) < len(v) }
	case "OR":
		return func(v []any) bool { return trues(v) > 0 }
	case "NOR":
		return func(v []any) bool { return trues(v) == 0 }
	case "XOR":
		return func(v []any) bool { return trues(v)%2 == 1 }
	case "XNOR":
		return func(v []any) bool { return trues(v)%2 == 0 }
	case "EQ":
		return allEqual
	case "NEQ":
		return func(v []any) bool { return !allEqual(v) }
	}
	return nil
}

func allEqual(values []any) bool {
	for _, v := range values[1:] {
		if !equal(values[0], v) {
			return false
		}
	}
	return true
}

// equal compares resolved values with strict types: 2 and "2" differ, 2 and
// 2.0 do not.
func equal(a, b any) bool {
	switch a := a.(type) {
	case int64:
		if f, ok := b.(float64); ok {
			return float64(a) == f
		}
	case float64:
		if n, ok := b.(int64); ok {
			return a == float64(n)
		}
	case time.Time:
		t, ok := b.(time.Time)
		return ok && a.Equal(t)
	case []any:
		l, ok := b.([]any)
		if !ok || len(a) != len(l) {
			return false
		}
		for i := range a {
			if !equal(a[i], l[i]) {
				return false
			}
		}
		return true
	case map[string]any:
		m, ok := b.(map[string]any)
		if !ok || len(a) != len(m) {
			return false
		}
		for k := range a {
			other, there := m[k]
			if !there || !equal(a[k], other) {
				return false
			}
		}
		return true
	}
	switch b.(type) {
	case []any, map[string]any:
		return false
	}
	return a == b
}
