package blueprint

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestPlainScalarsAreYAML11(t *testing.T) {
	tests := []struct {
		text string
		want any
	}{
		{"", nil}, {"~", nil}, {"null", nil}, {"NULL", nil}, {"nULL", "nULL"},
		{"yes", true}, {"on", true}, {"True", true}, {"NO", false}, {"off", false}, {"y", "y"}, {"n", "n"}, {"tRUE", "tRUE"},
		{"0", int64(0)}, {"-5", int64(-5)}, {"+7", int64(7)}, {"1_000", int64(1000)},
		{"010", int64(8)}, {"0x1F", int64(31)}, {"-0x10", int64(-16)}, {"0b101", int64(5)}, {"0o10", "0o10"}, {"09", "09"},
		{"1:30", int64(90)}, {"-1:30", int64(-90)}, {"1:30:00", int64(5400)}, {"1:60", "1:60"}, {"00:30", "00:30"},
		{"1.5", 1.5}, {"1.", 1.0}, {".5", 0.5}, {"1e3", "1e3"}, {"1.0e+3", 1000.0}, {"1.0e3", "1.0e3"}, {"1:30.5", 90.5},
		{"9223372036854775807", int64(9223372036854775807)},
		{"2024-01-02", time.Date(2024, 1, 2, 0, 0, 0, 0, time.UTC)},
		{"2024-1-2", "2024-1-2"},
		{"2024-01-02 03:04:05", time.Date(2024, 1, 2, 3, 4, 5, 0, time.UTC)},
		{"2024-01-02T03:04:05.5+02:00", time.Date(2024, 1, 2, 1, 4, 5, 500000000, time.UTC)},
		{"2024-01-02T03:04:05 -5", time.Date(2024, 1, 2, 8, 4, 5, 0, time.UTC)},
		{"hours=1;minutes=30", "hours=1;minutes=30"}, {"a b", "a b"}, {"-", "-"}, {".", "."}, {"..", ".."}, {"1.2.3", "1.2.3"}, {"+", "+"},
	}
	for _, tt := range tests {
		got, err := plain(tt.text)
		if err != nil || !cmp.Equal(got, tt.want) {
			t.Errorf("%q is %#v (%v), want %#v", tt.text, got, err, tt.want)
		}
	}
	for _, bad := range []string{".inf", "-.INF", ".nan", "9223372036854775808", "2024-02-30", "2024-02-30 01:01:01", "9999999999999999999:59"} {
		if v, err := plain(bad); err == nil {
			t.Errorf("%q is taken as %#v", bad, v)
		}
	}
}

func TestLoadProblemsHaveTheirPlace(t *testing.T) {
	tests := []struct{ name, text, want string }{
		{"a syntax error", "version: 1\nentries: [\n", "f.yaml:2: this is not valid YAML: did not find expected node content"},
		{"a bracket that stays open", "version: 1\nentries: [a\n", "f.yaml:2: this is not valid YAML: did not find expected ',' or ']'"},
		{"a list that ends in the middle, told where it begins", "version: 1\nentries:\n  - a: 1\n   b: 2\n", "f.yaml:3: this is not valid YAML: did not find expected '-' indicator"},
		{"a syntax error in the first line", `"`, "f.yaml:1: this is not valid YAML: found unexpected end of stream"},
		{"a character that no text has", "version: 1\ncontext: {a: b\x01}\n", "f.yaml:2: this is not valid YAML: control characters are not allowed"},
		{"a key given twice", "entries:\n- model: a.b\n  attrs:\n    name: x\n    name: y\n",
			`f.yaml:5:5: entry 1 (a.b): the key "name" is given twice; first in line 4`},
		{"an unknown tag", "entries:\n- model: a.b\n  attrs: {x: !Later [1]}\n", "f.yaml:3:14: entry 1 (a.b): field x: the tag !Later is not known"},
		{"an unknown standard type", "context: {x: !!binary aGk=}", "f.yaml:1:14: the type !!binary is not known here"},
		{"another version", "version: 2", "f.yaml:1:10: the version must be the number 1"},
		{"a version as text", `version: "1"`, "f.yaml:1:10: the version must be the number 1"},
		{"a version as true", `version: true`, "f.yaml:1:10: the version must be the number 1"},
		{"a list instead of a document", "- 1", "f.yaml:1:1: a blueprint is a mapping"},
		{"null entries", "entries:", "f.yaml:1:9: entries must be a list"},
		{"null context", "context: null", "f.yaml:1:10: context must be a mapping, not null"},
		{"metadata without a name", "metadata: {labels: {}}", "f.yaml:1:11: metadata needs a name"},
		{"a label that is not quoted", "metadata: {name: x, labels: {a: false}}", "f.yaml:1:33: the label a must be text, not true or false; put it in quotes"},
		{"an entry that is text", "entries: [hello]", "f.yaml:1:11: entry 1: an entry must be a mapping, not text"},
		{"no model", "entries:\n- id: x\n", `f.yaml:2:3: entry 1 ("x"): the entry has no model`},
		{"a model without a dot", "entries: [{model: flow}]", "f.yaml:1:19: entry 1 (flow): the model must be an app and a name"},
		{"a model with two dots", "entries: [{model: a.b.c}]", "f.yaml:1:19: entry 1 (a.b.c): the model must be"},
		{"a number as id", "entries: [{model: a.b, id: 5}]", "f.yaml:1:28: entry 1 (a.b): the id must be text, not a number"},
		{"a tag as id", "entries: [{model: a.b, id: !Context x}]", "f.yaml:1:28: entry 1 (a.b): the id must be text, not a tag"},
		{"a state that is none", "entries: [{model: a.b, state: there}]", "f.yaml:1:31: entry 1 (a.b): the state must be one of present, created, must_created, absent"},
		{"null identifiers", "entries: [{model: a.b, identifiers: }]", "identifiers must be a mapping, not null"},
		{"null conditions", "entries: [{model: a.b, conditions: null}]", "conditions must be a list, not null"},
		{"a field name that is true", "entries: [{model: a.b, attrs: {on: 1}}]", "f.yaml:1:32: entry 1 (a.b): the keys of attrs must be text; put true in quotes"},
		{"a permission without its name", "entries: [{model: a.b, permissions: [{user: 1}]}]", "a permission needs the key permission"},
		{"two documents", "version: 1\n---\nversion: 1\n", "a file holds one document, but a second one begins here"},
		{"a number that cannot be stored", "context: {a: .inf}", "f.yaml:1:14: .inf cannot be stored"},
		{"a mapping as key", "context: {{a: b}: c}", "f.yaml:1:11: a key must be text"},
		{"a merge of text", "context: {<<: hello}", "<< merges a mapping or a list of mappings, not text"},
		{"too deep", "context: {a: " + strings.Repeat("[", 80) + strings.Repeat("]", 80) + "}", "values are nested deeper than 64 levels"},
		{"too large", "# " + strings.Repeat("x", MaxBytes), "f.yaml: the file has 1048578 bytes, more than the 1048576 allowed"},
		{"an alias of itself", "context: {a: &a [*a]}", "values are nested deeper than 64 levels"},
		{"aliases that multiply", bomb(), "the document has more than 200000 values once its aliases are expanded"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := Load(File{Name: "f.yaml", Data: []byte(tt.text)})
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v\nwant %s", err, tt.want)
			}
		})
	}
}

func bomb() string {
	var b strings.Builder
	b.WriteString("context:\n  a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n")
	for i := 1; i < 12; i++ {
		n, m := string(rune('a'+i)), string(rune('a'+i-1))
		if i == 1 {
			m = "a0"
		}
		b.WriteString("  " + n + ": &" + n + " [" + strings.TrimSuffix(strings.Repeat("*"+m+", ", 10), ", ") + "]\n")
	}
	return b.String()
}

func TestLoadReportsAllProblems(t *testing.T) {
	_, err := Load(File{Name: "f.yaml", Data: []byte("version: 3\nentries:\n- id: 1\n- model: a.b\n  state: odd\n  attrs: {x: !If [1, 2]}\n")})
	errs, ok := asErrors(err)
	if !ok || len(errs) != 5 {
		t.Errorf("got %d problems:\n%v", len(errs), err)
	}
}

func TestLoadAccepts(t *testing.T) {
	tests := []struct {
		name, text string
		entries    int
		warning    string
	}{
		{"an empty file", "", 0, ""},
		{"only a comment", "# nothing\n", 0, ""},
		{"null", "~", 0, ""},
		{"JSON", `{"version": 1, "entries": [{"model": "a.b", "attrs": {"x": "\u00e9", "on": true}}]}`, 1, ""},
		{"JSON with tabs", "{\n\t\"version\":\t1,\n\t\"entries\":\t[]\n}", 0, ""},
		{"sections", "entries:\n  first:\n  - model: a.b\n  second:\n  - model: a.c\n  - model: a.d\n", 3, ""},
		{"null attributes and metadata", "metadata:\nentries: [{model: a.b, attrs: }]", 1, ""},
		{"a misspelt key", "entries: [{model: a.b, identifers: {}}]", 1,
			`f.yaml:1:24: entry 1 (a.b): the key "identifers" has no meaning here and is ignored; did you mean "identifiers"?`},
		{"a strange key", "colour: red", 0, `f.yaml:1:1: the key "colour" has no meaning here and is ignored`},
		{"an id used twice", "entries: [{model: a.b, id: x}, {model: a.c, id: x}]", 2,
			`f.yaml:1:49: entry 2 (a.c "x"): the id "x" is already that of entry 1, which !KeyOf will find`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			d, err := Load(File{Name: "f.yaml", Data: []byte(tt.text)})
			if err != nil {
				t.Fatal(err)
			}
			var warning string
			for _, w := range d.Warnings {
				warning += w.String()
			}
			if len(d.entries) != tt.entries || warning != tt.warning {
				t.Errorf("%d entries, warning %q", len(d.entries), warning)
			}
		})
	}
}

func FuzzLoad(f *testing.F) {
	for _, seed := range []string{"", "version: 1\nentries: [{model: a.b, attrs: {x: !Enumerate [[1], SEQ, !Value 0]}}]", bomb(),
		"a: &a {<<: *a, b: !Format [\"%s\", *a]}", "{\"a\":\t1}", "? [a]\n: b", "context: {x: !ParseJSON '[1'}", "%YAML 1.1\n---\n!If [x]"} {
		f.Add([]byte(seed))
	}
	old, err := filepath.Glob("testdata/old_*.txt")
	if err != nil || len(old) == 0 {
		f.Fatalf("no files in old forms: %v", err)
	}
	for _, name := range old {
		text, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		for _, part := range bytes.Split(text, []byte(".yaml --\n")) {
			f.Add(part[:max(bytes.LastIndex(part, []byte("\n-- ")), 0)])
		}
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		d, err := Load(File{Name: "f.yaml", Data: data})
		if err != nil {
			errs, ok := asErrors(err)
			if !ok || len(errs) == 0 || errs[0].Message == "" {
				t.Errorf("error without a problem: %v", err)
			}
			for _, e := range errs {
				if lines := bytes.Count(data, []byte("\n")) + bytes.Count(data, []byte("\r")) + 1; e.Line < 1 || e.Line > lines {
					t.Errorf("%q: a problem at line %d of %d: %v", data, e.Line, lines, e)
				}
			}
			return
		}
		// Conversions have places, and leave nothing to convert.
		for _, w := range d.Warnings {
			if w.Line < 1 || w.Converted && w.Line > bytes.Count(data, []byte("\n"))+bytes.Count(data, []byte("\r"))+1 {
				t.Errorf("%q: a warning at line %d: %v", data, w.Line, w)
			}
		}
		again := &reader{}
		again.convert(d)
		if len(again.warnings)+len(again.errs) > 0 {
			t.Errorf("%q: converted once more: %v %v", data, again.warnings, again.errs)
		}
		// What loads also resolves, or fails, within the limits.
		s := testScope(t, d)
		for _, e := range d.entries {
			s.entry = e
			for _, m := range []*mapping{e.identifiers, e.attrs, e.defaults} {
				if m != nil && !hasLookup(m) {
					_, _ = s.resolve(m)
				}
			}
		}
	})
}

// Whoever reads about old files finds each release from which on something is
// called otherwise, and each field and model.
func TestConversionsAreDocumented(t *testing.T) {
	text, err := os.ReadFile("../../docs/blueprints.md")
	if err != nil {
		t.Fatal(err)
	}
	_, table, found := strings.Cut(string(text), "<!-- conversions:")
	table, _, more := strings.Cut(table, "A file is from **before 2023.3**")
	if !found || !more {
		t.Fatal("docs/blueprints.md has no table of conversions")
	}
	for model, r := range renamings {
		_, name, _ := strings.Cut(r.to, ".")
		if !strings.Contains(table, "`"+model+"`") || !strings.Contains(table, r.since) || !strings.Contains(table, name) {
			t.Errorf("the table does not tell that %s is %s since %s", model, r.to, r.since)
		}
	}
	for _, c := range conversions {
		if !strings.Contains(table, c.since) {
			t.Errorf("the table has no line for what %s has since %s", c.model, c.since)
		}
	}
}
