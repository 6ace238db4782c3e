package expression_test

import (
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/weir-id/weir/field"
	"github.com/weir-id/weir/identity"
	runtime "github.com/weir-id/weir/internal/expression"
	"github.com/weir-id/weir/internal/policies/expression"
	"github.com/weir-id/weir/policy"
)

func build(t *testing.T, body string) (policy.Policy, error) {
	t.Helper()
	typ := expression.Type(runtime.NewCompiler(runtime.Env{Logger: slog.New(slog.NewTextHandler(t.Output(), nil))}))
	return typ.Build("p", &expression.Config{Expression: body})
}

func TestVerdicts(t *testing.T) {
	rows := []struct {
		name, body string
		want       policy.Verdict
		raw        any
		messages   []string
	}{
		{"a text is true", `return "yes"`, policy.Pass, "yes", nil},
		{"true", `return True`, policy.Pass, true, nil},
		{"an empty list is false", `return []`, policy.Fail, []any{}, nil},
		{"no return fails", `x = 1`, policy.Fail, nil, nil},
		{"a message and no", "ak_message(\"m\")\nreturn False", policy.Fail, false, []string{"m"}},
		{"a message and yes, in one line", `ak_message("m");return True`, policy.Pass, true, []string{"m"}},
		{"an exception is an error and loses its messages", "ak_message(\"m\")\nreturn 1 / 0", policy.Error, nil, nil},
		{"a missing key is an error", `return context["nothing"]`, policy.Error, nil, nil},
		{"a loop without end is cut off", "while True:\n    pass", policy.Error, nil, nil},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			p, err := build(t, row.body)
			if err != nil {
				t.Fatal(err)
			}
			o := &policy.Object{Name: "p", Policy: p}
			got := o.Evaluate(t.Context(), &policy.Request{User: identity.Anonymous(), Context: map[string]any{}}, 5*time.Second)
			if got.Verdict != row.want {
				t.Fatalf("verdict %v (%v), want %v", got.Verdict, got.Err, row.want)
			}
			if diff := cmp.Diff(row.messages, got.Messages); diff != "" {
				t.Errorf("messages (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(row.raw, got.Raw); diff != "" {
				t.Errorf("raw result (-want +got):\n%s", diff)
			}
		})
	}
}

func TestWhatCannotBeSaved(t *testing.T) {
	rows := []struct {
		name, body string
		line       int
		say        string
	}{
		{"a syntax error", "x = 1\nreturn (", 2, ""},
		{"an empty body", "", 1, ""},
		{"a class", "class X:\n    pass", 1, "class"},
		{"a name of the host", "x = 1\ny = x.__class__", 2, "__class__"},
		{"eval", `return eval("1")`, 1, "eval"},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			_, err := build(t, row.body)
			var errs field.Errors
			if !errors.As(err, &errs) || len(errs["expression"]) == 0 {
				t.Fatalf("got %v", err)
			}
			if p := errs["expression"][0]; p.Line != row.line || p.Column < 1 || !strings.Contains(p.String, row.say) {
				t.Errorf("got line %d, column %d: %s", p.Line, p.Column, p.String)
			}
		})
	}
}

// Expressions cannot do I/O, import the host, or loop without bound.
func TestRule11ExpressionsReachNothing(t *testing.T) {
	for _, body := range []string{
		`return open("/etc/passwd")`, "import os\nreturn os.environ", "import subprocess\nreturn True", "from sys import modules\nreturn True",
		`return requests.get("http://127.0.0.1/")`, `return getattr(request, "_" + "_class_" + "_")`, `return [0] * (1 << 40)`, `return "x" * (1 << 40)`,
		`return 1 << (1 << 30)`, "def f():\n    return f()\nreturn f()",
	} {
		t.Run(body, func(t *testing.T) {
			p, err := build(t, body)
			if err != nil {
				return // not even saved
			}
			got := (&policy.Object{Name: "p", Policy: p}).Evaluate(t.Context(), &policy.Request{User: identity.Anonymous(), Context: map[string]any{}}, 5*time.Second)
			if got.Verdict != policy.Error {
				t.Errorf("verdict %v, raw %v", got.Verdict, got.Raw)
			}
		})
	}
}

// A body is asked where the engine stands, so it has to end by itself when its
// time is over: whatever it is busy with.
func TestRule11TheTimeOfABodyIsBounded(t *testing.T) {
	bodies := map[string]string{
		"a plain loop":                "while True:\n    pass",
		"long operations in a loop":   "words = ['a', 'b'] * 5000\nwhile True:\n    sorted(words)",
		"text operations in a loop":   "text = 'x' * 100000\nwhile True:\n    text.count('y')",
		"a loop that catches the end": "while True:\n    try:\n        while True:\n            pass\n    except Exception:\n        pass",
	}
	limits := runtime.Limits{Steps: 1 << 60, Elements: 1 << 60, Bytes: 1 << 60}
	typ := expression.Type(runtime.NewCompiler(runtime.Env{Limits: limits}))
	for name, body := range bodies {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p, err := typ.Build("p", &expression.Config{Expression: body})
			if err != nil {
				t.Fatal(err)
			}
			if _, ok := p.(policy.Bounded); !ok {
				t.Fatal("the policy is asked elsewhere")
			}
			o := &policy.Object{Name: "p", Policy: p}
			got := o.Evaluate(t.Context(), &policy.Request{User: identity.Anonymous()}, 30*time.Millisecond)
			if got.Verdict != policy.Error || !strings.Contains(got.Err.Error(), "timed out") {
				t.Errorf("verdict %v (%v)", got.Verdict, got.Err)
			}
		})
	}
}

// What a policy asks for happens after it has passed or failed, and not when it
// ended with an error.
func TestRule08AnErrorAsksForNothing(t *testing.T) {
	asks := "ak_message('m')\nak_create_event('e')\nak_send_email('a@example.com', 's', body='b')\n"
	for end, want := range map[string][3]int{"return True": {1, 1, 1}, "return False": {1, 1, 1}, "return 1 / 0": {}, "while True: pass": {}, "return [0] * (1 << 40)": {}} {
		p, err := build(t, asks+end)
		if err != nil {
			t.Fatal(err)
		}
		got := (&policy.Object{Name: "p", Policy: p}).Evaluate(t.Context(), &policy.Request{User: identity.Anonymous()}, 5*time.Second)
		if n := [3]int{len(got.Messages), len(got.Events), len(got.Mails)}; n != want || (want == [3]int{}) != (got.Verdict == policy.Error) {
			t.Errorf("%s: %v asks for %v, want %v", end, got.Verdict, n, want)
		}
	}
}
