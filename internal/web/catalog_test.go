package web

import (
	"io/fs"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/fstest"

	"golang.org/x/text/language"

	"github.com/weir-id/weir/field"
)

func TestLanguageOfThePage(t *testing.T) {
	files := fstest.MapFS{
		"locales/en.yaml": {Data: []byte("a.b: Hello\nc.d:\n  one: \"{{.Count}} day\"\n  other: \"{{.Count}} days\"\ne.f: \"Hi {{.Name}}\"\n")},
		"locales/de.yaml": {Data: []byte("a.b: Hallo\n")},
		"locales/ar.yaml": {Data: []byte("a.b: مرحبا\n")},
	}
	c, err := loadCatalog(files)
	if err != nil {
		t.Fatal(err)
	}
	for header, want := range map[string]string{"": "Hello", "de-AT,en;q=0.5": "Hallo", "fr, de;q=0.4": "Hallo", "xx": "Hello", "%%%": "Hello", "ar": "مرحبا",
		"en-GB,de": "Hello"} {
		r := httptest.NewRequest("GET", "/", nil)
		r.Header.Set("Accept-Language", header)
		if got, err := c.texts[c.pick(r)].text("a.b"); err != nil || got != want {
			t.Errorf("%q gets %q, %v; want %q", header, got, err, want)
		}
	}
	german := c.texts[language.German]
	if got, err := german.text("e.f", "Name", "Max"); err != nil || got != "Hi Max" {
		t.Errorf("a text without translation is %q, %v", got, err)
	}
	if got, _ := c.texts[language.English].text("c.d", "Count", 1); got != "1 day" {
		t.Errorf("one is %q", got)
	}
	if _, err := german.text("no.such"); err == nil {
		t.Error("an unknown text has no error")
	}
	if direction(language.Arabic) != "rtl" || direction(language.German) != "ltr" {
		t.Error("wrong direction")
	}
}

func TestTemplatesThatCannotBeUsedStopTheStart(t *testing.T) {
	c, err := loadCatalog(locales)
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{
		"a text that does not exist":       `{{define "title"}}{{t "no.such.text"}}{{end}}`,
		"the same inside a partial's call": `{{define "content"}}{{template "submit" (t "no.such.text")}}{{end}}`,
		"the same inside a condition":      `{{define "content"}}{{if .Stale}}{{else}}{{with t "no.such.text"}}{{.}}{{end}}{{end}}{{end}}`,
		"a template that does not parse":   `{{define "title"}}{{if}}`,
		"a partial that does not exist":    `{{define "content"}}{{template "no-such" .}}{{end}}`,
		"markup that cannot be made safe":  `{{define "content"}}<a href="{{if .Stale}}"{{end}}>{{end}}`,
	} {
		if _, err := newRenderer(c, "/icons.svg", nil); err != nil {
			t.Fatal(err)
		}
		if _, err := newRenderer(c, "/icons.svg", []fs.FS{fstest.MapFS{"x.html": {Data: []byte(text)}}}); err == nil {
			t.Errorf("%s was accepted", name)
		}
	}
	if _, err := newRenderer(c, "/icons.svg", []fs.FS{fstest.MapFS{"problem.html": {Data: nil}}}); err == nil {
		t.Error("two pages of one name were accepted")
	}
}

func TestProblemsSpeakOfTheirCount(t *testing.T) {
	c, err := loadCatalog(locales)
	if err != nil {
		t.Fatal(err)
	}
	for tag, want := range map[language.Tag]string{language.English: "Wait 1 minute,", language.German: "Warten Sie 1 Minute,",
		language.French: "Attendez 1 minute ", language.Spanish: "Espere 1 minuto "} {
		got := c.texts[tag].messages([]field.Error{{String: "?", Message: "guard.minutes", Count: 1}})
		if len(got) != 1 || !strings.Contains(got[0].Text, want) {
			t.Errorf("%s: %v, want %s", tag, got, want)
		}
	}
}
