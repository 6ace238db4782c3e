package python

// The operations that a translated body calls. The runtime must predeclare
// every name of Ops; nothing else that starts with a dollar sign occurs free.
const (
	// OpName(name) reads a variable of the evaluation, or raises NameError;
	// OpHas(name) tells whether there is one.
	OpName, OpHas = "$name", "$has"
	// OpCell(name[, value]) makes a box for a variable that a nested function
	// or a try body rebinds; OpGet(cell) and OpSet(cell, value) use it.
	OpCell, OpGet, OpSet = "$cell", "$get", "$set"
	// OpEnter() is called first by each function and checks the call depth; it
	// returns None.
	OpEnter = "$enter"

	// OpAttr(x, name), OpSetAttr(x, name, value).
	OpAttr, OpSetAttr = "$attr", "$setattr"
	// OpIndex(x, i), OpSetIndex(x, i, value), OpDelIndex(x, i).
	OpIndex, OpSetIndex, OpDelIndex = "$index", "$setindex", "$delindex"
	// OpSlice(x, lo, hi, step), OpSetSlice(x, lo, hi, step, value),
	// OpDelSlice(x, lo, hi, step); absent bounds are None.
	OpSlice, OpSetSlice, OpDelSlice = "$slice", "$setslice", "$delslice"

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
	// OpSplat((starred, x), ...) makes a list, spreading starred parts.
	OpSplat = "$splat"
	// OpDict(k, v, k, v, ...) makes a dict; OpDictMerge(mapping, ...) joins
	// several; OpKwargs does so for named arguments, whose keys are texts.
	OpDict, OpDictMerge, OpKwargs = "$dict", "$dictmerge", "$kwargs"

	// OpFormat(x, conversion, spec) and OpJoin(part, ...) are f-strings.
	OpFormat, OpJoin = "$format", "$join"
	// OpTypeName(x) is the name of x's type.
	OpTypeName = "$typename"

	// OpImport(module[, member]).
	OpImport = "$import"

	// OpTry(body, handlers, orElse, finally) runs a try statement: body,
	// orElse and finally are functions or None, handlers a tuple of pairs
	// (function returning the class or None, function taking the exception).
	// It returns None, or the signal by which a part left early.
	OpTry = "$try"
	// OpReturn(x) makes the signal of a return inside a try; OpIsReturn(r)
	// recognises it and OpReturned(r) takes x out. SigBreak and SigContinue
	// are the other signals, compared with OpIsSignal(r, signal).
	OpReturn, OpIsReturn, OpReturned  = "$return", "$isreturn", "$returned"
	SigBreak, SigContinue, OpIsSignal = "$break", "$continue", "$issignal"
	// OpRaise(x, cause) raises x, or the exception being handled without x.
	OpRaise = "$raise"
	// OpAssert(message) raises AssertionError.
	OpAssert = "$assert"
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

// Ops lists every name that the runtime must predeclare.
func Ops() []string {
	ops := []string{
		OpName, OpHas, OpCell, OpGet, OpSet, OpEnter, OpAttr, OpSetAttr, OpIndex, OpSetIndex, OpDelIndex,
		OpSlice, OpSetSlice, OpDelSlice, OpIter, OpUnpack, OpUnpackStar, OpElem, OpList, OpTuple, OpSetOf, OpGen,
		OpSplat, OpDict, OpDictMerge, OpKwargs, OpFormat, OpJoin, OpTypeName, OpImport, OpTry, OpReturn,
		OpIsReturn, OpReturned, SigBreak, SigContinue, OpIsSignal, OpRaise, OpAssert, "$ellipsis",
	}
	for _, op := range BinaryOps {
		ops = append(ops, "$"+op, "$"+op+"=")
	}
	for _, op := range CompareOps {
		ops = append(ops, "$"+op)
	}
	for _, op := range UnaryOps {
		ops = append(ops, op)
	}
	return ops
}
