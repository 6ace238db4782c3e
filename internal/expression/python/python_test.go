package python_test

import (
	"errors"
	"os"
	"strings"
	"testing"

	"github.com/weir-id/weir/internal/expression/python"
)

func translate(src string) (*python.Unit, error) {
	return python.Translate("body", src, python.Options{
		Builtin:  func(name string) bool { return name == "len" },
		Variable: func(name string) bool { return name == "request" },
	})
}

func TestRejected(t *testing.T) {
	rows := []struct {
		name, src string
		line, col int
		say, hint string
	}{
		{"a class", "x = 1\nclass A:\n    pass", 2, 1, "'class' is not available", "dict or a function"},
		{"yield", "def f():\n    yield 1", 2, 5, "'yield'", "list"},
		{"yield in an expression", "x = (yield)", 1, 6, "'yield'", "list"},
		{"async", "async def f():\n    pass", 1, 1, "'async'", "synchronously"},
		{"await", "x = await f()", 1, 5, "'await'", "synchronously"},
		{"a decorator", "@f\ndef g():\n    pass", 1, 1, "decorators", "call the function"},
		{"match", "match x:\n    case 1:\n        pass", 1, 1, "'match'", "if and elif"},
		{"with", "with f() as g:\n    pass", 1, 1, "'with'", "one after the other"},
		{"the walrus", "if (n := 1):\n    pass", 1, 7, "':='", "line of its own"},
		{"del of a name", "x = 1\ndel x", 2, 5, "del works on items", "assign None"},
		{"eval", "return eval('1')", 1, 8, "'eval'", "directly"},
		{"exec", "exec('1')", 1, 1, "'exec'", "directly"},
		{"open", "open('x')", 1, 1, "'open'", "files"},
		{"names with two underscores", "x.__class__", 1, 3, "two underscores", "another name"},
		{"import of everything", "from re import *", 1, 16, "import *", "name what you need"},
		{"relative imports", "from . import x", 1, 6, "relative", "name the module"},
		{"except*", "try:\n    pass\nexcept* ValueError:\n    pass", 3, 7, "except*", "except"},
		{"matrix multiplication", "x = a @ b", 1, 7, "'@'", ""},
		{"an empty body", "", 1, 1, "empty", "return True"},
		{"only comments", "# nothing\n\n", 1, 1, "empty", "return True"},
		{"an open bracket", "x = (1,\n  2", 2, 4, "brackets", "close"},
		{"a closing bracket too many", "x = 1)", 1, 6, "unmatched ')'", ""},
		{"an open text", "x = 'abc", 1, 5, "unterminated string", ""},
		{"an open text of many lines", "x = 1\ny = '''a\nb", 2, 5, "unterminated string", ""},
		{"an assignment in a condition", "if x = 1:\n    pass", 1, 6, "'='", "=="},
		{"an assignment to a call", "f() = 1", 1, 2, "cannot assign", "=="},
		{"an assignment to a text", "'a' = 1", 1, 1, "cannot assign", "=="},
		{"no block", "if x:\nreturn 1", 2, 1, "expected an indented block", "indent"},
		{"an indent from nowhere", "x = 1\n  y = 2", 2, 3, "unexpected indent", ""},
		{"mixed indentation", "if x:\n    y = 1\n  z = 2", 3, 3, "unindent", "same blanks"},
		{"less than the first line's indentation", "    x = 1\nreturn x", 2, 1, "unindent", "same blanks"},
		{"no colon", "if x\n    y", 1, 5, "expected ':'", ""},
		{"break outside a loop", "x = 1\nbreak", 2, 1, "'break' outside loop", ""},
		{"continue in a function inside a loop", "for i in x:\n    def f():\n        continue", 3, 9, "'continue' outside loop", ""},
		{"break in a try outside a loop", "try:\n    break\nexcept:\n    pass", 2, 5, "'break' outside loop", ""},
		{"nonlocal of nothing", "def f():\n    nonlocal x\n    x = 1", 2, 5, "no binding for nonlocal 'x'", ""},
		{"a repeated parameter", "def f(a, a): pass", 1, 10, "duplicate argument", ""},
		{"a repeated keyword", "f(a=1, a=2)", 1, 8, "repeated", ""},
		{"a positional after a keyword", "f(a=1, 2)", 1, 8, "positional argument follows", ""},
		{"a parameter without default after one with", "def f(a=1, b): pass", 1, 12, "without a default", ""},
		{"two stars in a target", "*a, *b = x", 1, 1, "multiple starred", ""},
		{"a lone star in a target", "*a = x", 1, 1, "starred", ""},
		{"try alone", "try:\n    pass\nx = 1", 3, 1, "'except' or 'finally'", ""},
		{"a bare except before another", "try:\n    pass\nexcept:\n    pass\nexcept ValueError:\n    pass", 3, 1, "must be last", ""},
		{"an f-string that does not end", "x = f'{a'", 1, 7, "expecting '}'", ""},
		{"an f-string with a lone brace", "x = f'a}'", 1, 8, "single '}'", "}}"},
		{"an empty field", "x = f'{}'", 1, 7, "empty expression", ""},
		{"an error inside a field", "x = f'ab{1 +}'", 1, 13, "unexpected", ""},
		{"a wrong conversion", "x = f'{a!z}'", 1, 10, "conversion", ""},
		{"a number with leading zeros", "x = 012", 1, 5, "leading zeros", "0o"},
		{"a broken number", "x = 1__0", 1, 5, "invalid number", ""},
		{"a complex number", "x = 1j", 1, 5, "invalid number", ""},
		{"a bad escape", `x = '\xzz'`, 1, 5, `\x`, ""},
		{"an unknown character", "x = 1 ? 2", 1, 7, `"?"`, ""},
		{"bytes that are no text", "x = '\xff'", 1, 1, "not text", ""},
		{"letters beyond ASCII in bytes", "x = b'é'", 1, 5, "ASCII", ""},
		{"columns count characters", "é = 'é'; class", 1, 10, "'class'", ""},
		{"brackets nested too deeply", strings.Repeat("(", 200) + strings.Repeat(")", 200), 1, 81, "nested", "split"},
		{"operators nested too deeply", "x = " + strings.Repeat("not ", 2000) + "1", 1, 0, "nested too deeply", "split"},
		{"a body too long", strings.Repeat("x = 1\n", 20000), 1, 1, "longer", ""},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			_, err := translate(row.src)
			var x *python.Error
			if !errors.As(err, &x) {
				t.Fatalf("got %v", err)
			}
			if x.Line != row.line || row.col > 0 && x.Column != row.col || !strings.Contains(x.Message, row.say) || !strings.Contains(x.Hint, row.hint) {
				t.Errorf("got line %d, column %d: %q, %q", x.Line, x.Column, x.Message, x.Hint)
			}
		})
	}
}

func TestImportsAreListed(t *testing.T) {
	u, err := translate("import re\nfrom a.b import (c, d as e)\ntry:\n    import x.y\nexcept ImportError:\n    pass")
	if err != nil {
		t.Fatal(err)
	}
	want := []python.Import{{Line: 1, Module: "re"}, {Line: 2, Module: "a.b", Member: "c"}, {Line: 2, Module: "a.b", Member: "d"}, {Line: 4, Module: "x.y"}}
	if len(u.Imports) != len(want) {
		t.Fatalf("got %v", u.Imports)
	}
	for i := range want {
		if u.Imports[i] != want[i] {
			t.Errorf("got %v, want %v", u.Imports[i], want[i])
		}
	}
}

func TestAccepted(t *testing.T) {
	for name, src := range map[string]string{
		"CRLF":                        "if True:\r\n    return 1\r\nreturn 2\r\n",
		"a byte order mark":           "\ufeffreturn 1",
		"blank first line":            "\n            x = 1\n            return x\n   ",
		"match as a name":             "match = 1\nmatch.x[1]\nreturn match",
		"names of other keywords":     "case = type = 1\nreturn case",
		"a name with one underscore":  "_x = 1\nreturn _x",
		"letters of other scripts":    "größe = 1\nreturn größe",
		"the type's name":             "return x.__class__.__name__",
		"the type's name by function": "return type(x).__name__",
		"long chains":                 "return " + strings.Repeat("1 + ", 5000) + "1",
		"many branches":               "x = 1\nif x: pass\n" + strings.Repeat("elif x: pass\n", 1000),
	} {
		if _, err := translate(src); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// FuzzTranslate looks for texts that crash the front end or that it does not
// place: every error has a line of the text.
func FuzzTranslate(f *testing.F) {
	data, err := os.ReadFile("../testdata/python.txt")
	if err != nil {
		f.Fatal(err)
	}
	for _, part := range strings.Split("\n"+string(data), "\n=== ")[1:] {
		_, rest, _ := strings.Cut(part, "\n")
		text, _, _ := strings.Cut(rest, "\n---\n")
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, src string) {
		_, err := translate(src)
		var x *python.Error
		if err != nil && (!errors.As(err, &x) || x.Line < 1 || x.Column < 0) {
			t.Errorf("%q: %v", src, err)
		}
		if x != nil && x.Line > strings.Count(strings.ReplaceAll(strings.ReplaceAll(src, "\r\n", "\n"), "\r", "\n"), "\n")+1 {
			t.Errorf("%q: line %d", src, x.Line)
		}
	})
}
