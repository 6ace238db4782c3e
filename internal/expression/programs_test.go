package expression_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
)

// generator writes random programs of the language that bodies may use: small,
// valid, without loops that might not end, and without what no two runs agree
// on, such as the order of sets. It keeps away from what is known to differ
// (docs/compatibility.md): generators, which run at once here, hold nothing that
// raises, and no bool is used as a number in a set or as a key. Most of what it writes makes sense; now and
// then a value is of the wrong kind, so that exceptions are compared, too.
type generator struct {
	r *rand.Rand
	b strings.Builder
	// names are the variables by kind that may be read.
	names map[kind][]string
	// functions are the names of functions of one number.
	functions []string
	count     int
	inLoop    bool
	inFunc    bool
}

// kind is what an expression is meant to give.
type kind int

const (
	number kind = iota
	text
	truth
	float
	list  // of numbers
	texts // list of texts
	dict  // from texts to numbers
	set   // of numbers
	tuple
	kinds
)

// program writes one program.
func program(seed uint64) string {
	g := &generator{r: rand.New(rand.NewPCG(seed, 1)), names: map[kind][]string{}}
	for range 2 + g.r.IntN(7) {
		g.statement(0, 2)
	}
	g.line(0, "return (%s,)", strings.Join(g.results(), ", "))
	return g.b.String()
}

// results are expressions that show all variables.
func (g *generator) results() []string {
	out := []string{g.expr(kind(g.r.IntN(int(kinds))), 2)}
	for k := range kinds {
		out = append(out, g.names[k]...)
	}
	for i, x := range out {
		// Sets have no order that could be compared.
		out[i] = "sorted(" + x + ") if isinstance(" + x + ", set) else " + x
	}
	return out
}

func (g *generator) line(indent int, format string, args ...any) {
	g.b.WriteString(strings.Repeat("    ", indent))
	fmt.Fprintf(&g.b, format, args...)
	g.b.WriteByte('\n')
}

func (g *generator) pick(choices ...string) string { return choices[g.r.IntN(len(choices))] }

// one returns the result of one of the functions; only that one is called.
func (g *generator) one(choices ...func() string) string { return choices[g.r.IntN(len(choices))]() }

// block writes a body; names that it binds are not read after it unless it is
// certain to run.
func (g *generator) block(indent, depth int) {
	g.scoped(func() {
		for range 1 + g.r.IntN(3) {
			g.statement(indent, depth-1)
		}
	})
}

// scoped forgets the names that f binds. Sometimes it does not, and then a
// later read may find the name unbound.
func (g *generator) scoped(f func()) {
	before := map[kind][]string{}
	for k, names := range g.names {
		before[k] = names[:len(names):len(names)]
	}
	functions := g.functions[:len(g.functions):len(g.functions)]
	f()
	g.names, g.functions = before, functions
}

// bind returns a name for a new value of a kind, or one that there is.
func (g *generator) bind(k kind) string {
	if names := g.names[k]; len(names) > 0 && g.r.IntN(3) == 0 {
		return names[g.r.IntN(len(names))]
	}
	return g.fresh(k)
}

func (g *generator) fresh(k kind) string {
	g.count++
	name := fmt.Sprintf("%c%d", "nstfldvkp"[k], g.count)
	return name
}

func (g *generator) remember(k kind, name string) {
	for _, n := range g.names[k] {
		if n == name {
			return
		}
	}
	g.names[k] = append(g.names[k], name)
}

func (g *generator) anyKind() kind { return kind(g.r.IntN(int(kinds))) }

func (g *generator) statement(indent, depth int) {
	n := 26
	if depth <= 0 {
		n = 15
	}
	switch g.r.IntN(n) {
	case 0, 1, 2, 3:
		k := g.anyKind()
		name, x := g.bind(k), g.expr(k, 3)
		g.line(indent, "%s = %s", name, x)
		g.remember(k, name)
	case 4:
		k := kind(g.r.IntN(2))
		name := g.fresh(k)
		if names := g.names[k]; len(names) > 0 && !strings.Contains(names[0], " ") {
			name = names[0]
		} else {
			g.line(indent, "%s = %s", name, g.expr(k, 1))
			g.remember(k, name)
		}
		if k == text {
			g.line(indent, "%s %s %s", name, g.pick("+=", "+=", "%="), g.expr(text, 2))
		} else {
			g.line(indent, "%s %s %s", name, g.pick("+=", "-=", "*=", "//=", "%=", "|=", "&=", "^="), g.expr(number, 2))
		}
	case 5:
		a, b, c := g.bind(number), g.bind(number), g.bind(list)
		switch g.r.IntN(4) {
		case 0:
			g.line(indent, "%s, %s = %s, %s", a, b, g.expr(number, 2), g.expr(number, 2))
			c = ""
		case 1:
			g.line(indent, "%s, *%s = %s", a, c, g.expr(list, 2))
			b = ""
		case 2:
			g.line(indent, "%s, (%s, *%s) = %s, %s", a, b, c, g.expr(number, 1), g.expr(list, 2))
		case 3:
			g.line(indent, "%s = %s = %s", a, b, g.expr(number, 2))
			c = ""
		}
		for _, name := range []string{a, b} {
			if name != "" {
				g.remember(number, name)
			}
		}
		if c != "" {
			g.remember(list, c)
		}
	case 6, 7:
		g.line(indent, "%s", g.listCall())
	case 8:
		g.line(indent, "%s", g.dictCall())
	case 9:
		g.line(indent, "%s[%s] = %s", g.expr(list, 0), g.expr(number, 1), g.expr(number, 2))
	case 10:
		x := g.expr(list, 0)
		g.line(indent, "%s[%s] = %s", x, g.bounds(false), g.expr(list, 1))
	case 11:
		g.line(indent, "%s", g.pick("pass", "assert "+g.expr(truth, 2)+", "+g.expr(text, 1),
			"del "+g.expr(dict, 0)+"["+g.expr(text, 0)+"]", "del "+g.expr(list, 0)+"["+g.expr(number, 0)+"]",
			"del "+g.expr(list, 0)+"["+g.bounds(false)+"]"))
	case 12:
		if g.inLoop {
			g.line(indent, "if %s: %s", g.expr(truth, 1), g.pick("break", "continue"))
		} else if g.inFunc {
			g.line(indent, "if %s: return %s", g.expr(truth, 1), g.expr(number, 1))
		} else {
			g.line(indent, "if %s: return (%s,)", g.expr(truth, 1), g.expr(number, 1))
		}
	case 13:
		g.line(indent, "if %s: raise %s", g.expr(truth, 1), g.pick("ValueError("+g.expr(text, 1)+")", "KeyError("+g.expr(text, 0)+")", "RuntimeError", "TypeError('x', 1)"))
	case 14:
		g.line(indent, "%s.%s", g.expr(set, 0), g.pick("add("+g.expr(number, 1)+")", "discard("+g.expr(number, 1)+")",
			"remove("+g.expr(number, 1)+")", "update("+g.expr(list, 1)+")", "clear()"))
	case 15, 16, 17:
		g.line(indent, "if %s:", g.expr(truth, 2))
		g.block(indent+1, depth)
		if g.r.IntN(3) == 0 {
			g.line(indent, "elif %s:", g.expr(truth, 2))
			g.block(indent+1, depth)
		}
		if g.r.IntN(2) == 0 {
			g.line(indent, "else:")
			g.block(indent+1, depth)
		}
	case 18, 19, 20:
		g.loop(indent, depth)
	case 21, 22, 23:
		g.try(indent, depth)
	default:
		g.function(indent, depth)
	}
}

func (g *generator) loop(indent, depth int) {
	outer := g.inLoop
	g.scoped(func() {
		switch g.r.IntN(5) {
		case 0:
			v := g.fresh(number)
			g.line(indent, "%s = %d", v, 1+g.r.IntN(4))
			g.line(indent, "while %s > 0:", v)
			g.line(indent+1, "%s -= 1", v)
		case 1:
			v := g.bind(text)
			g.line(indent, "for %s in %s:", v, g.expr(text, 1))
			g.remember(text, v)
		case 2:
			a, b := g.bind(number), g.bind(number)
			g.line(indent, "for %s, %s in enumerate(%s):", a, b, g.expr(list, 1))
			g.remember(number, a)
			g.remember(number, b)
		case 3:
			a, b := g.bind(text), g.bind(number)
			g.line(indent, "for %s, %s in %s.items():", a, b, g.expr(dict, 1))
			g.remember(text, a)
			g.remember(number, b)
		case 4:
			v := g.bind(number)
			g.line(indent, "for %s in range(%d):", v, g.r.IntN(5))
			g.remember(number, v)
		}
		g.inLoop = true
		g.block(indent+1, depth)
		g.inLoop = outer
		if g.r.IntN(3) == 0 {
			g.line(indent, "else:")
			g.block(indent+1, depth)
		}
	})
}

func (g *generator) try(indent, depth int) {
	g.line(indent, "try:")
	g.block(indent+1, depth)
	handlers := g.r.IntN(3)
	for i := range handlers {
		switch {
		case i == handlers-1 && g.r.IntN(4) == 0:
			g.line(indent, "except:")
		case g.r.IntN(3) == 0:
			name := g.bind(text)
			g.line(indent, "except (%s, ValueError) as e%s:", g.exception(), name)
			// Python forgets the name of the exception after its handler.
			g.line(indent+1, "%s = type(e%s).__name__", name, name)
		default:
			g.line(indent, "except %s:", g.exception())
		}
		g.block(indent+1, depth)
	}
	if handlers > 0 && g.r.IntN(3) == 0 {
		g.line(indent, "else:")
		g.block(indent+1, depth)
	}
	if handlers == 0 || g.r.IntN(3) == 0 {
		g.line(indent, "finally:")
		loop := g.inLoop
		g.inLoop = false // before Python 3.14 a jump out of a finally part is best left alone
		g.block(indent+1, depth)
		g.inLoop = loop
	}
}

func (g *generator) exception() string {
	return g.pick("ValueError", "KeyError", "IndexError", "LookupError", "TypeError", "ZeroDivisionError", "ArithmeticError",
		"AttributeError", "NameError", "Exception", "AssertionError", "RuntimeError")
}

// function writes a function of a number with some of what parameters can be.
func (g *generator) function(indent, depth int) {
	if g.inFunc {
		g.statement(indent, 0)
		return
	}
	g.count++
	name, p := fmt.Sprintf("fn%d", g.count), fmt.Sprintf("q%d", g.count)
	loop := g.inLoop
	g.scoped(func() {
		g.inFunc, g.inLoop = true, false
		defer func() { g.inFunc, g.inLoop = false, loop }()
		params := p + g.pick("", "", ", *rest", ", w=2", ", *, w=3", ", **kw", ", w="+g.expr(number, 1))
		// What is assigned in here is local, so outer names are only read, and
		// only those that are not assigned.
		outer := g.names[number]
		g.line(indent, "def %s(%s):", name, params)
		g.names = map[kind][]string{number: {p}}
		if len(outer) > 0 && g.r.IntN(2) == 0 {
			v := outer[g.r.IntN(len(outer))]
			switch g.r.IntN(2) {
			case 0:
				g.line(indent+1, "%s = %s + 0", p, v)
			case 1:
				g.names[number] = append(g.names[number], v+" * 1")
			}
		}
		g.functions = nil
		for range g.r.IntN(3) {
			g.statement(indent+1, depth-1)
		}
		if g.r.IntN(5) > 0 {
			g.line(indent+1, "return %s", g.expr(number, 2))
		}
		if g.b.String()[g.b.Len()-2] == ':' {
			g.line(indent+1, "pass")
		}
	})
	g.functions = append(g.functions, name)
	v := g.bind(number)
	g.line(indent, "%s = %s(%s%s)", v, name, g.expr(number, 1), g.pick("", "", "", ", 7", ", w=1", ", *[4]", ", **{'w': 5}"))
	g.remember(number, v)
}
