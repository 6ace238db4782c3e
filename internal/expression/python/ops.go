package python

import (
	"maps"
	"slices"

	"go.starlark.net/syntax"
)

// A translated body is a function of one parameter, the machine, by which it
// reaches the runtime. Starlark's own operators hand values to it, because
// they cost a fraction of a call. With m for the machine and m.name for the
// machine after it was asked for that attribute, the runtime must understand:
//
//	x | m           keep x as an argument in front of those given so far; m again
//	x ^ m.code      the operation with this code, of x and the given arguments
//	-m.code         the same without arguments
//	~m.name         a variable of the evaluation, or NameError
//	x - m.name      the attribute of x
//	x * m.name      a call of the method of x with the given arguments
//	x // m          a call of x with the given arguments
//
// Each takes all arguments given so far. These operators are chosen because
// none of them means anything to Starlark's own values with m on the right.
const Machine = "$m"

// The operators; see Machine.
const (
	GiveToken   = syntax.PIPE
	OpToken     = syntax.CIRCUMFLEX
	BareToken   = syntax.MINUS
	NameToken   = syntax.TILDE
	AttrToken   = syntax.MINUS
	MethodToken = syntax.STAR
	CallToken   = syntax.SLASHSLASH
)

// The operations that a translated body asks the machine for.
const (
	// OpHas(name) tells whether there is such a variable of the evaluation.
	OpHas = "$has"
	// OpCell(name[, value]) makes a box for a variable that a nested function
	// or a try body rebinds; OpGet(cell) and OpSet(cell, value) use it.
	OpCell, OpGet, OpSet = "$cell", "$get", "$set"
	// OpEnter() is called first by each function and checks the call depth; it
	// returns None.
	OpEnter = "$enter"

	// OpSetAttr(x, name, value).
	OpSetAttr = "$setattr"
	// OpIndex(x, i), OpSetIndex(x, i, value), OpDelIndex(x, i).
	OpIndex, OpSetIndex, OpDelIndex = "$index", "$setindex", "$delindex"
	// OpSlice(x, lo, hi, step), OpSetSlice(x, lo, hi, step, value),
	// OpDelSlice(x, lo, hi, step); absent bounds are None.
	OpSlice, OpSetSlice, OpDelSlice = "$slice", "$setslice", "$delslice"

	// OpKept() is the right operand of the latest comparison.
	OpKept = "$kept"

	// OpIter(x) returns what a for loop walks over.
	OpIter = "$iter"
	// OpUnpack(x, n) returns a tuple of exactly n values; OpUnpackStar(x,
	// before, after) one of before+1+after, the middle being a list.
	OpUnpack, OpUnpackStar = "$unpack", "$unpackstar"
	// OpElem(x) returns x and counts one element of a comprehension.
	OpElem = "$elem"
	// OpList(list), OpTuple(tuple) count a display and return it; OpSetOf(list)
	// makes a set, OpGen(list) a one-shot iterator.
	OpList, OpTuple, OpSetOf, OpGen = "$list", "$tuple", "$setof", "$gen"
	// OpSpread(x) makes a list of what * spreads; OpSplat((starred, x), ...) makes
	// a list, with the items of starred parts in it.
	OpSpread, OpSplat = "$spread", "$splat"
	// OpDict(k, v, k, v, ...) makes a dict; OpDictMerge(mapping, ...) joins
	// several, each of which OpMapping(x) has checked where it stands; OpKwargs
	// joins named arguments, whose keys are texts.
	OpDict, OpDictMerge, OpMapping, OpKwargs = "$dict", "$dictmerge", "$mapping", "$kwargs"

	// OpFormat(x, conversion, spec) and OpJoin(part, ...) are f-strings.
	OpFormat, OpJoin = "$format", "$join"
	// OpTypeName(x) is the name of x's type.
	OpTypeName = "$typename"

	// OpImport(module[, member]).
	OpImport = "$import"

	// OpTry(body, orElse, finally, class, handler, ...) runs a try statement.
	// body, orElse and finally are functions of the machine; the last two may be
	// None. class is a class, a function of the machine that returns one, or
	// None for all; handler is a function of the machine and the exception.
	// It returns None, or the signal by which a part left early.
	OpTry = "$try"
	// OpReturn(x) makes the signal of a return inside a try; OpIsReturn(r)
	// recognises it and OpReturned(r) takes x out. SigBreak and SigContinue
	// are the other signals, compared with OpIsSignal(r, signal).
	OpReturn, OpIsReturn, OpReturned = "$return", "$isreturn", "$returned"
	OpIsSignal                       = "$issignal"
	// OpRaise(x, cause) raises x, or the exception being handled without x.
	OpRaise = "$raise"
	// OpAssert(message) raises AssertionError.
	OpAssert = "$assert"
)

// Names that a translated body reads besides: the values by which a part of a
// try statement says that it was left, and the value of an ellipsis.
const (
	SigBreak, SigContinue = "$break", "$continue"
	Ellipsis              = "$ellipsis"
)

// Body is the name of the function that a translated body becomes.
const Body = "$body"

// BinaryOps are operators as functions of two operands: "$+" is addition.
// Each also exists in place: "$+=".
var BinaryOps = []string{"+", "-", "*", "/", "//", "%", "**", "&", "|", "^", "<<", ">>"}

// CompareOps are comparisons as functions of two operands: "$==".
var CompareOps = []string{"==", "!=", "<", "<=", ">", ">=", "in", "not in", "is", "is not"}

// UnaryOps are "$neg", "$pos" and "$invert".
var UnaryOps = map[string]string{"-": "$neg", "+": "$pos", "~": "$invert"}

// codes maps each operation to its code.
var codes = func() map[string]string {
	out := make(map[string]string)
	for i, op := range Ops() {
		out[op] = string([]byte{byte(i)})
	}
	return out
}()

// code is the attribute by which the machine is asked for an operation: one
// byte, the place of the operation in Ops.
func code(op string) string { return codes[op] }

// Constants lists the names of values that the runtime must predeclare.
func Constants() []string { return []string{SigBreak, SigContinue, Ellipsis} }

// Ops lists every operation that the runtime must provide.
func Ops() []string {
	ops := []string{
		OpHas, OpCell, OpGet, OpSet, OpEnter, OpSetAttr, OpIndex, OpSetIndex, OpDelIndex,
		OpSlice, OpSetSlice, OpDelSlice, OpKept, OpIter, OpUnpack, OpUnpackStar, OpElem, OpList, OpTuple, OpSetOf, OpGen,
		OpSpread, OpSplat, OpDict, OpDictMerge, OpMapping, OpKwargs, OpFormat, OpJoin, OpTypeName, OpImport, OpTry, OpReturn,
		OpIsReturn, OpReturned, OpIsSignal, OpRaise, OpAssert,
	}
	for _, op := range BinaryOps {
		ops = append(ops, "$"+op, "$"+op+"=")
	}
	for _, op := range CompareOps {
		ops = append(ops, "$"+op)
	}
	return append(ops, slices.Sorted(maps.Values(UnaryOps))...)
}
