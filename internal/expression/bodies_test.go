package expression_test

import (
	"errors"
	"os"
	"strings"
	"testing"

	"github.com/weir-id/weir/internal/expression"
)

// body is one entry of a file of bodies.
type body struct{ name, text, want string }

// readBodies reads a file of bodies and their results.
func readBodies(t testing.TB, path string) []body {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var out []body
	for _, part := range strings.Split("\n"+string(data), "\n=== ")[1:] {
		name, rest, _ := strings.Cut(part, "\n")
		text, want, ok := strings.Cut(rest, "\n---\n")
		if !ok {
			t.Fatalf("%s: no result", name)
		}
		out = append(out, body{name, text, strings.TrimSuffix(want, "\n")})
	}
	if len(out) < 50 {
		t.Fatalf("only %d bodies in %s", len(out), path)
	}
	return out
}

func bodies(t testing.TB) []body { return readBodies(t, "testdata/python.txt") }
func bombs(t testing.TB) []body  { return readBodies(t, "testdata/bombs.txt") }

// reprBody makes a body return the repr of its result: the body becomes a
// function, so this also covers every feature inside nested functions.
func reprBody(text string) string {
	margin := ""
	for _, line := range strings.Split(text, "\n") {
		if strings.TrimSpace(line) != "" && !strings.HasPrefix(strings.TrimSpace(line), "#") {
			margin = line[:len(line)-len(strings.TrimLeft(line, " \t"))]
			break
		}
	}
	return margin + "def inner():\n " + strings.ReplaceAll(text, "\n", "\n ") + "\n" + margin + "return repr(inner())"
}

// result is how python.txt writes results.
func result(v expression.Value, err error) string {
	var x *expression.Error
	switch {
	case errors.As(err, &x) && x.Message == "":
		return "raises " + x.Class
	case errors.As(err, &x):
		return "raises " + x.Class + ": " + x.Message
	case err != nil:
		return "fails: " + err.Error()
	}
	return v.Text
}

func TestBodies(t *testing.T) {
	c := expression.NewCompiler(expression.Env{})
	for _, b := range bodies(t) {
		t.Run(b.name, func(t *testing.T) {
			wrapped := reprBody(b.text)
			p, err := c.Compile("body", wrapped)
			if err != nil {
				t.Fatalf("compile: %v\n%s", err, wrapped)
			}
			got := result(p.Run(t.Context(), expression.Scope{}))
			if got != b.want {
				t.Errorf("got  %s\nwant %s", got, b.want)
			}
			// At the top level the same must happen, without the repr.
			top, err := c.Compile("body", b.text)
			if err != nil {
				t.Fatalf("compile at the top level: %v", err)
			}
			_, err = top.Run(t.Context(), expression.Scope{})
			if failed := strings.HasPrefix(b.want, "raises "); failed != (err != nil) || failed && result(expression.Value{}, err) != b.want {
				t.Errorf("at the top level: %v, want %s", err, b.want)
			}
		})
	}
}

func TestBodiesAgreeWithPython(t *testing.T) {
	list := bodies(t)
	if len(list) < 100 {
		t.Errorf("only %d bodies", len(list))
	}
	agreeWithPython(t, "testdata/run_python.py", list)
}

// agreeWithPython compares the results in a file with those of a script.
func agreeWithPython(t *testing.T, script string, list []body) {
	t.Helper()
	texts := make([]string, len(list))
	for i, b := range list {
		texts[i] = b.text
	}
	for i, got := range pythonResults(t, script, texts) {
		if got != list[i].want {
			t.Errorf("%s: Python gives %s, the file says %s", list[i].name, got, list[i].want)
		}
	}
}
