package expression_test

import (
	"context"
	"errors"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/weir-id/weir/internal/expression"
	"github.com/weir-id/weir/internal/expression/python"
	"github.com/weir-id/weir/policy"
)

// bombs are bodies that want more than they may have. Each tries to catch the
// limit, too, which must not help.
var bombs = map[string]string{
	"endless loop":                      "while True:\n    pass",
	"endless loop that catches":         "while True:\n    try:\n        while True: pass\n    except:\n        pass",
	"endless loop in finally":           "try:\n    while True: pass\nfinally:\n    return 1",
	"endless recursion":                 "def f():\n    return f()\nreturn f()",
	"endless recursion of lambdas":      "f = lambda: f()\nreturn f()",
	"recursion that catches":            "def f():\n    try:\n        return f()\n    except Exception:\n        return 0\nreturn f()",
	"recursion through sorted":          "def f(x):\n    return sorted([1, 2], key=f)\nreturn f(1)",
	"mutual recursion":                  "def a(): return b()\ndef b(): return a()\nreturn a()",
	"list repetition":                   "return [0] * (1 << 40)",
	"list repetition by overflow":       "return [0, 0] * (1 << 63)",
	"repetition in place":               "x = [0]\nwhile True: x += x",
	"doubling a list":                   "x = [0]\nwhile True: x = x + x",
	"doubling by extend":                "x = [0]\nwhile True: x.extend(x)",
	"a list that grows as it is walked": "x = [0]\nfor v in x: x.append(v)",
	"text repetition":                   "return 'x' * (1 << 40)",
	"doubling a text":                   "s = 'x'\nwhile True: s += s",
	"doubling by f-string":              "s = 'x'\nwhile True: s = f'{s}{s}'",
	"doubling by join":                  "s = 'x'\nwhile True: s = s.join([s, s, s])",
	"doubling by replace":               "s = 'xx'\nwhile True: s = s.replace('x', 'xx')",
	"doubling by format":                "s = 'xx'\nwhile True: s = '{0}{0}'.format(s)",
	"doubling by percent":               "s = 'xx'\nwhile True: s = '%s%s' % (s, s)",
	"doubling by regular expression":    "s = 'xx'\nwhile True: s = regex_replace(s, 'x', 'xx')",
	"a wide field":                      "s = ''\nwhile True: s = s.ljust(10 ** 7)",
	"a huge width":                      "return 'x'.rjust(1 << 40)",
	"zeros":                             "return '1'.zfill(1 << 40)",
	"bytes":                             "return bytes(1 << 40)",
	"a huge power":                      "return 10 ** (10 ** 9)",
	"a tower of powers":                 "x = 2\nwhile True: x = x ** 50",
	"a huge shift":                      "return 1 << (1 << 50)",
	"squaring":                          "x = 3\nwhile True: x *= x",
	"a huge literal by text":            "return int('9' * 100000)",
	"a long range":                      "return list(range(10 ** 12))",
	"a long sum":                        "return sum(range(10 ** 12))",
	"a long search":                     "return -1.5 in range(10 ** 12)",
	"a long comprehension":              "return [x for x in range(10 ** 9)]",
	"a long generator":                  "return any(False for x in range(10 ** 9))",
	"a nested comprehension":            "return {(x, y) for x in range(10 ** 5) for y in range(10 ** 5)}",
	"a long dict":                       "return {x: x for x in range(10 ** 9)}",
	"a long zip":                        "return list(zip(range(10 ** 9), range(10 ** 9)))",
	"an endless iterator":               "return list(iter(range(10 ** 15)))",
	"deep equality that unfolds":        "a = [1]\nb = [1]\nfor i in range(100):\n    a = [a, a]\n    b = [b, b]\nreturn a == b",
	"a deep tuple as key":               "a = (1,)\nfor i in range(100):\n    a = (a, a)\nreturn {a: 1}",
	"a result that unfolds":             "a = [1]\nfor i in range(100):\n    a = [a, a]\nreturn a",
	"a result that holds itself":        "a = []\na.append(a)\nreturn a",
	"JSON that unfolds":                 "import json\na = [1]\nfor i in range(100):\n    a = [a, a]\nreturn json.dumps(a)",
	"JSON that is deep":                 "import json\nreturn json.loads('[' * 100000)",
	"texts of deep lists":               "a = [1]\nwhile True:\n    a = [a, a]\n    str(a)",
	"a deep list":                       "a = []\nfor i in range(10 ** 5):\n    a = [a]\nb = []\nfor i in range(10 ** 5):\n    b = [b]\nreturn a == b",
	"many messages":                     "while True: ak_message('x')",
	"many events":                       "while True: ak_create_event('x')",
	"backtracking":                      "import re\nreturn re.search(r'^(?=(a+)+$)(a+)+\\1b$', 'a' * 40)",
	"sorting again and again":           "x = list(range(1000))\nwhile True: x = sorted(x, key=lambda v: -v)",
	"counting again and again":          "s = 'x' * 10 ** 6\nwhile True: s.count('y')",
	"policies that call each other":     "while True: ak_call_policy('self')",
	"catching what stops it":            "try:\n    return [0] * (1 << 40)\nexcept BaseException:\n    return 'caught'",
}

// itself is a policy that calls the program again.
type itself struct{ p **expression.Program }

func (s itself) CallPolicy(ctx context.Context, _ string, r *policy.Request) (policy.Result, error) {
	_, err := (*s.p).Run(ctx, expression.Scope{Request: r, Policy: true})
	if errors.Is(err, expression.ErrLimit) {
		return policy.Result{}, err
	}
	return policy.Result{Err: err}, nil
}

func TestBombs(t *testing.T) {
	for name, body := range bombs {
		t.Run(name, func(t *testing.T) {
			var p *expression.Program
			e := env(t)
			e.Policies = itself{&p}
			var err error
			if p, err = expression.Compile("bomb", body, e); err != nil {
				t.Fatal(err)
			}
			// The deadline only saves the test run: every bomb must end by a
			// limit, not by the clock.
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			v, err := p.Run(ctx, expression.Scope{Request: &policy.Request{User: ann(), Context: map[string]any{}}, Policy: true})
			runtime.ReadMemStats(&after)
			var x *expression.Error
			limited := errors.Is(err, expression.ErrLimit) || errors.As(err, &x) && strings.Contains(x.Message, "limit exceeded")
			if !limited {
				t.Errorf("got %.40q, %v", v.Text, err)
			}
			if used := after.TotalAlloc - before.TotalAlloc; used > 512<<20 && !raceEnabled {
				t.Errorf("%d MB allocated on the way", used>>20)
			}
		})
	}
}

func TestTheClockEndsAnEvaluation(t *testing.T) {
	e := env(t)
	e.Limits = expression.Limits{Steps: 1 << 60}
	p, err := expression.Compile("slow", "while True:\n    try:\n        while True: pass\n    except:\n        pass", e)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if _, err := p.Run(ctx, expression.Scope{}); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v", err)
	}
}

func TestLimitsAreConfigurable(t *testing.T) {
	rows := []struct {
		name, body string
		limits     expression.Limits
	}{
		{"steps", "for i in range(100): pass", expression.Limits{Steps: 50}},
		{"depth", "def f(n):\n    return n and f(n - 1)\nreturn f(20)", expression.Limits{Depth: 10}},
		{"elements", "return list(range(100))", expression.Limits{Elements: 50}},
		{"bytes", "return 'x' * 100", expression.Limits{Bytes: 50}},
		{"integer bits", "return 1 << 100", expression.Limits{IntBits: 64}},
		{"messages", "for i in range(10): ak_message('x')", expression.Limits{Messages: 5}},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			e := env(t)
			for _, limits := range []expression.Limits{row.limits, {}} {
				e.Limits = limits
				p, err := expression.Compile("body", row.body, e)
				if err != nil {
					t.Fatal(err)
				}
				_, err = p.Run(t.Context(), expression.Scope{Request: request(), Policy: true})
				if limited := errors.Is(err, expression.ErrLimit); limited != (limits != expression.Limits{}) {
					t.Errorf("limits %+v: %v", limits, err)
				}
			}
		})
	}
}

// No name leads from a body to the program, the machine or another body.
func TestRule11NothingToReach(t *testing.T) {
	refused := []string{
		`return "".__class__`, `return ().__class__.__bases__`, `return (lambda: 0).__globals__`, `__import__("os")`, `x = __builtins__`,
		`return type(1).__mro__`, `return request.__dict__`, `def __init__(): pass`, `import __main__`, `from os import __name__`,
		`return f"{request.__class__}"`, `eval("1")`, `exec("1")`, `open("/etc/passwd")`, `compile("1", "", "eval")`, `globals()`, `locals()`,
		`f(__x=1)`, `lambda __x: 1`, `[__x for __x in []]`, `global __x`,
	}
	for _, body := range refused {
		var x *python.Error
		if _, err := expression.Compile("body", body, env(t)); !errors.As(err, &x) || x.Line != 1 || x.Column < 1 || x.Message == "" {
			t.Errorf("%s: %v", body, err)
		}
	}
	raising := []string{
		`return getattr(request, "__class__")`, `return getattr("", "__" + "class__")`, `return "{0.__class__}".format(request)`,
		`return "{0.__class__.__mro__}".format(1)`, `return "{x.__dict__}".format(x=request)`, `setattr(request, "user", 1)`,
		`setattr(request, "__class__", 1)`, `import os`, `import sys`, `import builtins`, `import subprocess`, `import socket`, `import ctypes`,
		`from importlib import import_module`, `import json; return json.os`, `return re.sys`, `return type(request)()`,
	}
	for _, body := range raising {
		v, err := run(t, body, expression.Scope{Request: request(), Policy: true})
		var x *expression.Error
		if !errors.As(err, &x) {
			t.Errorf("%s: got %q, %v", body, v.Text, err)
		}
	}
	if v, err := run(t, `return (hasattr(request, "__class__"), hasattr(len, "__self__"), getattr(1, "__class__", "none"))`, expression.Scope{Request: request(), Policy: true}); err != nil || v.Text != "(False, False, 'none')" {
		t.Errorf("got %s (%v)", v.Text, err)
	}
}

func TestErrorsNameTheLine(t *testing.T) {
	rows := []struct {
		name, body string
		line       int
	}{
		{"at the top", "x = 1\n\nreturn x / 0", 3},
		{"in a function", "def f(x):\n    y = 1\n    return x / 0\n\nreturn f(1)", 3},
		{"in a try that does not catch it", "try:\n    x = 1\n    y = x / 0\nexcept KeyError:\n    pass", 3},
		{"after a text of many lines", "s = '''a\nb\nc'''\nreturn s / 2", 4},
		{"in brackets over many lines", "return [\n    1,\n    1 / 0,\n]", 3},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			_, err := run(t, row.body, expression.Scope{})
			var x *expression.Error
			if !errors.As(err, &x) || x.Line != row.line {
				t.Errorf("got %v, want line %d", err, row.line)
			}
		})
	}
}

func TestAPolicyThatCallsItselfFailsInside(t *testing.T) {
	var p *expression.Program
	e := env(t)
	e.Policies = itself{&p}
	var err error
	if p, err = expression.Compile("self", "return ak_call_policy('self').passing", e); err != nil {
		t.Fatal(err)
	}
	v, err := p.Run(t.Context(), expression.Scope{Request: &policy.Request{User: ann()}, Policy: true})
	if err != nil || v.Raw != false {
		t.Errorf("got %v, %v", v.Raw, err)
	}
}
