package python

// Pos is a place in the author's text, counted from 1.
type Pos struct{ Line, Col int }

func (p Pos) pos() Pos { return p }

// expr is a node that has a value.
type expr interface{ pos() Pos }

type (
	nameExpr struct {
		Pos
		id string
	}
	// constExpr is None, True, False or an ellipsis.
	constExpr struct {
		Pos
		id string
	}
	// numExpr holds an int64, a *big.Int or a float64.
	numExpr struct {
		Pos
		val any
	}
	strExpr struct {
		Pos
		val string
	}
	bytesExpr struct {
		Pos
		val string
	}
	// fstringExpr joins strExpr and formattedExpr parts.
	fstringExpr struct {
		Pos
		parts []expr
	}
	// formattedExpr is {x!conv:spec}; spec is nil or an fstringExpr.
	formattedExpr struct {
		Pos
		x    expr
		conv string
		spec expr
	}
	// displayExpr is a list, tuple or set ('[', '(' or '{'); elements may be starred.
	displayExpr struct {
		Pos
		kind  byte
		elems []expr
	}
	// dictExpr has a nil key where a mapping is spread with **.
	dictExpr struct {
		Pos
		keys, vals []expr
	}
	// compExpr is a comprehension: '[', '{', ':' (dict; key set) or '(' (generator).
	compExpr struct {
		Pos
		kind     byte
		key, val expr
		clauses  []compClause
	}
	unaryExpr struct {
		Pos
		op string
		x  expr
	}
	binaryExpr struct {
		Pos
		op   string
		x, y expr
	}
	// boolExpr is `and` or `or`.
	boolExpr struct {
		Pos
		op   string
		x, y expr
	}
	// compareExpr is x ops[0] ys[0] ops[1] ys[1] ...
	compareExpr struct {
		Pos
		x   expr
		ops []string
		ys  []expr
	}
	condExpr struct {
		Pos
		cond, yes, no expr
	}
	lambdaExpr struct {
		Pos
		params []param
		body   expr
	}
	callExpr struct {
		Pos
		fn   expr
		args []arg
	}
	attrExpr struct {
		Pos
		x    expr
		name string
	}
	// moduleExpr is a module, found by its whole path.
	moduleExpr struct {
		Pos
		path string
	}
	// typeNameExpr is x.__class__.__name__ or type(x).__name__.
	typeNameExpr struct {
		Pos
		x expr
	}
	indexExpr struct {
		Pos
		x, i expr
	}
	// sliceExpr stands in the brackets of an indexExpr; all parts may be nil.
	sliceExpr struct {
		Pos
		lo, hi, step expr
	}
	starExpr struct {
		Pos
		x expr
	}
)

// compClause is `for target in x` with the conditions that follow it.
type compClause struct {
	Pos
	target, x expr
	conds     []expr
}

// arg is one argument of a call: plain, named, or spread by * or **.
type arg struct {
	Pos
	name  string
	stars int
	x     expr
}

// param is one parameter; stars is 1 or 2 for *args and **kwargs, and a lone
// star has no name.
type param struct {
	Pos
	name  string
	stars int
	def   expr
}

// stmt is a node that is executed.
type stmt interface{ pos() Pos }

type (
	exprStmt struct {
		Pos
		x expr
	}
	assignStmt struct {
		Pos
		targets []expr
		x       expr
	}
	augStmt struct {
		Pos
		target expr
		op     string
		x      expr
	}
	returnStmt struct {
		Pos
		x expr
	}
	ifStmt struct {
		Pos
		cond     expr
		yes, not []stmt
	}
	forStmt struct {
		Pos
		target, x    expr
		body, orElse []stmt
	}
	whileStmt struct {
		Pos
		cond         expr
		body, orElse []stmt
	}
	// branchStmt is break, continue or pass.
	branchStmt struct {
		Pos
		word string
	}
	defStmt struct {
		Pos
		name   string
		params []param
		body   []stmt
	}
	tryStmt struct {
		Pos
		body     []stmt
		handlers []handler
		orElse   []stmt
		finally  []stmt
	}
	raiseStmt struct {
		Pos
		x, from expr
	}
	assertStmt struct {
		Pos
		cond, msg expr
	}
	importStmt struct {
		Pos
		// module is imported as name; with attr, only that member is. path is
		// what the author wrote where it is more: `import a.b` binds a.
		module, attr, name, path string
	}
	delStmt struct {
		Pos
		target expr
	}
	// scopeStmt is `global` or `nonlocal`.
	scopeStmt struct {
		Pos
		names  []string
		global bool
	}
)

// handler is one except clause; a nil class catches everything.
type handler struct {
	Pos
	class expr
	name  string
	body  []stmt
}
