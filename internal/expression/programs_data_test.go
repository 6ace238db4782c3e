package expression_test

import "fmt"

func (g *generator) truth(d int) string {
	n, s, t := func() string { return g.expr(number, d) }, func() string { return g.expr(text, d) }, func() string { return g.expr(truth, d) }
	order := func() string { return g.pick("<", "<=", ">", ">=", "==", "!=") }
	return g.one(
		func() string { return fmt.Sprintf("(%s %s %s)", n(), order(), n()) },
		func() string { return fmt.Sprintf("(%s %s %s %s %s)", n(), order(), n(), order(), n()) },
		func() string { return fmt.Sprintf("(%s %s %s %s %s)", s(), order(), s(), order(), s()) },
		func() string { return fmt.Sprintf("(%s %s %s)", g.expr(list, d), order(), g.expr(list, d)) },
		func() string { return fmt.Sprintf("(%s %s %s)", g.expr(tuple, d), order(), g.expr(tuple, d)) },
		func() string { return fmt.Sprintf("(%s %s %s)", g.expr(float, d), order(), n()) },
		func() string { return fmt.Sprintf("(%s %s %s)", g.expr(set, d), order(), g.expr(set, d)) },
		func() string { return fmt.Sprintf("(%s %s %s)", g.expr(dict, d), g.pick("==", "!="), g.expr(dict, d)) },
		func() string {
			return fmt.Sprintf("(%s %s %s)", n(), g.pick("in", "not in"), g.pick(g.expr(list, d), g.expr(set, d), g.expr(tuple, d)))
		},
		func() string { return fmt.Sprintf("(%s in %s)", s(), g.pick(s(), g.expr(dict, d), g.expr(texts, d))) },
		func() string { return fmt.Sprintf("(not %s)", t()) },
		func() string { return fmt.Sprintf("(%s %s %s)", t(), g.pick("and", "or"), t()) },
		func() string { return fmt.Sprintf("(%s %s None)", t(), g.pick("is", "is not", "==")) },
		func() string {
			return fmt.Sprintf("%s.%s(%s)", s(), g.pick("startswith", "endswith"), g.pick(s(), "('a', 'é')", s()+", 1", s()+", -3, -1"))
		},
		func() string {
			return fmt.Sprintf("%s.%s()", s(), g.pick("isdigit", "isdecimal", "isnumeric", "isalpha", "isalnum", "isspace", "islower", "isupper", "istitle", "isascii", "isidentifier", "isprintable"))
		},
		func() string {
			return fmt.Sprintf("isinstance(%s, %s)", g.expr(g.anyKind(), d), g.pick("int", "str", "list", "(dict, tuple)", "bool", "float", "set"))
		},
		func() string {
			return fmt.Sprintf("%s(%s for x in %s)", g.pick("any", "all"), g.pick("x", "not x", "x != 2"), g.expr(list, d))
		},
		func() string { return fmt.Sprintf("bool(%s)", g.expr(g.anyKind(), d)) },
		func() string {
			return fmt.Sprintf("%s.%s(%s)", g.expr(set, d), g.pick("issubset", "issuperset", "isdisjoint"), g.expr(set, d))
		},
		func() string { return fmt.Sprintf("hasattr(%s, %s)", s(), g.pick("'upper'", "'append'", "'nope'")) },
	)
}

func (g *generator) float(d int) string {
	f, n := func() string { return g.expr(float, d) }, func() string { return g.expr(number, d) }
	return g.one(
		func() string { return fmt.Sprintf("(%s / %s)", n(), n()) },
		func() string {
			return fmt.Sprintf("(%s %s %s)", f(), g.pick("+", "-", "*", "/", "//", "%"), g.pick(f(), n()))
		},
		func() string { return fmt.Sprintf("float(%s)", g.pick(n(), "'1.5'", "' 2 '", "'x'", "'1e3'", "'inf'")) },
		func() string { return fmt.Sprintf("round(%s, %d)", f(), g.r.IntN(5)-1) },
		func() string { return fmt.Sprintf("abs(%s)", f()) },
		func() string { return fmt.Sprintf("(-%s)", f()) },
		func() string { return fmt.Sprintf("(%s ** %d)", f(), g.r.IntN(4)-1) },
		func() string { return fmt.Sprintf("max(%s, %s)", f(), n()) },
		func() string { return fmt.Sprintf("sum([%s, %s])", f(), f()) },
	)
}

func (g *generator) list(d int) string {
	n, l := func() string { return g.expr(number, d) }, func() string { return g.expr(list, d) }
	return g.one(
		func() string { return fmt.Sprintf("[%s, %s]", n(), n()) },
		func() string { return fmt.Sprintf("[%s, *%s]", n(), g.pick(l(), g.expr(tuple, d))) },
		func() string { return fmt.Sprintf("[%s for x in %s]", g.with(number, "x", number, d), l()) },
		func() string {
			return fmt.Sprintf("[%s for x in %s if %s]", g.with(number, "x", number, d), l(), g.with(number, "x", truth, d))
		},
		func() string {
			return fmt.Sprintf("[x * y for x in %s for y in %s if %s]", l(), l(), g.with(number, "y", truth, d))
		},
		func() string { return fmt.Sprintf("[b for a, b in %s.items()]", g.expr(dict, d)) },
		func() string { return fmt.Sprintf("[i + v for i, v in enumerate(%s, %s)]", l(), n()) },
		func() string { return fmt.Sprintf("[a - b for a, b in zip(%s, %s)]", l(), l()) },
		func() string {
			return fmt.Sprintf("sorted(%s%s)", g.pick(l(), g.expr(set, d)), g.pick("", ", reverse=True", ", key=lambda x: -x"))
		},
		func() string {
			return fmt.Sprintf("list(range(%d, %d, %s))", g.r.IntN(6)-2, g.r.IntN(9)-2, g.pick("1", "2", "-1", "3"))
		},
		func() string { return fmt.Sprintf("%s[%s]", l(), g.bounds(true)) },
		func() string { return fmt.Sprintf("(%s + %s)", l(), l()) },
		func() string { return fmt.Sprintf("(%s * %d)", l(), g.r.IntN(4)-1) },
		func() string { return fmt.Sprintf("list(reversed(%s))", l()) },
		func() string { return fmt.Sprintf("list(map(lambda x: %s, %s))", g.with(number, "x", number, d), l()) },
		func() string {
			return fmt.Sprintf("list(filter(lambda x: %s, %s))", g.with(number, "x", truth, d), l())
		},
		func() string { return fmt.Sprintf("list(%s.values())", g.expr(dict, d)) },
		func() string { return fmt.Sprintf("%s.copy()", l()) },
		func() string { return fmt.Sprintf("[len(s) for s in %s]", g.expr(texts, d)) },
		func() string { return fmt.Sprintf("[ord(c) for c in %s]", g.expr(text, d)) },
	)
}

func (g *generator) texts(d int) string {
	s, ss := func() string { return g.expr(text, d) }, func() string { return g.expr(texts, d) }
	return g.one(
		func() string { return fmt.Sprintf("[%s, %s]", s(), s()) },
		func() string { return fmt.Sprintf("%s.split()", s()) },
		func() string {
			return fmt.Sprintf("%s.%s(%s)", s(), g.pick("split", "rsplit"), g.pick(s(), "None", "','"))
		},
		func() string {
			return fmt.Sprintf("%s.%s(%s, %d)", s(), g.pick("split", "rsplit"), g.pick(s(), "None", "','"), g.r.IntN(4)-1)
		},
		func() string { return fmt.Sprintf("%s.splitlines(%s)", s(), g.pick("", "True")) },
		func() string { return fmt.Sprintf("list(%s)", s()) },
		func() string {
			return fmt.Sprintf("sorted(%s%s)", ss(), g.pick("", ", key=len", ", key=str.lower", ", reverse=True"))
		},
		func() string { return fmt.Sprintf("[%s for c in %s]", g.with(text, "c", text, d), g.pick(s(), ss())) },
		func() string { return fmt.Sprintf("list(%s.keys())", g.expr(dict, d)) },
		func() string { return fmt.Sprintf("list(map(str, %s))", g.expr(list, d)) },
		func() string { return fmt.Sprintf("%s[%s]", ss(), g.bounds(true)) },
		func() string { return fmt.Sprintf("[*%s, %s]", ss(), s()) },
	)
}

func (g *generator) dict(d int) string {
	n, s, m := func() string { return g.expr(number, d) }, func() string { return g.expr(text, d) }, func() string { return g.expr(dict, d) }
	return g.one(
		func() string { return fmt.Sprintf("{%s: %s, %s: %s}", s(), n(), s(), n()) },
		func() string {
			return fmt.Sprintf("{c: %s for c in %s}", g.with(text, "c", number, d), g.pick(s(), g.expr(texts, d)))
		},
		func() string {
			return fmt.Sprintf("{k: v for k, v in %s.items() if %s}", m(), g.with(number, "v", truth, d))
		},
		func() string { return fmt.Sprintf("{**%s, %s: %s}", m(), s(), n()) },
		func() string { return fmt.Sprintf("dict(zip(%s, %s))", g.expr(texts, d), g.expr(list, d)) },
		func() string { return fmt.Sprintf("dict(%s, z=%s)", m(), n()) },
		func() string { return fmt.Sprintf("(%s | %s)", m(), m()) },
		func() string { return fmt.Sprintf("dict.fromkeys(%s, %s)", g.expr(texts, d), n()) },
		func() string { return fmt.Sprintf("%s.copy()", m()) },
		func() string { return fmt.Sprintf("dict([(%s, %s)])", s(), n()) },
	)
}

func (g *generator) set(d int) string {
	n, v := func() string { return g.expr(number, d) }, func() string { return g.expr(set, d) }
	return g.one(
		func() string { return fmt.Sprintf("{%s, %s}", n(), n()) },
		func() string { return fmt.Sprintf("set(%s)", g.expr(list, d)) },
		func() string { return fmt.Sprintf("{%s for x in %s}", g.with(number, "x", number, d), g.expr(list, d)) },
		func() string { return fmt.Sprintf("(%s %s %s)", v(), g.pick("|", "&", "-", "^"), v()) },
		func() string {
			return fmt.Sprintf("%s.%s(%s)", v(), g.pick("union", "intersection", "difference", "symmetric_difference"), g.pick(v(), g.expr(list, d)))
		},
		func() string { return fmt.Sprintf("%s.copy()", v()) },
	)
}

func (g *generator) tuple(d int) string {
	any := func() string { return g.expr(g.anyKind(), d) }
	return g.one(
		func() string { return fmt.Sprintf("(%s, %s)", g.expr(number, d), g.expr(text, d)) },
		func() string { return fmt.Sprintf("tuple(%s)", g.expr(list, d)) },
		func() string { return fmt.Sprintf("divmod(%s, %s)", g.expr(number, d), g.expr(number, d)) },
		func() string { return fmt.Sprintf("%s.partition(%s)", g.expr(text, d), g.expr(text, d)) },
		func() string { return fmt.Sprintf("%s[%s]", g.expr(tuple, d), g.bounds(true)) },
		func() string { return fmt.Sprintf("(%s + %s)", g.expr(tuple, d), g.expr(tuple, d)) },
		func() string { return fmt.Sprintf("(%s, sorted(%s))", g.expr(float, d), g.expr(set, d)) },
		func() string {
			return fmt.Sprintf("(lambda v: (1, sorted(v) if isinstance(v, set) else v))(%s)", any())
		},
	)
}

// listCall changes a list in place.
func (g *generator) listCall() string {
	l, n := g.expr(list, 0), func() string { return g.expr(number, 2) }
	return g.one(
		func() string { return fmt.Sprintf("%s.append(%s)", l, n()) },
		func() string { return fmt.Sprintf("%s.extend(%s)", l, g.pick(g.expr(list, 1), g.expr(tuple, 1))) },
		func() string { return fmt.Sprintf("%s.insert(%s, %s)", l, g.expr(number, 0), n()) },
		func() string { return fmt.Sprintf("%s.pop(%s)", l, g.pick("", "0", "-1", n())) },
		func() string { return fmt.Sprintf("%s.remove(%s)", l, n()) },
		func() string { return fmt.Sprintf("%s.sort(%s)", l, g.pick("", "reverse=True", "key=lambda x: -x")) },
		func() string { return fmt.Sprintf("%s.reverse()", l) },
		func() string { return fmt.Sprintf("%s.clear()", l) },
	)
}

// dictCall changes a dict in place.
func (g *generator) dictCall() string {
	d, s, n := g.expr(dict, 0), func() string { return g.expr(text, 1) }, func() string { return g.expr(number, 1) }
	return g.one(
		func() string { return fmt.Sprintf("%s[%s] = %s", d, s(), n()) },
		func() string { return fmt.Sprintf("%s[%s] += %s", d, s(), n()) },
		func() string { return fmt.Sprintf("%s.update(%s)", d, g.expr(dict, 1)) },
		func() string { return fmt.Sprintf("%s.update(z=%s)", d, n()) },
		func() string { return fmt.Sprintf("%s.setdefault(%s, %s)", d, s(), n()) },
		func() string { return fmt.Sprintf("%s.pop(%s%s)", d, s(), g.pick("", ", 0", ", None")) },
		func() string { return fmt.Sprintf("%s.popitem()", d) },
		func() string { return fmt.Sprintf("%s.clear()", d) },
	)
}
