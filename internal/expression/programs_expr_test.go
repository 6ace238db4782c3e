package expression_test

import (
	"fmt"
	"strings"
)

// expr writes an expression of a kind, with at most depth levels below it.
func (g *generator) expr(k kind, depth int) string {
	if g.r.IntN(60) == 0 {
		// Something that does not fit, but no set, which would be shown.
		if k = g.anyKind(); k == set {
			k = tuple
		}
	}
	if names := g.names[k]; len(names) > 0 && (depth <= 0 || g.r.IntN(4) == 0) {
		return names[g.r.IntN(len(names))]
	}
	if depth <= 0 {
		return g.literal(k)
	}
	switch k {
	case number:
		return g.number(depth - 1)
	case text:
		return g.text(depth - 1)
	case truth:
		return g.truth(depth - 1)
	case float:
		return g.float(depth - 1)
	case list:
		return g.list(depth - 1)
	case texts:
		return g.texts(depth - 1)
	case dict:
		return g.dict(depth - 1)
	case set:
		return g.set(depth - 1)
	}
	return g.tuple(depth - 1)
}

func (g *generator) literal(k kind) string {
	switch k {
	case number:
		return g.pick("0", "1", "2", "3", "5", "7", "10", "-1", "-3", "100", "255", "0x1f", "1_000", "2**40", "4096")
	case text:
		return g.pick(`''`, `'a'`, `'b'`, `'abc'`, `'é'`, `'Ünïcödé'`, `'日本語'`, `'a😀b'`, `' x y '`, `"it's"`, `'1,2,3'`, `'k'`, `'12'`, `'-7'`, `'Hello World'`,
			`'ß'`, `'\n'`, `'tab\there'`, `'x=y'`, `'\u00bd'`, `'a\u0301'`, `'%s'`, `'{}'`, `r'\d'`, `'Straße'`)
	case truth:
		return g.pick("True", "False", "True", "False", "None")
	case float:
		return g.pick("0.5", "1.5", "-2.5", "3.0", "1e3", "0.1", "2.675", "1e16", "-0.0", "1e-7", "123456.789")
	case list:
		return g.pick("[]", "[1]", "[1, 2, 3]", "[3, 1, 2]", "[0, -1, 5, 5]", "[4, 2]")
	case texts:
		return g.pick("[]", "['a']", "['b', 'a', 'é']", "['x', '', 'yy']")
	case dict:
		return g.pick("{}", "{'a': 1}", "{'k': 2, 'é': 3}", "{'b': 1, 'a': 0}")
	case set:
		return g.pick("set()", "{1}", "{1, 2, 3}", "{3, 4}")
	}
	return g.pick("()", "(1,)", "(1, 'a')", "(1, 2, 3)", "('x', None)")
}

func (g *generator) number(d int) string {
	n, s, l := func() string { return g.expr(number, d) }, func() string { return g.expr(text, d) }, func() string { return g.expr(list, d) }
	if len(g.functions) > 0 && g.r.IntN(6) == 0 {
		return fmt.Sprintf("%s(%s)", g.functions[g.r.IntN(len(g.functions))], n())
	}
	return g.one(
		func() string {
			return fmt.Sprintf("(%s %s %s)", n(), g.pick("+", "-", "*", "//", "%", "&", "|", "^"), n())
		},
		func() string { return fmt.Sprintf("(%s ** %d)", n(), g.r.IntN(4)) },
		func() string { return fmt.Sprintf("(%s %s %d)", n(), g.pick("<<", ">>"), g.r.IntN(6)) },
		func() string { return fmt.Sprintf("(%s%s)", g.pick("-", "~", "+", "--"), n()) },
		func() string {
			return fmt.Sprintf("len(%s)", g.expr(kind(g.r.IntN(int(kinds-text))+int(text)), d))
		},
		func() string {
			return fmt.Sprintf("%s.%s(%s)", s(), g.pick("find", "rfind", "count", "index", "rindex"), s())
		},
		func() string { return fmt.Sprintf("%s.%s(%s)", l(), g.pick("count", "index"), n()) },
		func() string { return fmt.Sprintf("sum(%s)", l()) },
		func() string { return fmt.Sprintf("%s(%s, %s)", g.pick("min", "max"), n(), n()) },
		func() string { return fmt.Sprintf("%s(%s, default=%s)", g.pick("min", "max"), l(), n()) },
		func() string {
			return fmt.Sprintf("%s(%s, key=lambda x: %s)", g.pick("min", "max"), l(), g.with(number, "x", number, d))
		},
		func() string { return fmt.Sprintf("int(%s)", g.pick(s(), g.expr(float, d), n(), g.expr(truth, d))) },
		func() string { return fmt.Sprintf("abs(%s)", n()) },
		func() string { return fmt.Sprintf("round(%s)", g.expr(float, d)) },
		func() string { return fmt.Sprintf("%s[%s]", l(), n()) },
		func() string { return fmt.Sprintf("%s.get(%s, %s)", g.expr(dict, d), s(), n()) },
		func() string { return fmt.Sprintf("%s[%s]", g.expr(dict, d), s()) },
		func() string { return fmt.Sprintf("(%s if %s else %s)", n(), g.expr(truth, d), n()) },
		func() string { return fmt.Sprintf("(%s %s %s)", n(), g.pick("and", "or"), n()) },
		func() string {
			return fmt.Sprintf("(lambda a, b=%s: %s)(%s)", n(), g.with(number, "a", number, d), n())
		},
		func() string { return fmt.Sprintf("divmod(%s, %s)[%d]", n(), n(), g.r.IntN(2)) },
		func() string { return fmt.Sprintf("sum(%s for x in %s)", g.pick("x", "1", "not x"), l()) },
		func() string {
			return fmt.Sprintf("next((x for x in %s if %s), %s)", l(), g.pick("x", "not x", "x == 3"), n())
		},
		func() string { return fmt.Sprintf("ord(%s)", g.pick("'a'", "'é'", "'😀'", s())) },
		func() string { return fmt.Sprintf("int(%s, %s)", s(), g.pick("10", "16", "2", "0", "36")) },
		func() string { return fmt.Sprintf("pow(%s, %d, %s)", n(), g.r.IntN(5), n()) },
		func() string { return fmt.Sprintf("(%s).bit_length()", n()) },
	)
}

// with writes an expression in which a name of a kind can be read.
func (g *generator) with(k kind, name string, want kind, d int) string {
	var out string
	g.scoped(func() {
		g.names[k] = append(g.names[k], name)
		out = g.expr(want, d)
	})
	return out
}

func (g *generator) bounds(step bool) string {
	one := func() string {
		if g.r.IntN(3) == 0 {
			return ""
		}
		return fmt.Sprint(g.r.IntN(9) - 4)
	}
	out := one() + ":" + one()
	if step && g.r.IntN(2) == 0 {
		out += ":" + g.pick("1", "2", "-1", "-2", "3", "", "0")
	}
	return out
}

func (g *generator) text(d int) string {
	n, s := func() string { return g.expr(number, d) }, func() string { return g.expr(text, d) }
	return g.one(
		func() string { return fmt.Sprintf("(%s + %s)", s(), s()) },
		func() string { return fmt.Sprintf("(%s * %d)", s(), g.r.IntN(5)-1) },
		func() string { return fmt.Sprintf("%s[%s]", s(), n()) },
		func() string { return fmt.Sprintf("%s[%s]", s(), g.bounds(true)) },
		func() string {
			return fmt.Sprintf("%s.%s()", s(), g.pick("upper", "lower", "title", "capitalize", "swapcase", "casefold", "strip", "lstrip", "rstrip", "expandtabs"))
		},
		func() string { return fmt.Sprintf("%s.%s(%s)", s(), g.pick("strip", "lstrip", "rstrip"), s()) },
		func() string { return fmt.Sprintf("%s.replace(%s, %s)", s(), s(), s()) },
		func() string { return fmt.Sprintf("%s.replace(%s, %s, %d)", s(), s(), s(), g.r.IntN(4)-1) },
		func() string { return fmt.Sprintf("%s.join(%s)", s(), g.expr(texts, d)) },
		func() string {
			return fmt.Sprintf("%s.join(%s for c in %s)", s(), g.with(text, "c", text, d), g.pick(s(), g.expr(texts, d)))
		},
		func() string {
			return fmt.Sprintf("%s.%s(%d%s)", s(), g.pick("center", "ljust", "rjust"), g.r.IntN(12), g.pick("", ", '*'", ", 'é'"))
		},
		func() string { return fmt.Sprintf("%s.zfill(%d)", s(), g.r.IntN(8)) },
		func() string {
			return fmt.Sprintf("%s(%s)", g.pick("str", "repr", "ascii"), g.ordered(d))
		},
		func() string { return fmt.Sprintf("chr(%s)", g.pick("65", "233", "0x65e5", "128512", n())) },
		func() string {
			return fmt.Sprintf("%s.%s(%s)", s(), g.pick("removeprefix", "removesuffix"), s())
		},
		func() string { return fmt.Sprintf("f'%s'", g.fields(d)) },
		func() string { return fmt.Sprintf("f'%s'", g.fields(d)) },
		func() string {
			return fmt.Sprintf("'%s' %% (%s, %s)", g.pick("%s %r", "%s-%s", "%5s|%-5r", "%a %s", "%d %s", "%%%s%r", "%s"), g.ordered(d), s())
		},
		func() string {
			return fmt.Sprintf("'%s' %% (%s,)", g.pick("%d", "%5d", "%-5d|", "%05d", "%+d", "%x", "%#x", "%o", "%X", "%i", "%c", "%s", "%.3d", "% d"), n())
		},
		func() string {
			return fmt.Sprintf("'%s' %% %s", g.pick("%f", "%.2f", "%8.3f", "%e", "%g", "%.3g", "%+.1f", "%08.2f", "%E", "%G"), g.expr(float, d))
		},
		func() string {
			return fmt.Sprintf("'%s'.format(%s, %s, a=%s)", g.pick("{} {}", "{1}{0}", "{0!r:>8}|{a}", "{a:5}|{}", "{:<6}{:^7}", "{0:>{a}}", "{{}}{}", "{2}"), g.ordered(d), s(), n())
		},
		func() string { return fmt.Sprintf("format(%s, %s)", n(), g.quoted(g.numberSpec())) },
		func() string { return fmt.Sprintf("format(%s, %s)", g.expr(float, d), g.quoted(g.floatSpec())) },
		func() string { return fmt.Sprintf("%s(%s)", g.pick("hex", "oct", "bin"), n()) },
		func() string {
			return fmt.Sprintf("%s.%s(%s)[%d]", s(), g.pick("partition", "rpartition"), s(), g.r.IntN(3))
		},
		func() string { return fmt.Sprintf("(%s if %s else %s)", s(), g.expr(truth, d), s()) },
		func() string { return fmt.Sprintf("(%s %s %s)", s(), g.pick("and", "or"), s()) },
		func() string { return fmt.Sprintf("%s.translate(str.maketrans('abé', 'xyz'))", s()) },
		func() string { return fmt.Sprintf("%s[%s]", g.expr(texts, d), n()) },
	)
}

// ordered is a value of any kind but sets.
func (g *generator) ordered(d int) string {
	k := g.anyKind()
	if k == set {
		k = number
	}
	x := g.expr(k, d)
	return fmt.Sprintf("(lambda v: sorted(v) if isinstance(v, set) else v)(%s)", x)
}

func (g *generator) quoted(s string) string { return "'" + s + "'" }

func (g *generator) numberSpec() string {
	return g.pick("", "d", "5", "<5", ">6d", "^7", "*^9", "+", " ", "05", "x", "#x", "#o", "b", "#b", ",", "_", "X", "08b", "é>5", "=+6", "10,d", "c", ".2f", "e", "%", "n")
}

func (g *generator) floatSpec() string {
	return g.pick("", ".2f", "10.3f", "<10", "+.1f", "e", ".3e", "g", ".4g", "%", ".1%", ",.2f", "_.1f", "010.2f", " .3f", ">12", "*^12.1f", "G", ".0f", "#.0f", "n", "F")
}

func (g *generator) textSpec() string {
	return g.pick("", "s", "5", "<5", ">6", "^7", "*^9", "é<6", ".2", "6.1s", "!>4")
}

// fields is the inside of an f-string in single quotes.
func (g *generator) fields(d int) string {
	var b strings.Builder
	for range 1 + g.r.IntN(3) {
		b.WriteString(g.pick("", "a", "é ", "{{", "}}", "-"))
		var x, spec string
		switch g.r.IntN(4) {
		case 0:
			x, spec = g.expr(number, d), g.numberSpec()
		case 1:
			x, spec = g.expr(float, d), g.floatSpec()
		case 2:
			x, spec = g.expr(text, d), g.textSpec()
		case 3:
			x, spec = g.expr(text, d), g.pick("{3}", ">{2 + 3}", "{'<'}{4}")
		}
		conv := g.pick("", "", "", "!r", "!s", "!a")
		if conv != "" {
			spec = g.textSpec()
		}
		// Before Python 3.12 neither the quote nor a backslash may stand inside.
		if strings.ContainsAny(x+spec, `'"\#`) || strings.Contains(x, "lambda") || strings.ContainsAny(spec, "{") && strings.Contains(spec, "'") {
			x = "1 + 1"
			if strings.ContainsAny(spec, `'"`) {
				spec = ""
			}
		}
		b.WriteString("{(" + x + ")" + conv)
		if spec != "" {
			b.WriteString(":" + spec)
		}
		b.WriteString("}")
	}
	return b.String()
}
