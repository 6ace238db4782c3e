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
