package blueprint

import (
	"cmp"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// enumerate is "!Enumerate [iterable, SEQ or MAP, body]": the body once for
// each item.
type enumerate struct {
	position
	iterable, body value
	asMapping      bool
}

// round is one enumeration under way. Rounds are nested; the innermost has
// depth 0.
type round struct {
	index, value any
	// started is false while the iterable itself is resolved, which cannot yet
	// speak of its own items.
	started bool
}

func (a arguments) enumerate() value {
	if len(a.items) != 3 {
		a.fail(a.position, "!Enumerate takes a list of three: what to go through, SEQ or MAP, and the body")
		return nil
	}
	t := &enumerate{position: a.position, iterable: a.items[0], body: a.items[2]}
	switch form, _ := text(a.items[1]); strings.ToUpper(form) {
	case "SEQ":
	case "MAP":
		t.asMapping = true
	default:
		a.fail(a.items[1].at(), "!Enumerate gives SEQ or MAP, nothing else")
		return nil
	}
	return t
}

func (t *enumerate) resolve(s *scope) (any, error) {
	current := &round{}
	s.rounds = append(s.rounds, current)
	defer func() { s.rounds = s.rounds[:len(s.rounds)-1] }()

	iterable, err := s.resolve(t.iterable)
	if err != nil {
		return nil, err
	}
	pairs, ok := pairsOf(iterable, s.keysOf(t.iterable))
	if !ok {
		return nil, s.fail(t.iterable.at(), "!Enumerate goes through a list, a mapping or text, not %s", kindOf(iterable))
	}
	current.started = true
	sequence, joined := []any{}, map[string]any{}
	for _, p := range pairs {
		current.index, current.value = p[0], p[1]
		body, err := s.resolve(t.body)
		if err != nil {
			return nil, err
		}
		if !t.asMapping {
			sequence = append(sequence, body)
			continue
		}
		one, ok := asMember(body)
		if !ok {
			return nil, s.fail(t.body.at(), "!Enumerate: the body of a MAP must be a mapping or a list of key and value, not %s", kindOf(body))
		}
		for key, v := range one {
			if _, again := joined[key]; again {
				v = mergeValue(joined[key], v)
				if err := s.spendAll(t, v); err != nil {
					return nil, err
				}
			}
			joined[key] = v
		}
	}
	if t.asMapping {
		return joined, s.spend(t, 0)
	}
	return sequence, s.spend(t, 0)
}

// keysOf are the keys of a mapping as they stand in the file: written on the
// spot, or in the context. A mapping from elsewhere has no order.
func (s *scope) keysOf(v value) (keys []string) {
	switch v := v.(type) {
	case *mapping:
		for _, m := range v.members {
			keys = append(keys, m.key)
		}
	case *contextValue:
		if key, ok := text(v.key); ok {
			if m, ok := s.document.context.get(key).(*mapping); ok {
				return s.keysOf(m)
			}
		}
	}
	return keys
}

// pairsOf returns what an enumeration goes through: index and item, key and
// value in the order that is known, the others by their names, or index and
// character.
func pairsOf(v any, order []string) ([][2]any, bool) {
	var pairs [][2]any
	switch v := v.(type) {
	case []any:
		for i, item := range v {
			pairs = append(pairs, [2]any{int64(i), item})
		}
	case map[string]any:
		last := len(order)
		place := make(map[string]int, last)
		for i, k := range order {
			place[k] = i - last
		}
		// Keys without a place have 0 and come behind.
		keys := slices.SortedFunc(maps.Keys(v), func(a, b string) int { return cmp.Or(cmp.Compare(place[a], place[b]), cmp.Compare(a, b)) })
		for _, k := range keys {
			pairs = append(pairs, [2]any{k, v[k]})
		}
	case string:
		for i, r := range []rune(v) {
			pairs = append(pairs, [2]any{int64(i), string(r)})
		}
	default:
		return nil, false
	}
	return pairs, true
}

func asMember(body any) (map[string]any, bool) {
	switch body := body.(type) {
	case map[string]any:
		return body, true
	case []any:
		if len(body) != 2 {
			return nil, false
		}
		switch key := body[0].(type) {
		case string, int64, bool:
			return map[string]any{keyText(key): body[1]}, true
		}
	}
	return nil, false
}

// item is "!Index depth" or "!Value depth" within an enumeration.
type item struct {
	position
	name  string
	depth int
	index bool
}

func (a arguments) item(index bool) value {
	depth, err := strconv.Atoi(strings.TrimSpace(a.text))
	if !a.isText || err != nil || depth < 0 {
		a.fail(a.position, "%s takes a depth: %s 0 for the innermost enumeration", a.name, a.name)
		return nil
	}
	return &item{a.position, a.name, depth, index}
}

func (t *item) resolve(s *scope) (any, error) {
	n := len(s.rounds) - 1 - t.depth
	if n < 0 {
		return nil, s.fail(t.position, "%s %d: there are only %d enumerations around it", t.name, t.depth, len(s.rounds))
	}
	r := s.rounds[n]
	if !r.started {
		return nil, s.fail(t.position, "%s %d: an enumeration cannot go through its own items", t.name, t.depth)
	}
	v := r.value
	if t.index {
		v = r.index
	}
	return v, s.spendAll(t, v)
}

// atIndex is "!AtIndex [object, key]" or "!AtIndex [object, key, default]".
type atIndex struct {
	position
	object, key, fallback value
}

func (a arguments) atIndex() value {
	switch len(a.items) {
	case 2:
		return &atIndex{a.position, a.items[0], a.items[1], nil}
	case 3:
		return &atIndex{a.position, a.items[0], a.items[1], a.items[2]}
	}
	a.fail(a.position, "!AtIndex takes a list of two or three: a list or mapping, a position or key, and perhaps a default")
	return nil
}

func (t *atIndex) resolve(s *scope) (any, error) {
	object, err := s.resolve(t.object)
	if err != nil {
		return nil, err
	}
	key, err := s.resolve(t.key)
	if err != nil {
		return nil, err
	}
	switch object := object.(type) {
	case []any:
		n, ok := key.(int64)
		if !ok {
			return nil, s.fail(t.key.at(), "!AtIndex: the position in a list must be a whole number, not %s", kindOf(key))
		}
		if n < 0 {
			n += int64(len(object))
		}
		if n >= 0 && n < int64(len(object)) {
			return object[n], s.spendAll(t, object[n])
		}
	case map[string]any:
		if v, ok := object[keyText(key)]; ok {
			return v, s.spendAll(t, v)
		}
	default:
		return nil, s.fail(t.object.at(), "!AtIndex looks into a list or a mapping, not %s", kindOf(object))
	}
	if t.fallback == nil {
		return nil, s.fail(t.position, "!AtIndex: there is no %q, and no default is given", keyText(key))
	}
	return s.resolve(t.fallback)
}
