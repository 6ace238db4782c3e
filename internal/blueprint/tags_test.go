package blueprint

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/weir-id/weir/internal/resource"
)

// testScope is a scope without a store: enough for tags that look nothing up.
func testScope(t testing.TB, d *Document) *scope {
	return &scope{run: &run{config: &Config{Getenv: func(name string) string {
		return map[string]string{"HOST": "id.example.org", "EMPTY": "", "WEIR_SECRET_KEY": "hush", "weir_x": "hush"}[name]
	}}, registry: &resource.Registry{}, options: Options{AllowEnv: true}, report: &Report{}}, ctx: t.Context(), document: d,
		ids:       map[string]*resource.Ref{"flow": {Key: "f-key", PolicyTarget: "f-target"}, "user": {Key: int64(7)}},
		overrides: map[string]any{}, skipped: map[string]bool{"skipped": true}, failed: map[string]bool{"failed": true}, keys: map[string]any{}}
}

// hasLookup tells whether resolving v would ask the store or the disk.
func hasLookup(v value) bool {
	switch v := v.(type) {
	case *find, *fileText, *contextValue:
		return true
	case *list:
		for _, item := range v.items {
			if hasLookup(item) {
				return true
			}
		}
		return false
	case *mapping:
		for _, m := range v.members {
			if hasLookup(m.value) {
				return true
			}
		}
		return false
	case *scalar, *keyOf, *parsedJSON, *item:
		return false
	}
	return true // other tags may hold one
}

const tagContext = `
version: 1
context:
  word: hello
  nested: {deep: [a, {b: found}], tagged: !Format ["%s!", !Context word]}
  dotted.key: whole
  list: [1, 2]
  order: {z: 1, y: 2}
  loop: !Context loop
  env: !Env HOST
entries:
- model: MODEL
  id: me
  attrs:
    x: `

// resolveText resolves one value in the context above.
func resolveText(t *testing.T, text string, change func(*scope)) (any, *scope, error) {
	t.Helper()
	d, err := Load(File{Name: "t.yaml", Data: []byte(strings.Replace(tagContext, "MODEL", "authentik_flows.flow", 1) + text + "\n")})
	if err != nil {
		return nil, nil, err
	}
	s := testScope(t, d)
	s.entry = d.entries[0]
	s.overrides = map[string]any{"over": int64(1), "list": []any{int64(3)}, "order": map[string]any{"x": 1, "a": 1}, "word2": "call"}
	if change != nil {
		change(s)
	}
	v, err := s.resolve(d.entries[0].attrs.get("x"))
	return v, s, err
}

type (
	items = []any
	dict  = map[string]any
)

func TestTags(t *testing.T) {
	n := func(i int64) any { return i }
	tests := []struct {
		name, text string
		want       any
	}{
		{"KeyOf gives the key", "!KeyOf flow", "f-key"},
		{"KeyOf gives the number of a user", "!KeyOf user", n(7)},
		{"Context gives a value", "!Context word", "hello"},
		{"Context resolves tags deep inside a value", "!Context nested", dict{"deep": items{"a", dict{"b": "found"}}, "tagged": "hello!"}},
		{"Context walks along dots", "!Context nested.deep.1.b", "found"},
		{"Context takes a key with dots as a whole first", "!Context dotted.key", "whole"},
		{"Context without such a key is null", "!Context nothing", nil},
		{"Context without such a key takes the default", "!Context [nothing, !Context word]", "hello"},
		{"Context off the path takes the default", "!Context [nested.deep.9, 4]", n(4)},
		{"the context of the call extends lists", "!Context list", items{n(1), n(2), n(3)}},
		{"the context of the call stands alone", "!Context over", n(1)},
		{"nothing needs a licence", "!Context goauthentik.io/enterprise/licensed", false},
		{"Env reads a variable", "!Env HOST", "id.example.org"},
		{"Env that is unset is null", "!Env NOPE", nil},
		{"Env that is empty takes the default", "!Env [EMPTY, x]", "x"},
		{"Env with a tag as default", "!Env [NOPE, !Context word]", "hello"},
		{"ParseJSON", `!ParseJSON '{"a": [1, 1.5, null, "x"]}'`, dict{"a": items{n(1), 1.5, nil, "x"}}},
		{"Format with all kinds", `!Format ["%s %d %s %s %s %s", a, 5, true, null, 1.0, [x, 1]]`, "a 5 True None 1.0 ['x', 1]"},
		{"Format with widths", `!Format ["[%5s|%-5s|%05d|%+d|%.2f|%x|%#o|%5.1f%%]", ab, ab, 42, 1, 2.345, 255, 8, 3.14159]`, "[   ab|ab   |00042|+1|2.35|ff|0o10|  3.1%]"},
		{"Format with repr", `!Format ["%r %r", "it's", x]`, `"it's" 'x'`},
		{"Format with a tag inside of a list argument", `!Format ["%s", [!Context word]]`, "['hello']"},
		{"Format of nothing but text", `!Format ["100%%"]`, "100%"},
		{"If alone judges", "!If [!Context word]", true},
		{"If chooses", "!If [false, a, [b, !Context word]]", items{"b", "hello"}},
		{"If does not resolve the other branch", "!If [true, a, !KeyOf nobody]", "a"},
		{"Condition AND", "!Condition [AND, 1, x]", true},
		{"Condition of one", "!Condition [nand, true]", false},
		{"Condition NOR of empty things", `!Condition [NOR, "", 0, null, false, [], {}]`, true},
		{"Condition XOR of three", "!Condition [XOR, true, true, true]", true},
		{"Condition XNOR", "!Condition [XNOR, true, false]", false},
		{"Condition EQ compares values", "!Condition [EQ, !Context word, hello]", true},
		{"Condition EQ is strict about types", `!Condition [EQ, 2, "2"]`, false},
		{"Condition NEQ", "!Condition [NEQ, [1, {a: 2}], [1, {a: 2.0}]]", false},
		{"Enumerate a list", `!Enumerate [[a, b], SEQ, !Format ["%d%s", !Index 0, !Value 0]]`, items{"0a", "1b"}},
		{"Enumerate a mapping into pairs", "!Enumerate [{a: 1, b: 2}, MAP, [!Value 0, !Index 0]]", dict{"1": "a", "2": "b"}},
		{"Enumerate a mapping in the order of the file", "!Enumerate [{b: 1, c: 2, a: 3}, SEQ, !Index 0]", items{"b", "c", "a"}},
		{"Enumerate a context in its order, and what the call adds behind", "!Enumerate [!Context order, SEQ, !Index 0]", items{"z", "y", "a", "x"}},
		{"Enumerate into mappings that merge", "!Enumerate [[1, 2], map, {all: [!Value 0]}]", dict{"all": items{n(1), n(2)}}},
		{"Enumerate text", "!Enumerate [äb, seq, !Value 0]", items{"ä", "b"}},
		{"Enumerate nothing", "!Enumerate [[], SEQ, x]", items{}},
		{"Enumerate within another", "!Enumerate [[[1], [2, 3]], SEQ, !Enumerate [!Value 1, SEQ, !Format [\"%s/%s\", !Index 1, !Value 0]]]",
			items{items{"0/1"}, items{"1/2", "1/3"}}},
		{"Enumerate sees its items inside of another tag", "!Format [\"%s\", !Enumerate [[1, 2], SEQ, !Value 0]]", "[1, 2]"},
		{"AtIndex of a list", "!AtIndex [[a, b], 1]", "b"},
		{"AtIndex from the end", "!AtIndex [[a, b], -2]", "a"},
		{"AtIndex of a mapping", "!AtIndex [!Context nested, deep]", items{"a", dict{"b": "found"}}},
		{"AtIndex with a default", "!AtIndex [[a], 5, !Context word]", "hello"},
		{"AtIndex with null as default", "!AtIndex [{}, x, null]", nil},
		{"merged mappings", "{<<: {a: 1, b: 2}, b: 3}", dict{"a": n(1), "b": n(3)}},
		{"a forced type", "[!!str 12, !!int 5, !!float 1]", items{"12", n(5), 1.0}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, _, err := resolveText(t, tt.text, nil)
			if err != nil || !cmp.Equal(got, tt.want) {
				t.Errorf("got %#v, %v\nwant %#v", got, err, tt.want)
			}
		})
	}
}

func TestTagProblemsHaveTheirPlace(t *testing.T) {
	entry := `entry 1 (authentik_flows.flow "me"): `
	tests := []struct{ name, text, want string }{
		{"KeyOf of nobody", "!KeyOf nobody", "t.yaml:15:8: " + entry + "!KeyOf nobody: no entry applied before this one has that id (no entry of this file has it)"},
		{"KeyOf of oneself", "!KeyOf me", "that entry comes later"},
		{"KeyOf of a skipped entry", "!KeyOf skipped", "that entry was skipped or its object is absent"},
		{"KeyOf of a failed entry", "!KeyOf failed", "an earlier entry has failed"},
		{"KeyOf a list", "!KeyOf [a]", "t.yaml:15:8: " + entry + "field x: !KeyOf takes the id of an entry: !KeyOf the-id-of-an-entry"},
		{"KeyOf a mapping", "!KeyOf {a: b}", "!KeyOf does not take a mapping"},
		{"Find without a pair", "!Find [a.b]", "!Find takes a model and at least one pair"},
		{"Find with half a pair", "!Find [a.b, [slug]]", "t.yaml:15:20: " + entry + "field x: !Find takes pairs of field and value"},
		{"Find of an unknown model", "!Find [a.b, [slug, x]]", "t.yaml:15:15: " + entry + "!Find: the model a.b is not known"},
		{"Context that speaks of itself", "!Context loop", "values speak of each other more than 256 levels deep"},
		{"Context with one item", "!Context [a]", "!Context takes a key, or a key and a default in a list"},
		{"Env with three items", "!Env [a, b, c]", "!Env takes the name of a variable, or"},
		{"Env of a number", "!Env [5, x]", "t.yaml:15:14: " + entry + "the name of !Env must be text, not a number"},
		{"File with one item", "!File [a]", "!File takes a path"},
		{"ParseJSON of bad text", "!ParseJSON '[1'", "!ParseJSON: unexpected EOF"},
		{"ParseJSON with more text", "!ParseJSON '1 2'", "!ParseJSON: there is more text behind the value"},
		{"ParseJSON of a list", "!ParseJSON [1]", "!ParseJSON takes JSON as text"},
		{"Format with too few values", `!Format ["%s %s", a]`, "!Format: the text has more % signs than there are values (1)"},
		{"Format with too many values", `!Format ["%s", a, b]`, "!Format: there are 2 values, but the text takes only 1"},
		{"Format of text as number", `!Format ["%d", a]`, "!Format: %d needs a number, not text"},
		{"Format with an unknown letter", `!Format ["%y", a]`, "!Format: the conversion %y is not known"},
		{"Format that ends early", `!Format ["%"]`, "!Format: the text ends within a % conversion"},
		{"Format with a huge width", `!Format ["%9999999s", a]`, "!Format: a width or precision may be at most 1000"},
		{"Format of text", "!Format hello", "!Format takes a list"},
		{"If with two items", "!If [a, b]", "!If takes a list of a condition, or of a condition and two values, not of 2"},
		{"Condition without values", "!Condition [AND]", "!Condition takes a list of a mode and at least one value"},
		{"Condition with an unknown mode", "!Condition [IF, 1]", `t.yaml:15:20: ` + entry + `field x: !Condition: the mode "IF" is not known`},
		{"Condition with a mode that a tag gives", "!Condition [!Context word, 1]", `!Condition: the mode "hello" is not known`},
		{"Enumerate of a number", "!Enumerate [5, SEQ, x]", "!Enumerate goes through a list, a mapping or text, not a number"},
		{"Enumerate into something else", "!Enumerate [[1], SET, x]", "!Enumerate gives SEQ or MAP, nothing else"},
		{"Enumerate into a mapping without a key", "!Enumerate [[1], MAP, [1]]", "the body of a MAP must be a mapping or a list of key and value"},
		{"Enumerate of its own items", "!Enumerate [!Value 0, SEQ, x]", "!Value 0: an enumeration cannot go through its own items"},
		{"Value outside of an enumeration", "!Value 0", "!Value 0: there are only 0 enumerations around it"},
		{"Index that is too deep", "!Enumerate [[1], SEQ, !Index 1]", "!Index 1: there are only 1 enumerations around it"},
		{"Index that is no number", "!Index a", "!Index takes a depth"},
		{"AtIndex without a default", "!AtIndex [[a], 5]", `!AtIndex: there is no "5", and no default is given`},
		{"AtIndex of a missing key", "!AtIndex [{a: 1}, b]", `!AtIndex: there is no "b"`},
		{"AtIndex of a list by text", "!AtIndex [[a], b]", "!AtIndex: the position in a list must be a whole number, not text"},
		{"AtIndex into text", "!AtIndex [a, b]", "!AtIndex looks into a list or a mapping, not text"},
		{"AtIndex with one item", "!AtIndex [a]", "!AtIndex takes a list of two or three"},
		{"enumerations that multiply", "!Enumerate [[" + strings.TrimSuffix(strings.Repeat("1,", 200), ",") + "], SEQ, !Enumerate [" +
			"\"" + strings.Repeat("x", 200) + "\", SEQ, !Enumerate [\"" + strings.Repeat("x", 200) + "\", SEQ, !Value 0]]]", "the blueprint makes more than 2000000 values"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			v, _, err := resolveText(t, tt.text, nil)
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %#v, %v\nwant %s", v, err, tt.want)
			}
		})
	}
}

func TestKeyOfGivesThePolicyTargetToPolicyBindings(t *testing.T) {
	got, _, err := resolveText(t, "!KeyOf flow", func(s *scope) {
		e := *s.entry
		e.literalModel = "authentik_policies.PolicyBinding"
		s.entry = &e
	})
	if err != nil || got != "f-target" {
		t.Errorf("got %v, %v", got, err)
	}
}

func TestEnvGivesNothingOfTheProgram(t *testing.T) {
	tests := []struct {
		name, text string
		change     func(*scope)
	}{
		{"a variable of the program", "!Env [WEIR_SECRET_KEY, default]", nil},
		{"one in small letters", "!Env [weir_x, default]", nil},
		{"when reading is not allowed", "!Env [HOST, default]", func(s *scope) { s.options.AllowEnv = false }},
		{"when the file was uploaded", "!Env [HOST, default]", func(s *scope) { s.document.upload = true }},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, s, err := resolveText(t, tt.text, tt.change)
			if err != nil || got != "default" || len(s.report.Warnings) != 1 {
				t.Errorf("got %v, %v, warnings %v", got, err, s.report.Warnings)
			}
		})
	}
}

func TestRule43FileTagStaysInItsFolder(t *testing.T) {
	outside, folder := t.TempDir(), t.TempDir()
	write := func(path, content string) {
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(filepath.Join(outside, "secret"), "secret")
	write(filepath.Join(folder, "note"), "  hello\n")
	write(filepath.Join(folder, "big"), strings.Repeat("x", MaxBytes+1))
	for from, to := range map[string]string{"out": filepath.Join(outside, "secret"), "outdir": outside, "in": "note"} {
		if err := os.Symlink(to, filepath.Join(folder, from)); err != nil {
			t.Fatal(err)
		}
	}
	if err := syscall.Mkfifo(filepath.Join(folder, "pipe"), 0o600); err != nil {
		t.Fatal(err)
	}
	root, err := os.OpenRoot(folder)
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	up, err := filepath.Rel(folder, filepath.Join(outside, "secret"))
	if err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name, path string
		want       any
		problem    string
		change     func(*scope)
	}{
		{name: "a file in the folder, trimmed", path: "note", want: "hello"},
		{name: "its absolute path", path: filepath.Join(folder, "note"), want: "hello"},
		{name: "a link within the folder", path: "in", problem: "links are not followed"},
		{name: "a missing file", path: "nope", want: "default"},
		{name: "a path out of the folder", path: up, problem: "escapes"},
		{name: "an absolute path elsewhere", path: filepath.Join(outside, "secret"), problem: "outside of the folder"},
		{name: "a link out of the folder", path: "out", problem: "links are not followed"},
		{name: "a linked folder", path: "outdir/secret", problem: "links are not followed"},
		{name: "a file that is too large", path: "big", problem: "more than the 1048576 bytes"},
		{name: "a pipe", path: "pipe", problem: "not a regular file"},
		{name: "the folder itself", path: ".", problem: "not a regular file"},
		{name: "an uploaded blueprint", path: "note", problem: "an uploaded blueprint may not read files", change: func(s *scope) { s.document.upload = true }},
		{name: "no folder", path: "note", problem: "no folder for them is configured", change: func(s *scope) { s.config.Files = nil }},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, _, err := resolveText(t, fmt.Sprintf("!File [%q, default]", tt.path), func(s *scope) {
				s.config.Files = root
				if tt.change != nil {
					tt.change(s)
				}
			})
			if tt.problem == "" {
				if err != nil || got != tt.want {
					t.Errorf("got %v, %v", got, err)
				}
				return
			}
			if err == nil || !strings.Contains(err.Error(), tt.problem) {
				t.Errorf("got %v, %v; want %s", got, err, tt.problem)
			}
			if err != nil && strings.Contains(err.Error(), "secret\n") {
				t.Error("the error shows the file")
			}
		})
	}
}

func TestFormatWritesDatesAsDates(t *testing.T) {
	got, err := percent("%s", []any{time.Date(2024, 1, 2, 0, 0, 0, 0, time.UTC)})
	if err != nil || got != "2024-01-02" {
		t.Errorf("got %q, %v", got, err)
	}
}
