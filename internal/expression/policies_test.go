package expression_test

import (
	"testing"

	"github.com/weir-id/weir/internal/expression"
)

// policies are bodies with the objects of request.
func policies(t testing.TB) []body { return readBodies(t, "testdata/policies.txt") }

func TestPolicies(t *testing.T) {
	for _, b := range policies(t) {
		t.Run(b.name, func(t *testing.T) {
			r := request()
			r.HTTP.Query["next"] = []string{"/b"}
			v, err := run(t, b.text, expression.Scope{Request: r, Policy: true})
			got := result(v, err)
			if s, ok := v.Raw.(string); ok && err == nil {
				quoted, err := run(t, "return repr(value)", expression.Scope{Variables: map[string]any{"value": s}})
				got = result(quoted, err)
			}
			for _, m := range v.Messages {
				got += "\nmessage: " + m
			}
			if got != b.want {
				t.Errorf("got  %s\nwant %s", got, b.want)
			}
		})
	}
}

func TestPoliciesAgreeWithPython(t *testing.T) {
	agreeWithPython(t, "testdata/run_policies.py", policies(t))
}

// A body is the inside of a function, however it is laid out. Unlike there, the
// lines of a text in triple quotes stay as they were typed.
func TestLayoutOfBodies(t *testing.T) {
	rows := []struct{ name, body, want string }{
		{"lines of Windows", "x = 1\r\nif x:\r\n    return '''a\r\nb'''\r\n", "a\nb"},
		{"no line end at the end", "if True: return 1", "1"},
		{"a semicolon at the end", "x = 1; return x;", "1"},
		{"indented by tabs as a whole", "\n\tx = 2\n\tif x:\n\t\treturn x\n\t", "2"},
		{"a text keeps its indentation", "    return '''a\n    b'''", "a\n    b"},
		{"a text may stand left of the body", "    x = '''a\nb'''\n    return x", "a\nb"},
		{"comments stand anywhere", "# a\n    # b\nx = [1, # c\n  2]\n        # d\nreturn x # e", "[1, 2]"},
		{"lines that go on", "x = 1 + \\\n  2\nreturn (x +\n3)", "6"},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			if v, err := run(t, row.body, expression.Scope{}); err != nil || v.Text != row.want {
				t.Errorf("got %q, %v", v.Text, err)
			}
		})
	}
	for name, body := range map[string]string{
		"nothing": "", "blanks": "  \n\t\n", "comments": "# a\n  # b\n", "mixed indentation": "if True:\n\tx = 1\n        y = 2\nreturn x",
		"an indentation for nothing": "x = 1\n    y = 2", "half of it indented": "    x = 1\ny = 2", "a block without lines": "if True:\nreturn 1",
	} {
		t.Run(name, func(t *testing.T) {
			if p, err := expression.Compile("body", body, expression.Env{}); err == nil {
				t.Errorf("accepted as %s", p.Name())
			}
		})
	}
}
