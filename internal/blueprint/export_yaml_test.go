package blueprint

import (
	"context"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.yaml.in/yaml/v3"
)

// hostile are texts that some reader of YAML takes for something else.
var hostile = []string{
	"", " ", "~", "null", "Null", "yes", "No", "ON", "off", "y", "n", "true", "FALSE", "010", "0o10", "0x1F", "0b1", "1_000", "1:30", "-1:30", "1.5", "1e3",
	"1.0e+3", ".5", "5.", ".inf", "-.INF", ".nan", "2026-11-23", "2026-11-23T12:00:00Z", "2026-11-23 12:00:00 +1", "=", "<<", "-", "- a", "? a", ": a", "a: b", "a:",
	"a #b", "#b", "&a", "*a", "!a", "!KeyOf x", "|", ">", "'a'", `"a"`, "it's", `\n`, "%a", "@a", "`a", "[a]", "{a}", "a, b", "---", "...", "--- a",
	"a\tb", "\ta", "a\t", " a", "a ", "a\nb", "a\nb\n", "a\n", "\n", "\na", "a\n\n", "a\n\nb", "a\n \nb", "  a\nb", "a\n  b\n", "\ta\nb", "a\n\tb\n", "a \nb", "a\r\nb",
	"a\x00b", "\x1b[31m", "\x7f", "a\u0085b", "a\u2028b", "\ufeffa", "a\u00a0b", "\u200b", "ä", "日本", "😀", "🏳️‍🌈", "a\n# b\n---\n...\nc", strings.Repeat("long words ", 40),
}

// FuzzTextsComeBack writes texts as values and as keys and reads them with our
// reader and with one of YAML 1.2.
func FuzzTextsComeBack(f *testing.F) {
	for _, text := range hostile {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		written, err := encodeYAML(map[string]any{"context": map[string]any{"text": text, "deep": []any{map[string]any{"x": []any{text}}}}, "version": int64(1)})
		if err != nil {
			if strings.ToValidUTF8(text, "") == text {
				t.Fatalf("%q: %v", text, err)
			}
			return // the store has no such texts
		}
		d, err := Load(File{Name: "x.yaml", Data: written})
		if err != nil {
			t.Fatalf("%v in\n%s", err, written)
		}
		s := &scope{run: &run{report: &Report{}}, ctx: context.Background(), document: d}
		got, err := d.context.resolve(s)
		if err != nil {
			t.Fatal(err)
		}
		want := map[string]any{"text": text, "deep": []any{map[string]any{"x": []any{text}}}}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("want -, got +:\n%s\nin\n%s", diff, written)
		}
		var other struct {
			Context map[string]any
		}
		if err := yaml.Unmarshal(written, &other); err != nil {
			t.Fatalf("%v in\n%s", err, written)
		}
		if diff := cmp.Diff(want, other.Context); diff != "" {
			t.Errorf("another reader, want -, got +:\n%s\nin\n%s", diff, written)
		}
	})
}

func TestYAMLForm(t *testing.T) {
	got, err := encodeYAML(map[string]any{
		"z": nil, "yes": true, "n": int64(-5), "u": uint64(7), "whole": 1000.0, "part": 0.25, "small": 1e-7,
		"list": []any{"a", []any{}, map[string]any{}, map[string]any{"b": int64(1), "a": "no"}},
		"body": "if x:\n  return 1\n", "tail": "a\n b", "date": "2026-11-23",
	})
	if err != nil {
		t.Fatal(err)
	}
	want := `body: |
  if x:
    return 1
date: '2026-11-23'
list:
- a
- []
- {}
- a: 'no'
  b: 1
n: -5
part: 0.25
small: 0.0000001
tail: |-
  a
   b
u: 7
whole: 1000.0
'yes': true
z: null
`
	if diff := cmp.Diff(want, string(got)); diff != "" {
		t.Errorf("want -, got +:\n%s", diff)
	}
	if _, err := encodeYAML(map[string]any{"x": struct{}{}}); err == nil {
		t.Error("a value without a form is written")
	}
}
