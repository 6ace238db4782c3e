package expression

import (
	"go.starlark.net/starlark"

	"github.com/weir-id/weir/internal/expression/python"
)

// cell is the box of a variable that a nested function rebinds.
type cell struct {
	opaque
	name  string
	value starlark.Value
}

// runtimeOps are the operations of python.Ops, each in its place there.
var runtimeOps = newRuntimeOps()

func newRuntimeOps() []fn {
	named := map[string]fn{
		python.OpHas: opHas, python.OpCell: opCell, python.OpGet: opGet, python.OpSet: opSet,
		python.OpEnter: opEnter, python.OpSetAttr: opSetAttr, python.OpKept: opKept,
		python.OpIndex: opIndex, python.OpSetIndex: opSetIndex, python.OpDelIndex: opDelIndex,
		python.OpSlice: opSlice, python.OpSetSlice: opSetSlice, python.OpDelSlice: opSetSlice,
		python.OpIter: opIter, python.OpUnpack: opUnpack, python.OpUnpackStar: opUnpackStar,
		python.OpElem: opElem, python.OpList: opDisplay, python.OpTuple: opTuple, python.OpSetOf: opSetOf,
		python.OpGen: opGen, python.OpSpread: opSpread, python.OpSplat: opSplat, python.OpDict: opDict, python.OpDictMerge: opDictMerge, python.OpMapping: opMapping,
		python.OpKwargs: opKwargs, python.OpFormat: opFormat, python.OpJoin: opJoin, python.OpTypeName: opTypeName,
		python.OpImport: opImport, python.OpTry: opTry, python.OpReturn: opReturn, python.OpIsReturn: opIsReturn,
		python.OpReturned: opReturned, python.OpIsSignal: opIsSignal, python.OpRaise: opRaise, python.OpAssert: opAssert,
	}
	for _, op := range python.BinaryOps {
		named["$"+op] = func(e *evaluation, c call) (starlark.Value, error) { return e.binaryOp(op, c.args[0], c.args[1]) }
		named["$"+op+"="] = func(e *evaluation, c call) (starlark.Value, error) { return e.inPlace(op, c.args[0], c.args[1]) }
	}
	for _, op := range python.CompareOps {
		named["$"+op] = func(e *evaluation, c call) (starlark.Value, error) {
			ok, err := e.compareOp(op, c.args[0], c.args[1])
			e.machine.kept = c.args[1]
			return starlark.Bool(ok), err
		}
	}
	for op, name := range python.UnaryOps {
		named[name] = func(e *evaluation, c call) (starlark.Value, error) { return e.unaryOp(op, c.args[0]) }
	}
	var list []fn
	for _, name := range python.Ops() {
		list = append(list, named[name])
	}
	return list
}

// addConstants predeclares python.Constants.
func addConstants(into starlark.StringDict) {
	into[python.SigBreak] = &signal{opaque: opaque{"break"}}
	into[python.SigContinue] = &signal{opaque: opaque{"continue"}}
	into[python.Ellipsis] = &signal{opaque: opaque{"ellipsis"}}
}

func opHas(e *evaluation, c call) (starlark.Value, error) {
	_, ok, err := e.variable(string(c.args[0].(starlark.String)))
	return starlark.Bool(ok), err
}

func opCell(_ *evaluation, c call) (starlark.Value, error) {
	box := &cell{opaque: opaque{"cell"}, name: string(c.args[0].(starlark.String))}
	if len(c.args) == 2 {
		box.value = c.args[1]
	}
	return box, nil
}

func opGet(_ *evaluation, c call) (starlark.Value, error) {
	box := c.args[0].(*cell)
	if box.value == nil {
		return nil, raise(excUnboundLocal, "cannot access local variable '%s' where it is not associated with a value", box.name)
	}
	return box.value, nil
}

func opSet(_ *evaluation, c call) (starlark.Value, error) {
	c.args[0].(*cell).value = c.args[1]
	return starlark.None, nil
}

func opEnter(e *evaluation, _ call) (starlark.Value, error) { return starlark.None, e.nested() }

func opKept(e *evaluation, _ call) (starlark.Value, error) { return e.machine.kept, nil }

func opElem(e *evaluation, c call) (starlark.Value, error) { return c.args[0], e.elems(1) }

func opDisplay(e *evaluation, c call) (starlark.Value, error) {
	return c.args[0], e.elems(1 + c.args[0].(*starlark.List).Len())
}

func opTuple(e *evaluation, c call) (starlark.Value, error) {
	if l, ok := c.args[0].(*starlark.List); ok {
		return starlark.Tuple(listItems(l)), e.elems(1 + l.Len())
	}
	return c.args[0], e.elems(1 + len(c.args[0].(starlark.Tuple)))
}

func opSetOf(e *evaluation, c call) (starlark.Value, error) {
	return e.newSet(listItems(c.args[0].(*starlark.List)))
}

func (e *evaluation) newSet(items []starlark.Value) (*starlark.Set, error) {
	s := starlark.NewSet(len(items))
	for _, v := range items {
		if err := e.insert(s, v); err != nil {
			return nil, err
		}
	}
	return s, nil
}

func opGen(e *evaluation, c call) (starlark.Value, error) {
	return newIterator("generator", e.over(listItems(c.args[0].(*starlark.List)))), nil
}

func opSpread(e *evaluation, c call) (starlark.Value, error) {
	it, err := e.iterate(c.args[0])
	if err != nil {
		return nil, raise(excType, "Value after * must be an iterable, not %s", kindOf(c.args[0]))
	}
	var out []starlark.Value
	for {
		v, ok, err := it.next()
		if err == nil && ok {
			err = e.elems(1)
		}
		if err != nil {
			return nil, err
		}
		if !ok {
			return starlark.NewList(out), nil
		}
		out = append(out, v)
	}
}

func opSplat(e *evaluation, c call) (starlark.Value, error) {
	var out []starlark.Value
	for _, part := range c.args {
		pair := part.(starlark.Tuple)
		if pair[0] == starlark.False {
			out = append(out, pair[1])
			continue
		}
		out = append(out, listItems(pair[1].(*starlark.List))...)
	}
	return starlark.NewList(out), e.elems(len(out))
}

func opDict(e *evaluation, c call) (starlark.Value, error) {
	d := starlark.NewDict(len(c.args) / 2)
	if err := e.elems(1); err != nil {
		return nil, err
	}
	for i := 0; i < len(c.args); i += 2 {
		if err := e.setKey(d, c.args[i], c.args[i+1]); err != nil {
			return nil, err
		}
	}
	return d, nil
}

func opDictMerge(e *evaluation, c call) (starlark.Value, error) {
	out := starlark.NewDict(0)
	for _, part := range c.args {
		d, err := e.asDict(part)
		if err != nil {
			return nil, err
		}
		if err := e.update(out, d); err != nil {
			return nil, err
		}
	}
	return out, nil
}

func opMapping(e *evaluation, c call) (starlark.Value, error) { return e.asDict(c.args[0]) }

// asDict returns a mapping as a dict.
func (e *evaluation) asDict(v starlark.Value) (*starlark.Dict, error) {
	switch v := v.(type) {
	case *starlark.Dict:
		return v, nil
	case interface {
		dict(*evaluation) (*starlark.Dict, error)
	}:
		return v.dict(e)
	}
	return nil, raise(excType, "'%s' object is not a mapping", kindOf(v))
}

func opKwargs(e *evaluation, c call) (starlark.Value, error) {
	v, err := opDictMerge(e, c)
	if err != nil {
		return nil, err
	}
	for _, k := range v.(*starlark.Dict).Keys() {
		if _, ok := k.(starlark.String); !ok {
			return nil, raise(excType, "keywords must be strings")
		}
	}
	return v, nil
}

func opTypeName(_ *evaluation, c call) (starlark.Value, error) {
	if t, ok := c.args[0].(interface{ Name() string }); ok && c.args[0].Type() == "type" {
		return starlark.String(t.Name()), nil
	}
	return starlark.String(kindOf(c.args[0])), nil
}
