package blueprint

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestDataIsAnObjectOfPlainValues(t *testing.T) {
	deep := strings.Repeat("[", maxDepth+1) + strings.Repeat("]", maxDepth+1)
	laughs := "a: &a [x, x, x, x, x, x, x, x, x]\n"
	for c := 'b'; c <= 'i'; c++ {
		laughs += fmt.Sprintf("%c: &%c [%s*%c]\n", c, c, strings.Repeat(fmt.Sprintf("*%c, ", c-1), 8), c-1)
	}
	for _, tt := range []struct {
		name, text string
		want       map[string]any
		// wrong is the first problem, with its place.
		wrong string
	}{
		{"nothing", "", map[string]any{}, ""},
		{"a comment alone", " \n# later\n", map[string]any{}, ""},
		{"YAML", "email: ada@example.com\nattributes:\n  teams: [red, 7]\n  since: 2026-01-02\n  on: yes\n", map[string]any{"email": "ada@example.com",
			"attributes": map[string]any{"teams": []any{"red", int64(7)}, "since": "2026-01-02", "true": true}}, ""},
		{"JSON, with tabs", "{\n\t\"name\": \"Ada\",\n\t\"n\": 1.5, \"no\": null\n}", map[string]any{"name": "Ada", "n": 1.5, "no": nil}, ""},
		{"a list", "- a", nil, ":1:1: this has to be an object, such as name: Ada, but it is a list"},
		{"a word", "\n  ada", nil, ":2:3: this has to be an object, such as name: Ada, but it is text"},
		{"null", "null", nil, ":1:1: this has to be an object, such as name: Ada, but it is null"},
		{"a key twice", "a: 1\nb: 2\na: 3", nil, `:3:1: the key "a" is given twice; first in line 1`},
		{"a bracket that stays open", "a: 1\nb: [2", nil, ":2: this is not valid YAML"},
		{"a tag", "a: 1\nb: !Env HOME", nil, ":2:4: !Env means something in blueprints alone"},
		{"a file", "b: !File /etc/passwd", nil, ":1:4: !File means"},
		{"a tag in a list", "b: [!Find [a, [b, c]]]", nil, ":1:5: !Find means"},
		{"no number", "a: .nan", nil, ":1:4: .nan cannot be stored"},
		{"two documents", "a: 1\n---\nb: 2", nil, ":2:1: a file holds one document"},
		{"a control character", "a: 1\nb: \x01", nil, ":2: this is not valid YAML"},
		{"no UTF-8", "a: \xff", nil, ":1: this is not valid YAML"},
		{"deep", "a: " + deep, nil, fmt.Sprintf(":1:%d: values are nested deeper", 4+maxDepth)},
		{"many by aliases", laughs, nil, "values once its aliases are expanded"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := Data(t.Context(), tt.text)
			if tt.wrong != "" {
				if problems, ok := asErrors(err); !ok || !strings.Contains(problems[0].Error(), tt.wrong) {
					t.Errorf("got %v and the problem %v, want %q", got, err, tt.wrong)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}
