package weir

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// A body that cannot be accepted is refused at each door, with the place and
// with what to write instead: the API names the line of the body, a blueprint
// that of its file.
func TestBodiesThatAreRefusedSayWhere(t *testing.T) {
	site := open(t, settings(t), "version: 1\nentries: []\n")
	c := visit(t, site)
	rows := []struct {
		name, body   string
		line, column int
		hint         string
	}{
		{"a class", "x = 1\nclass A:\n    pass", 2, 1, "'class' is not available"},
		{"a name of the host", "if True:\n    y = context.__class__", 2, 17, "__class__"},
		{"eval", "\n\nreturn eval('1')", 3, 8, "eval"},
		{"an assignment where a comparison is meant", "if context = 1:\n    pass", 1, 12, "use == to compare"},
	}
	for i, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			place := fmt.Sprintf("(line %d, column %d)", row.line, row.column)
			r := c.as(rootToken, "POST", "/api/v3/policies/expression/", `{"name":"p","expression":`+quote(t, row.body)+`}`)
			text := fmt.Sprint(r.body["expression"])
			if r.status != 400 || !strings.Contains(text, place) || !strings.Contains(text, row.hint) {
				t.Errorf("API: %d %v, want %s", r.status, r.body, place)
			}

			// The last one keeps one blank before each line of the body.
			for style, indent := range map[string]int{"|": 8, "|-": 6, "|1": 6} {
				file := "version: 1\nentries:\n- model: authentik_policies_expression.expressionpolicy\n  identifiers: {name: p}\n  attrs:\n    expression: " + style
				for line := range strings.SplitSeq(row.body, "\n") {
					file += "\n" + strings.Repeat(" ", indent) + line
				}
				file += "\n"
				path := filepath.Join(t.TempDir(), fmt.Sprintf("bad%d.yaml", i))
				if err := os.WriteFile(path, []byte(file), 0o600); err != nil {
					t.Fatal(err)
				}
				_, err := site.Apply(t.Context(), []string{path}, false)
				var problems BlueprintErrors
				if !errors.As(err, &problems) || len(problems) != 1 {
					t.Fatalf("file: %v", err)
				}
				if p := problems[0]; p.Line != 6+row.line || p.Column != indent+row.column || p.Field != "expression" || !strings.Contains(p.Message, row.hint) {
					t.Errorf("file with %s: %v, want line %d, column %d", style, p, 6+row.line, indent+row.column)
				}

				r = c.as(rootToken, "POST", "/api/v3/managed/blueprints/", `{"name":"b","content":`+quote(t, file)+`}`)
				if where := fmt.Sprintf("In line %d, column %d: ", 6+row.line, indent+row.column); r.status != 400 || !strings.Contains(fmt.Sprint(r.body["content"]), where) {
					t.Errorf("kept blueprint: %d %v, want %s", r.status, r.body, where)
				}
			}
		})
	}
}
