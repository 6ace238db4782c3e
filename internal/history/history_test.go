package history

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/weir-id/weir/field"
	"github.com/weir-id/weir/internal/catalog"
)

func TestLines(t *testing.T) {
	long := func(changed ...int) string {
		var b strings.Builder
		for i := range 20 {
			fmt.Fprintf(&b, "line %d", i)
			for _, n := range changed {
				if n == i {
					b.WriteString(" changed")
				}
			}
			b.WriteString("\n")
		}
		return b.String()
	}
	for name, row := range map[string]struct{ a, b, want string }{
		"nothing differs":          {"a\nb\n", "a\nb\n", ""},
		"of nothing":               {"", "a\nb", "@@ -0,0 +1,2 @@|+a|+b"},
		"to nothing":               {"a\nb", "", "@@ -1,2 +0,0 @@|-a|-b"},
		"one line":                 {"a\nb\nc", "a\nx\nc", "@@ -1,3 +1,3 @@| a|-b|+x| c"},
		"a line more":              {"a\nc", "a\nb\nc", "@@ -1,2 +1,3 @@| a|+b| c"},
		"two places far apart":     {long(), long(2, 15), "@@ -1,6 +1,6 @@| line 0| line 1|-line 2|+line 2 changed| line 3| line 4| line 5|@@ -13,7 +13,7 @@| line 12| line 13| line 14|-line 15|+line 15 changed| line 16| line 17| line 18"},
		"two places near together": {long(), long(5, 9), "@@ -3,11 +3,11 @@| line 2| line 3| line 4|-line 5|+line 5 changed| line 6| line 7| line 8|-line 9|+line 9 changed| line 10| line 11| line 12"},
	} {
		if got := strings.Join(lines(row.a, row.b), "|"); got != row.want {
			t.Errorf("%s:\n%s\nwant\n%s", name, got, row.want)
		}
	}
}

// The lines that are kept or removed are the first text, those that are kept or
// added the second one, also where the texts are too long to be compared well.
func TestEditsMakeOneTextOfTheOther(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for _, size := range []int{5, 30, 1100} {
		for range 20 {
			text := func() []string {
				out := make([]string, r.IntN(size))
				for i := range out {
					out[i] = string(rune('a' + r.IntN(4)))
				}
				return out
			}
			a, b := text(), text()
			var first, second []string
			for _, e := range edits(a, b) {
				if e.sign != '+' {
					first = append(first, e.line)
				}
				if e.sign != '-' {
					second = append(second, e.line)
				}
			}
			if strings.Join(first, "") != strings.Join(a, "") || strings.Join(second, "") != strings.Join(b, "") {
				t.Fatalf("%v and %v became %v and %v", a, b, first, second)
			}
		}
	}
}

func TestRow(t *testing.T) {
	type row struct {
		Name   string   `json:"name" field:"required"`
		Groups []string `json:"groups"`
		Key    string   `json:"key" field:"secret"`
		Seen   string   `json:"seen" field:"readonly"`
	}
	specs := field.Describe(&row{Groups: []string{}})
	const id = "7b0c52f8-8e0b-4f0f-9d3f-3a6f0a0a8a11"
	names := func(kind, key string) string { return map[string]string{"group " + id: "Friends"}[kind+" "+key] }
	before := map[string]any{"name": "a", "groups": []any{}, "seen": "x"}
	after := map[string]any{"name": "b", "groups": []any{id}, "seen": "y"}
	got := Row(catalog.Changed, "app.row", "1", "b", specs, before, after, []string{"groups", "key", "name"}, names)
	want := Difference{Op: "~", Kind: "row", Model: "app.row", PK: "1", Name: "row:b", Fields: []FieldDifference{
		{Name: "name", Old: "a", New: "b", Lines: []string{}},
		{Name: "groups", Old: []any{}, New: []any{"group:Friends"}, Lines: []string{}},
		{Name: "key", Secret: true, Lines: []string{}},
	}}
	same := cmp.AllowUnexported(FieldDifference{})
	if diff := cmp.Diff(want, got, same); diff != "" {
		t.Error(diff)
	}
	made := Row(catalog.Created, "app.row", "1", "b", specs, nil, after, nil, names)
	if len(made.Fields) != 2 || made.Fields[0].New != "b" || made.Fields[0].Old != nil {
		t.Errorf("a new one is %+v", made.Fields)
	}
	if gone := Row(catalog.Deleted, "app.row", "1", "b", specs, before, nil, nil, names); len(gone.Fields) != 0 {
		t.Errorf("a deleted one is %+v", gone.Fields)
	}
}

func TestPrinter(t *testing.T) {
	objects := []Difference{{Op: "~", Name: "stage:a\x1b[2J\u202e", Fields: []FieldDifference{
		{Name: "to", Old: "flow:a", New: "flow:b", reference: true},
		{Name: "text", Lines: []string{"@@ -1,1 +1,1 @@", "-a", "+b\r"}},
		{Name: "key", Secret: true},
	}}, {Op: "+", Name: "flow:b", Fields: []FieldDifference{{Name: "key", Secret: true, made: true}}}, {Op: "-", Name: "flow:c"}}
	var plain, coloured bytes.Buffer
	for _, p := range []*Printer{{Writer: &plain}, {Writer: &coloured, Colour: true}} {
		if err := p.Objects(objects); err != nil {
			t.Fatal(err)
		}
	}
	want := "~ stage:a\\u001b[2J\\u202e\n    to: flow:a -> flow:b\n    text:\n      @@ -1,1 +1,1 @@\n      -a\n      +b\\u000d\n    key: changed, not shown\n+ flow:b\n    key: set, not shown\n- flow:c\n"
	if plain.String() != want {
		t.Errorf("printed\n%q\nwant\n%q", plain.String(), want)
	}
	for _, part := range []string{"\x1b[33m~ stage:a", "\x1b[36m@@", "\x1b[31m-a\x1b[0m", "\x1b[32m+ flow:b", "\x1b[31m- flow:c\x1b[0m\n"} {
		if !strings.Contains(coloured.String(), part) {
			t.Errorf("no %q in %q", part, coloured.String())
		}
	}
	if got := Summary(objects); got != "1 created, 1 changed, 1 deleted" {
		t.Error(got)
	}
}
