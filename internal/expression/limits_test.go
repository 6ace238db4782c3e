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

// itself is a policy that calls the program again.
type itself struct{ p **expression.Program }

func (s itself) CallPolicy(ctx context.Context, _ string, r *policy.Request) (policy.Result, error) {
	_, err := (*s.p).Run(ctx, expression.Scope{Request: r, Policy: true})
	if errors.Is(err, expression.ErrLimit) {
		return policy.Result{}, err
	}
	return policy.Result{Err: err}, nil
}

// howEnded is how bombs.txt writes the end of an evaluation.
func howEnded(err error) string {
	var x *expression.Error
	switch {
	case errors.Is(err, expression.ErrLimit), errors.As(err, &x) && strings.Contains(x.Message, "limit exceeded"):
		return "limit"
	case x != nil:
		return x.Class
	case err != nil:
		return err.Error()
	}
	return "ends"
}

func TestBombs(t *testing.T) {
	for _, b := range bombs(t) {
		t.Run(b.name, func(t *testing.T) {
			var p *expression.Program
			e := env(t)
			e.Policies = itself{&p}
			var err error
			if p, err = expression.Compile("bomb", b.text, e); err != nil {
				t.Fatal(err)
			}
			// The deadline only saves the test run: every bomb must end by a
			// limit, not by the clock.
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			v, err := p.Run(ctx, expression.Scope{Request: request(), Policy: true})
			runtime.ReadMemStats(&after)
			if got := howEnded(err); got != b.want {
				t.Errorf("ends by %s, not by %s: %.40q, %v", got, b.want, v.Text, err)
			}
			// What is allocated on the way, garbage included, is never less than
			// what is held at once.
			if used := after.TotalAlloc - before.TotalAlloc; used > 300<<20 && !raceEnabled {
				t.Errorf("%d MB allocated on the way", used>>20)
			}
		})
	}
}

// Texts that are hard to read are refused or compiled; none of them needs more
// than its length allows.
func TestTextsThatAreHardToRead(t *testing.T) {
	nested := func(head, foot string, n int) string {
		var b strings.Builder
		for i := range n {
			b.WriteString(strings.Repeat(" ", i) + head + "\n")
		}
		b.WriteString(strings.Repeat(" ", n) + "return 1\n")
		for i := range n {
			b.WriteString(strings.Repeat(" ", n-1-i) + foot + "\n")
		}
		return b.String()
	}
	many := func(before, part, after string) string {
		return before + strings.Repeat(part, (60<<10)/len(part)) + after
	}
	for name, body := range map[string]string{
		"open brackets": many("return ", "[", "1"), "parentheses": many("", "(", "x)"), "not": many("return ", "not ", "1"),
		"signs": many("return ", "-", "1"), "attributes": many("return x", ".y", ""), "calls": many("return x", "()", ""),
		"indexes": many("return x", "[0]", ""), "lambdas": many("return ", "lambda: ", "1"), "sums": many("return ", "1+", "1"),
		"powers": many("return ", "1**", "1"), "and": many("return ", "1 and ", "1"), "comparisons": many("return ", "1<", "1"),
		"conditions": many("return ", "1 if 1 else ", "1"), "branches": many("if 1: pass\n", "elif 1: pass\n", ""),
		"assignments": many("", "x=", "1"), "statements": many("", "x=1\n", ""), "dicts": many("return ", "{1:", "1"),
		"comprehensions": many("return ", "[x for x in ", "y"), "clauses": many("return [x ", "for x in y ", "]"),
		"stars": many("return f(", "*x,", ")"), "arguments": many("return f(", "1,", ")"), "texts": many("return ", "'a' ", ""),
		"fields": many("return f'", "{1}", "'"), "specs": many("return f'", "{1:", "'"), "digits": many("return ", "9", ""),
		"functions": many("x = 1\n", "def f():\n    nonlocal x\n    x = 1\n", ""), "imports": many("", "import re as r\n", ""),
		"nested if": nested("if 1:", "else: pass", 79), "nested try": nested("try:", "finally: pass", 79),
		"nested for": nested("for x in y:", "else: break", 79), "nested def": nested("def f():", "f()", 79),
		"a long text": "return '" + strings.Repeat("a", 1<<24) + "'",
	} {
		t.Run(name, func(t *testing.T) {
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			p, err := expression.Compile("body", body, expression.Env{})
			if err == nil {
				_, err = p.Run(t.Context(), expression.Scope{})
			}
			runtime.ReadMemStats(&after)
			if err != nil && strings.Contains(err.Error(), "internal error") {
				t.Error(err)
			}
			if used := after.TotalAlloc - before.TotalAlloc; used > 200<<20 && !raceEnabled {
				t.Errorf("%d MB allocated on the way", used>>20)
			}
		})
	}
}

// What one evaluation left on its thread does not reach the next.
func TestEvaluationsAfterOneThatWasCutOff(t *testing.T) {
	c := expression.NewCompiler(expression.Env{})
	endless, err := c.Compile("endless", "def f(n):\n    return f(n + 1)\nwhile True:\n    try:\n        f(0)\n    except Exception:\n        pass")
	if err != nil {
		t.Fatal(err)
	}
	short, err := c.Compile("short", "try:\n    return f\nexcept NameError:\n    return [x for x in range(3)]")
	if err != nil {
		t.Fatal(err)
	}
	for range 20 {
		if _, err := endless.Run(t.Context(), expression.Scope{}); !errors.Is(err, expression.ErrLimit) {
			t.Fatal(err)
		}
		if v, err := short.Run(t.Context(), expression.Scope{}); err != nil || v.Text != "[0, 1, 2]" {
			t.Fatalf("got %s, %v", v.Text, err)
		}
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
		`return $m`, `return request.$m`, `$m = 1`, `def f($m): pass`, `return f"{$m}"`, `import $m`,
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
		`return getattr(request, "$m")`, `return "{0.$m}".format(1)`, `return getattr(1, "")`, `return (lambda: 1)("$m")`, `return (lambda: 1)(**{"$m": 1})`,
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
