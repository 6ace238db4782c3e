package web

import (
	"regexp"
	"slices"
	"testing"

	"go.yaml.in/yaml/v3"
)

// textsOf reads one language: the forms of each text.
func textsOf(t *testing.T, name string) map[string]map[string]string {
	t.Helper()
	data, err := locales.ReadFile("locales/" + name)
	if err != nil {
		t.Fatal(err)
	}
	raw := map[string]any{}
	if err := yaml.Unmarshal(data, &raw); err != nil {
		t.Fatal(err)
	}
	out := map[string]map[string]string{}
	for id, v := range raw {
		out[id] = map[string]string{}
		switch v := v.(type) {
		case string:
			out[id]["other"] = v
		case map[string]any:
			for form, text := range v {
				if s, ok := text.(string); ok && form != "description" {
					out[id][form] = s
				}
			}
		}
	}
	return out
}

var placeholder = regexp.MustCompile(`\{\{\.\w+\}\}`)

// A page in two languages at once reads worse than one in English.
func TestEveryLanguageHasEveryText(t *testing.T) {
	files, err := locales.ReadDir("locales")
	if err != nil {
		t.Fatal(err)
	}
	english := textsOf(t, "en.yaml")
	if len(files) < 4 {
		t.Errorf("%d languages, want English, German, French and Spanish", len(files))
	}
	for _, f := range files {
		texts := textsOf(t, f.Name())
		for id, forms := range english {
			for form, text := range forms {
				want := placeholder.FindAllString(text, -1)
				got := placeholder.FindAllString(texts[id][form], -1)
				slices.Sort(want)
				slices.Sort(got)
				if texts[id][form] == "" || !slices.Equal(got, want) {
					t.Errorf("%s: %s (%s) is %q, in English %q", f.Name(), id, form, texts[id][form], text)
				}
			}
		}
		for id := range texts {
			if _, known := english[id]; !known {
				t.Errorf("%s: nothing uses %s", f.Name(), id)
			}
		}
	}
}
