package expression

import (
	"unicode/utf8"

	"go.starlark.net/starlark"
)

// stepper walks over values; ok is false at the end.
type stepper interface {
	next() (v starlark.Value, ok bool, err error)
}

type stepFunc func() (starlark.Value, bool, error)

func (f stepFunc) next() (starlark.Value, bool, error) { return f() }

// walkable is a host value that can be walked over.
type walkable interface {
	walk(e *evaluation) (stepper, error)
}

// iterate returns what walks over v. A list may grow meanwhile, a dict's keys
// are those at the start.
func (e *evaluation) iterate(v starlark.Value) (stepper, error) {
	switch v := v.(type) {
	case *iterator:
		return v, nil
	case *starlark.List:
		return &listSteps{e: e, list: v}, nil
	case starlark.Tuple:
		return e.over(v), nil
	case starlark.String:
		rest := string(v)
		return stepFunc(func() (starlark.Value, bool, error) {
			if err := e.tick(); err != nil || rest == "" {
				return nil, false, err
			}
			_, n := utf8.DecodeRuneInString(rest)
			c := rest[:n]
			rest = rest[n:]
			return starlark.String(c), true, nil
		}), nil
	case starlark.Bytes:
		i := 0
		return stepFunc(func() (starlark.Value, bool, error) {
			if err := e.tick(); err != nil || i >= len(v) {
				return nil, false, err
			}
			i++
			return starlark.MakeInt(int(v[i-1])), true, nil
		}), nil
	case *starlark.Dict:
		if err := e.elems(v.Len()); err != nil {
			return nil, err
		}
		return e.over(v.Keys()), nil
	case *starlark.Set:
		if err := e.elems(v.Len()); err != nil {
			return nil, err
		}
		return e.over(setItems(v)), nil
	case walkable:
		return v.walk(e)
	case starlark.Sequence:
		// A range: it holds no items and needs no end.
		if r, ok := v.(starlark.Indexable); ok {
			i := 0
			return stepFunc(func() (starlark.Value, bool, error) {
				if err := e.tick(); err != nil || i >= r.Len() {
					return nil, false, err
				}
				i++
				return r.Index(i - 1), true, nil
			}), nil
		}
	}
	return nil, raise(excType, "'%s' object is not iterable", kindOf(v))
}

// over walks over a fixed slice.
func (e *evaluation) over(list []starlark.Value) stepper { return &sliceSteps{e, list} }

type sliceSteps struct {
	e    *evaluation
	rest []starlark.Value
}

func (s *sliceSteps) next() (starlark.Value, bool, error) {
	if err := s.e.tick(); err != nil || len(s.rest) == 0 {
		return nil, false, err
	}
	v := s.rest[0]
	s.rest = s.rest[1:]
	return v, true, nil
}

type listSteps struct {
	e    *evaluation
	list *starlark.List
	at   int
}

func (s *listSteps) next() (starlark.Value, bool, error) {
	if err := s.e.tick(); err != nil || s.at >= s.list.Len() {
		return nil, false, err
	}
	s.at++
	return s.list.Index(s.at - 1), true, nil
}

// items collects and counts all values of v.
func (e *evaluation) items(v starlark.Value) ([]starlark.Value, error) {
	it, err := e.iterate(v)
	if err != nil {
		return nil, err
	}
	var out []starlark.Value
	for {
		x, ok, err := it.next()
		if err != nil {
			return nil, err
		}
		if !ok {
			return out, nil
		}
		if err := e.elems(1); err != nil {
			return nil, err
		}
		out = append(out, x)
	}
}

// iterator is a one-shot iterator: generators, map, filter, zip, iter().
type iterator struct {
	opaque
	steps stepper
}

func newIterator(kind string, s stepper) *iterator { return &iterator{opaque{kind}, s} }

func (it *iterator) next() (starlark.Value, bool, error) { return it.steps.next() }

// loop is what Starlark's own for statement walks over. It has no way to
// report an error, so it ends the evaluation through the thread.
type loop struct {
	opaque
	e     *evaluation
	steps stepper
	// rest holds the items of a tuple, for which no steps are needed.
	rest starlark.Tuple
}

func (l *loop) Iterate() starlark.Iterator { return l }
func (l *loop) Done()                      {}

func (l *loop) Next(p *starlark.Value) bool {
	v, ok, err := l.next()
	if err != nil {
		// Walking fails only for good: a limit or the clock.
		l.e.thread.Cancel(l.e.stop(err).Error())
		return false
	}
	if ok {
		*p = v
	}
	return ok
}

func (l *loop) next() (v starlark.Value, ok bool, err error) {
	if l.steps != nil {
		return l.steps.next()
	}
	if err := l.e.tick(); err != nil || len(l.rest) == 0 {
		return nil, false, err
	}
	v, l.rest = l.rest[0], l.rest[1:]
	return v, true, nil
}

func opIter(e *evaluation, c call) (starlark.Value, error) {
	l := &loop{opaque: opaque{"iterator"}, e: e}
	if t, ok := c.args[0].(starlark.Tuple); ok {
		l.rest = t
		return l, nil
	}
	var err error
	if l.steps, err = e.iterate(c.args[0]); err != nil {
		return nil, err
	}
	return l, nil
}

// unpack returns exactly n values of v.
func opUnpack(e *evaluation, c call) (starlark.Value, error) {
	n, _ := starlark.AsInt32(c.args[1])
	if t, ok := c.args[0].(starlark.Tuple); ok && len(t) == n {
		return t, nil
	}
	it, err := e.iterate(c.args[0])
	if err != nil {
		return nil, raise(excType, "cannot unpack non-iterable %s object", kindOf(c.args[0]))
	}
	out := make(starlark.Tuple, 0, n)
	for {
		v, ok, err := it.next()
		switch {
		case err != nil:
			return nil, err
		case !ok && len(out) < n:
			return nil, raise(excValue, "not enough values to unpack (expected %d, got %d)", n, len(out))
		case !ok:
			return out, nil
		case len(out) == n:
			return nil, raise(excValue, "too many values to unpack (expected %d)", n)
		}
		out = append(out, v)
	}
}

func opUnpackStar(e *evaluation, c call) (starlark.Value, error) {
	before, _ := starlark.AsInt32(c.args[1])
	after, _ := starlark.AsInt32(c.args[2])
	list, err := e.items(c.args[0])
	if err != nil {
		return nil, err
	}
	if len(list) < before+after {
		return nil, raise(excValue, "not enough values to unpack (expected at least %d, got %d)", before+after, len(list))
	}
	out := append(starlark.Tuple(nil), list[:before]...)
	middle := append([]starlark.Value(nil), list[before:len(list)-after]...)
	out = append(out, starlark.NewList(middle))
	return append(out, list[len(list)-after:]...), nil
}
