package web_test

import (
	"io/fs"
	"log/slog"
	"net/http"
	"os"
	"regexp"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/weir-id/weir/flow"
	"github.com/weir-id/weir/internal/stages"
	"github.com/weir-id/weir/internal/web"
)

func folder(files map[string]string) fs.FS {
	out := fstest.MapFS{}
	for name, text := range files {
		out[name] = &fstest.MapFile{Data: []byte(text)}
	}
	return out
}

func customSite(t *testing.T, e *engine, files map[string]string) (*web.Site, error) {
	t.Helper()
	var pages []fs.FS
	for _, kind := range stages.All(stages.Env{}) {
		pages = append(pages, kind.Pages)
	}
	v := &visits{}
	texts, err := web.LoadTexts(folder(files))
	if err != nil {
		return nil, err
	}
	return web.New(web.Config{Runner: e, Visits: v, Applications: v, Invitations: &v.invites, Inspector: v, Pages: pages, Brand: func(*http.Request) *flow.Brand { return nil },
		Texts: texts, Log: slog.New(slog.NewTextHandler(t.Output(), nil))})
}

func TestOwnFilesChangeThePages(t *testing.T) {
	e := &engine{results: []*flow.Result{samples()["password"]}}
	s, err := customSite(t, e, map[string]string{
		"templates/ak-stage-password.html": `{{define "ways"}}<p>{{t "acme.desk" "Phone" "1234"}}</p><p>{{.User.PendingUser}}</p>{{end}}`,
		"templates/layout.html":            `{{define "foot"}}<footer class="foot"><img src="/static/own/seals/iso.svg" alt="ISO"></footer>{{end}}`,
		"style.css":                        ".panel { border-radius: 0 }",
		"locales/en.yaml":                  "acme.desk: \"Call {{.Phone}}\"\npassword.title: Your Acme password\n",
		"locales/de.yaml":                  "acme.desk: \"Ruf {{.Phone}} an\"\n",
		"locales/it.yaml":                  "password.title: La tua password\n",
		"static/seals/iso.svg":             `<svg xmlns="http://www.w3.org/2000/svg"/>`,
		".git/config":                      "not ours",
	})
	if err != nil {
		t.Fatal(err)
	}
	for language, want := range map[string][]string{
		"en": {"<h1>Your Acme password</h1>", "<p>Call 1234</p>", `<p>max</p>`, `src="/static/own/seals/iso.svg"`, `name="password"`},
		"de": {"<p>Ruf 1234 an</p>", "Geben Sie Ihr Passwort ein"},
		"it": {`<html lang="it"`, "La tua password", "<p>Call 1234</p>", "Continue"},
	} {
		r := get("/if/flow/x/")
		r.Header.Set("Accept-Language", language)
		w := answer(s, r)
		for _, text := range want {
			if !strings.Contains(w.Body.String(), text) {
				t.Errorf("%s: no %s in\n%s", language, text, w.Body)
			}
		}
		if strings.Contains(w.Body.String(), "Forgot your password?") {
			t.Errorf("%s: the built-in block is still there", language)
		}
		if got := w.Header().Get("Content-Security-Policy"); !strings.HasPrefix(got, "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self';") {
			t.Errorf("%s: policy %q", language, got)
		}
	}
	picture := answer(s, get("/static/own/seals/iso.svg"))
	if picture.Code != 200 || picture.Header().Get("Content-Type") != "image/svg+xml" || !strings.Contains(picture.Header().Get("Content-Security-Policy"), "default-src 'none'") {
		t.Errorf("picture: %d %v", picture.Code, picture.Header())
	}
	if w := answer(s, get("/static/own/seals/")); w.Code != 404 {
		t.Errorf("a folder is listed: %d", w.Code)
	}
	sheet := answer(s, get("/static/weir/style.x.css")).Body.String()
	if !strings.Contains(sheet, "@layer own {\n.panel { border-radius: 0 }\n}") || !strings.HasPrefix(sheet, "@layer guard, base, own, brand;") {
		t.Errorf("the rules are not in their layer:\n%s", sheet)
	}
}

// Markup in a challenge stays text in a template of an administrator.
func TestRule12OwnTemplatesEscape(t *testing.T) {
	r := show(&flow.AccessDenied{UserInfo: flow.UserInfo{PendingUser: `"><script>alert(1)</script>`}, Message: "<b>no</b>"})
	s, err := customSite(t, &engine{results: []*flow.Result{r}}, map[string]string{
		"templates/ak-stage-access-denied.html": `{{define "main"}}<h1>{{.Denial}}</h1><a href="/?{{.User.PendingUser}}" title="{{.User.PendingUser}}">{{.User.PendingUser}}</a>{{end}}`})
	if err != nil {
		t.Fatal(err)
	}
	page := answer(s, get("/if/flow/x/")).Body.String()
	if strings.Contains(page, "<script>") || strings.Contains(page, "<b>no") || !strings.Contains(page, "&lt;b&gt;no") {
		t.Errorf("markup in\n%s", page)
	}
}

// What only fails with a real value does not keep anybody from signing in.
func TestABrokenOwnTemplateGivesWayToTheBuiltIn(t *testing.T) {
	e := &engine{results: []*flow.Result{samples()["identification-two"]}}
	s, err := customSite(t, e, map[string]string{
		"templates/ak-stage-identification.html": `{{define "content"}}{{template "field" (field . "uid_field" "label" "x")}}{{.Challenge.NoSuchField}}{{end}}`})
	if err != nil {
		t.Fatal(err)
	}
	w := answer(s, get("/if/flow/x/"))
	if page := w.Body.String(); w.Code != 422 || strings.Count(page, `id="uid_field"`) != 1 || !strings.Contains(page, `href="#password"`) {
		t.Errorf("status %d:\n%s", w.Code, page)
	}
}

func TestOwnFilesThatCannotBeUsedStopTheStart(t *testing.T) {
	cases := map[string]struct{ file, text, want string }{
		"a page that there is not":         {"templates/ak-stage-pasword.html", `{{define "ways"}}{{end}}`, `templates/ak-stage-pasword.html: there is no such page; there are: ak-stage-access-denied`},
		"a template that does not parse":   {"templates/home.html", "{{define \"title\"}}\n{{if}}\n{{end}}", "templates/home.html:2"},
		"a function that there is not":     {"templates/home.html", "\n{{define \"title\"}}{{exec \"ls\"}}{{end}}", `templates/home.html:2: function "exec" not defined`},
		"a text that there is not":         {"templates/home.html", "{{define \"title\"}}\n\n{{t \"acme.nothing\"}}{{end}}", `text "acme.nothing", which does not exist, at templates/home.html:3`},
		"the same for all pages":           {"templates/layout.html", "{{define \"foot\"}}{{t \"acme.nothing\"}}{{end}}", `text "acme.nothing", which does not exist, at templates/layout.html:1`},
		"text that is never shown":         {"templates/home.html", "Hello", "templates/home.html: text outside of {{define}}"},
		"a place that cannot be made safe": {"templates/home.html", "{{define \"main\"}}\n{{if .Wide}}<a href=\"{{end}}x\">y</a>{{end}}", "templates/home.html:2"},
		"an inline script":                 {"templates/home.html", "{{define \"main\"}}\n<script>1</script>{{end}}", `templates/home.html:2: "<script" is refused`},
		"an inline style":                  {"templates/home.html", `{{define "main"}}<p style="color:red">{{end}}`, `templates/home.html:1: "style=" is refused`},
		"an event handler":                 {"templates/home.html", `{{define "main"}}<p onclick="x()">{{end}}`, `templates/home.html:1:`},
		"a bracket too many":               {"style.css", "a {}\n}\nb {}", "style.css:2: a bracket closes"},
		"a bracket too few":                {"style.css", "a {}\n@media print {\n", "style.css:2: the bracket is not closed"},
		"a comment without end":            {"style.css", "a {}\n/* }", "style.css:2: /* is not closed"},
		"a string without end":             {"style.css", "a { content: \"x; }\n}", "style.css:1: \" is not closed"},
		"rules from elsewhere":             {"style.css", "@import url(https://evil.example/x.css);", "style.css:1: @import is not possible here"},
		"too many rules":                   {"style.css", strings.Repeat("a{}\n", 1<<15), "style.css: larger than"},
		"texts that do not parse":          {"locales/de.yaml", "a: b\n c: d", "locales/de.yaml: yaml: line 2"},
		"a text that nobody shows":         {"locales/de.yaml", "form.continue: Weiter\nform.contine: Weiter", `locales/de.yaml:2: there is no text "form.contine"`},
		"a placeholder that nobody fills":  {"locales/en.yaml", "\nhome.title: Hello, {{.Nmae}}", "locales/en.yaml:2:"},
		"a value that is not there":        {"locales/en.yaml", "home.title: \"Hello, {{.Nmae}}\"", `locales/en.yaml:1: text "home.title" has no value for {{.Nmae}}`},
		"more than a placeholder":          {"locales/en.yaml", "home.title: \"{{printf .Name}}\"", "locales/en.yaml:1: text \"home.title\": a placeholder looks like"},
		"a list":                           {"locales/en.yaml", "- a", "locales/en.yaml:1: must be texts by id"},
		"a form that no language has":      {"locales/en.yaml", "problem.retry:\n  several: x", `locales/en.yaml:2: "several" is no form`},
		"a language that there is not":     {"locales/klingon!.yaml", "a: b", "locales/klingon!.yaml: the name is no language"},
		"a script":                         {"static/x.js", "alert(1)", "static/x.js: nothing uses this file"},
		"a page":                           {"static/x.html", "<p>", "static/x.html: nothing uses this file"},
		"a file in the wrong place":        {"ak-stage-password.html", "<p>", "ak-stage-password.html: nothing uses this file"},
		"a file that is too large":         {"static/x.png", strings.Repeat("x", 1<<20+1), "static/x.png: larger than"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := customSite(t, &engine{}, map[string]string{c.file: c.text})
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error %v, want %q", err, c.want)
			}
		})
	}
	many := map[string]string{}
	for i := range 501 {
		many["static/"+strings.Repeat("a", i+1)+".svg"] = "x"
	}
	if _, err := customSite(t, &engine{}, many); err == nil || !strings.Contains(err.Error(), "more than 500 files") {
		t.Errorf("error %v", err)
	}
}

// The examples of the documentation work together.
func TestTheExamplesForOwnPagesWork(t *testing.T) {
	text, err := os.ReadFile("../../docs/pages.md")
	if err != nil {
		t.Fatal(err)
	}
	files := map[string]string{"static/seal.svg": "<svg/>"}
	for _, block := range regexp.MustCompile("(?s)```(?:yaml|html|css)\n(?:# |\\{\\{/\\* |/\\* )(\\S+).*?```").FindAllStringSubmatch(string(text), -1) {
		_, body, _ := strings.Cut(block[0], "\n")
		files[block[1]] = strings.TrimSuffix(body, "```")
	}
	if len(files) != 7 {
		t.Fatalf("found %d files", len(files))
	}
	s, err := customSite(t, &engine{results: []*flow.Result{samples()["password"]}}, files)
	if err != nil {
		t.Fatal(err)
	}
	page := answer(s, get("/if/flow/x/")).Body.String()
	for _, want := range []string{"Your Acme password", "<p>Trouble? Call &#43;49 30 1234.</p>", `href="/if/flow/recovery/"`, `alt="ISO 27001"`} {
		if !strings.Contains(page, want) {
			t.Errorf("no %s in\n%s", want, page)
		}
	}
}
