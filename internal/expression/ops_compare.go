package expression

import (
	"strings"

	"go.starlark.net/starlark"
)

// comparer is a host value with an order of its own: the sign of x-y. It
// returns false when the two cannot be compared.
type comparer interface {
	compare(other starlark.Value) (sign int, ok bool)
}

// equaler is a host value with an equality of its own.
type equaler interface {
	equal(other starlark.Value) bool
}

// container is a host value for `in`.
type container interface {
	contains(e *evaluation, v starlark.Value) (bool, error)
}

// equal is x == y. It counts steps, because nested values can unfold.
func (e *evaluation) equal(x, y starlark.Value) (bool, error) {
	if err := e.tick(); err != nil {
		return false, err
	}
	if xi, ok := asInt(x); ok {
		if yi, ok := asInt(y); ok {
			c, err := xi.Cmp(yi, 0)
			return c == 0, err
		}
	}
	if xf, ok := asFloat(x); ok {
		yf, ok := asFloat(y)
		return ok && xf == yf, nil
	}
	switch x := x.(type) {
	case starlark.String:
		y, ok := y.(starlark.String)
		if ok && len(x) == len(y) {
			e.work(len(x))
		}
		return ok && x == y, nil
	case starlark.Bytes:
		y, ok := y.(starlark.Bytes)
		if ok && len(x) == len(y) {
			e.work(len(x))
		}
		return ok && x == y, nil
	case starlark.NoneType:
		return y == starlark.None, nil
	case *starlark.List:
		y, ok := y.(*starlark.List)
		if !ok || x.Len() != y.Len() {
			return false, nil
		}
		return e.equalItems(x, y)
	case starlark.Tuple:
		y, ok := y.(starlark.Tuple)
		if !ok || len(x) != len(y) {
			return false, nil
		}
		return e.equalItems(x, y)
	case *starlark.Dict:
		y, ok := y.(*starlark.Dict)
		if !ok || x.Len() != y.Len() {
			return false, nil
		}
		e.nest()
		defer e.unnest()
		for _, item := range x.Items() {
			other, found, _ := y.Get(item[0])
			if !found {
				return false, nil
			}
			if eq, err := e.equal(item[1], other); !eq || err != nil {
				return false, err
			}
		}
		return true, nil
	case *starlark.Set:
		y, ok := y.(*starlark.Set)
		if !ok || x.Len() != y.Len() {
			return false, nil
		}
		return e.subset(x, y)
	case equaler:
		return x.equal(y), nil
	case comparer:
		sign, ok := x.compare(y)
		return ok && sign == 0, nil
	}
	return same(x, y), nil
}

func (e *evaluation) equalItems(x, y starlark.Indexable) (bool, error) {
	e.nest()
	defer e.unnest()
	if err := e.stopped(); err != nil {
		return false, err
	}
	for i := range x.Len() {
		xi, yi := x.Index(i), y.Index(i)
		if same(xi, yi) {
			if err := e.tick(); err != nil {
				return false, err
			}
			continue
		}
		if eq, err := e.equal(xi, yi); !eq || err != nil {
			return false, err
		}
	}
	return true, nil
}

func (e *evaluation) subset(x, y *starlark.Set) (bool, error) {
	e.work(x.Len())
	for v := range x.Elements() {
		if ok, err := y.Has(v); !ok || err != nil {
			return false, nil
		}
	}
	return true, nil
}

// same is `is`: the same object, or equal small values.
func same(x, y starlark.Value) bool {
	switch x := x.(type) {
	case starlark.Tuple:
		y, ok := y.(starlark.Tuple)
		return ok && len(x) == len(y) && (len(x) == 0 || &x[0] == &y[0])
	case starlark.Int:
		y, ok := y.(starlark.Int)
		if !ok {
			return false
		}
		eq, _ := x.Cmp(y, 0)
		return eq == 0
	}
	if _, ok := y.(starlark.Tuple); ok {
		return false
	}
	return x == y
}

// order is the sign of x-y for sorting and <, or a TypeError.
func (e *evaluation) order(op string, x, y starlark.Value) (int, error) {
	if err := e.tick(); err != nil {
		return 0, err
	}
	if xi, ok := asInt(x); ok {
		if yi, ok := asInt(y); ok {
			return xi.Cmp(yi, 0)
		}
	}
	if xf, ok := asFloat(x); ok {
		if yf, ok := asFloat(y); ok {
			return sign(xf < yf, xf > yf), nil
		}
	}
	switch xv := x.(type) {
	case starlark.String:
		if yv, ok := y.(starlark.String); ok {
			e.work(min(len(xv), len(yv)))
			return strings.Compare(string(xv), string(yv)), nil
		}
	case starlark.Bytes:
		if yv, ok := y.(starlark.Bytes); ok {
			e.work(min(len(xv), len(yv)))
			return strings.Compare(string(xv), string(yv)), nil
		}
	case *starlark.List:
		if yv, ok := y.(*starlark.List); ok {
			return e.orderItems(op, xv, yv)
		}
	case starlark.Tuple:
		if yv, ok := y.(starlark.Tuple); ok {
			return e.orderItems(op, xv, yv)
		}
	case *starlark.Set:
		if yv, ok := y.(*starlark.Set); ok {
			// Most sets stand in no order, which sorting takes as the same place.
			holds, err := e.compareSets(op, xv, yv)
			if !holds || err != nil {
				return 0, err
			}
			return sign(op[0] == '<', op[0] == '>'), nil
		}
	case comparer:
		if s, ok := xv.compare(y); ok {
			return s, nil
		}
		if m, ok := x.(interface{ mismatch(starlark.Value) error }); ok {
			if err := m.mismatch(y); err != nil {
				return 0, err
			}
		}
	}
	return 0, raise(excType, "'%s' not supported between instances of '%s' and '%s'", op, kindOf(x), kindOf(y))
}

func sign(less, greater bool) int {
	switch {
	case less:
		return -1
	case greater:
		return 1
	}
	return 0
}

func (e *evaluation) orderItems(op string, x, y starlark.Indexable) (int, error) {
	e.nest()
	defer e.unnest()
	for i := range min(x.Len(), y.Len()) {
		eq, err := e.equal(x.Index(i), y.Index(i))
		if err != nil {
			return 0, err
		}
		if !eq {
			return e.order(op, x.Index(i), y.Index(i))
		}
	}
	return sign(x.Len() < y.Len(), x.Len() > y.Len()), nil
}

// compareOp is one of python.CompareOps.
func (e *evaluation) compareOp(op string, x, y starlark.Value) (bool, error) {
	switch op {
	case "==", "!=":
		eq, err := e.equal(x, y)
		return eq == (op == "=="), err
	case "is":
		return same(x, y), nil
	case "is not":
		return !same(x, y), nil
	case "in":
		return e.in(x, y)
	case "not in":
		in, err := e.in(x, y)
		return !in, err
	}
	if xs, ok := x.(*starlark.Set); ok {
		if ys, ok := y.(*starlark.Set); ok {
			return e.compareSets(op, xs, ys)
		}
	}
	if nan(x) || nan(y) {
		return false, nil
	}
	s, err := e.order(op, x, y)
	if err != nil {
		return false, err
	}
	switch op {
	case "<":
		return s < 0, nil
	case "<=":
		return s <= 0, nil
	case ">":
		return s > 0, nil
	}
	return s >= 0, nil
}

func nan(v starlark.Value) bool {
	f, ok := v.(starlark.Float)
	return ok && f != f
}

func (e *evaluation) compareSets(op string, x, y *starlark.Set) (bool, error) {
	if op[0] == '>' {
		x, y = y, x
	}
	sub, err := e.subset(x, y)
	return sub && (len(op) == 2 || x.Len() < y.Len()), err
}

// in is `x in y`.
func (e *evaluation) in(x, y starlark.Value) (bool, error) {
	switch y := y.(type) {
	case starlark.String:
		s, ok := x.(starlark.String)
		if !ok {
			return false, raise(excType, "'in <string>' requires string as left operand, not %s", kindOf(x))
		}
		e.work(len(y))
		return strings.Contains(string(y), string(s)), nil
	case starlark.Bytes:
		e.work(len(y))
		if b, ok := x.(starlark.Bytes); ok {
			return strings.Contains(string(y), string(b)), nil
		}
	case *starlark.Dict:
		if err := e.hashable(x); err != nil {
			return false, err
		}
		_, found, err := y.Get(x)
		return found, err
	case *starlark.Set:
		if _, ok := x.(*starlark.Set); ok {
			return false, nil // no set is in a set
		}
		if err := e.hashable(x); err != nil {
			return false, err
		}
		return y.Has(x)
	case container:
		return y.contains(e, x)
	}
	it, err := e.iterate(y)
	if err != nil {
		return false, raise(excType, "argument of type '%s' is not iterable", kindOf(y))
	}
	for {
		v, ok, err := it.next()
		if !ok || err != nil {
			return false, err
		}
		if same(v, x) {
			return true, nil
		}
		if eq, err := e.equal(v, x); eq || err != nil {
			return eq, err
		}
	}
}

// hashable checks that v can be a key. Tuples are walked and counted here,
// since their hash is computed without any limit.
func (e *evaluation) hashable(v starlark.Value) error {
	switch v := v.(type) {
	case starlark.Tuple:
		e.nest()
		defer e.unnest()
		for _, item := range v {
			if err := e.tick(); err != nil {
				return err
			}
			if err := e.hashable(item); err != nil {
				return err
			}
		}
		return nil
	case starlark.String:
		e.work(len(v))
		return nil
	case starlark.Int:
		if bits(v) > 31 {
			// Starlark hashes integers by their low bits alone, so an author can
			// make keys that all fall into one place and are compared one by one.
			e.wideKeys++
			e.work(e.wideKeys)
		}
		return nil
	case starlark.Float:
		e.wideKeys++
		e.work(e.wideKeys)
		return nil
	case starlark.Bool, starlark.NoneType:
		return nil
	}
	if _, err := v.Hash(); err != nil {
		return raise(excType, "unhashable type: '%s'", kindOf(v))
	}
	return nil
}
