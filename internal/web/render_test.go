package web_test

import (
	"io/fs"
	"net/http"
	"os"
	"reflect"
	"regexp"
	"strings"
	"testing"

	"github.com/weir-id/weir/field"
	"github.com/weir-id/weir/flow"
)

// fill writes text into every string that v holds, however deep.
func fill(v reflect.Value, text string) {
	switch v.Kind() {
	case reflect.Pointer, reflect.Interface:
		if !v.IsNil() {
			fill(v.Elem(), text)
		}
	case reflect.Struct:
		for i := range v.NumField() {
			if v.Field(i).CanSet() {
				fill(v.Field(i), text)
			}
		}
	case reflect.Slice:
		for i := range v.Len() {
			fill(v.Index(i), text)
		}
	case reflect.String:
		if v.CanSet() {
			v.SetString(text)
		}
	}
}

// hostile are texts that would become more than text on a page with a hole, and
// harmful is what it would look like.
var (
	hostile = []string{
		`"><script>alert(1)</script>`,
		`'><img src=x onerror=alert(1)>`,
		`</title></textarea></style><svg onload=alert(1)>`,
		`javascript:alert(1)`,
		`data:text/html,<script>alert(1)</script>`,
		"{{.Brand}}`${alert(1)}`",
	}
	harmful = regexp.MustCompile(`(?i)<script>|<img src=x|<svg onload|(?:href|src|action)\s*=\s*["']?\s*(?:javascript|data):|url=(?:javascript|data):`)
)

func TestRule12MarkupInChallengesShowsAsText(t *testing.T) {
	for _, text := range hostile {
		brand := flow.NewBrand()
		brand.Title, brand.Logo, brand.Favicon, brand.DefaultBackground = text, text, text, text
		brand.Attributes = map[string]any{"weir": map[string]any{"accent": text, "footer_links": []any{map[string]any{"name": text, "href": text}}}}
		v := homeVisits()
		v.person.Name, v.person.Username = text, text
		v.sessions[0].UserAgent = text
		v.apps = []*flow.Application{{Name: text, Slug: text, Group: text, Icon: text, Description: text, Publisher: text, LaunchURL: text}}
		e := &engine{}
		s := newSite(t, &brand, e, v)
		for name, result := range samples() {
			e.results, e.calls = []*flow.Result{result}, nil
			if result.Challenge != nil {
				fill(reflect.ValueOf(result.Challenge.Body), text)
				fill(reflect.ValueOf(result.Challenge.Info), text)
				if result.Challenge.Component == "ak-stage-identification" {
					// The kinds of names and the designation are choices of the program, not texts.
					c := result.Challenge.Body
					reflect.ValueOf(c).Elem().FieldByName("UserFields").Set(reflect.ValueOf([]string{"username"}))
				}
				if result.Rejected {
					result.Challenge.Errors = field.Errors{"uid_field": {{String: text, Code: text}}, text: {{String: text, Code: text, Message: text}}}
				}
			}
			for _, r := range []*http.Request{get("/if/flow/x/"), post("/if/flow/x/?a="+strings.Repeat("'", 3), map[string][]string{"uid_field": {text}, text: {text}}), get("/if/user/")} {
				w := answer(s, r)
				if bad := harmful.FindString(w.Body.String()); bad != "" {
					t.Fatalf("page %q, text %q: found %q in\n%s", name, text, bad, w.Body)
				}
				if w.Code >= 500 && name != "redirect" && name != "redirect-app" {
					t.Fatalf("page %q, text %q: status %d", name, text, w.Code)
				}
				if policy := w.Header().Get("Content-Security-Policy"); strings.Contains(policy, "alert") || strings.Contains(policy, "unsafe-") {
					t.Fatalf("page %q, text %q: policy %q", name, text, policy)
				}
			}
		}
	}
}

func TestRule36RedirectPageRefusesAddressesThatRunCode(t *testing.T) {
	for _, to := range []string{"javascript:alert(1)", "data:text/html,x", "vbscript:x", "//evil.example", `/\evil.example`, "https:evil", " javascript:alert(1)", "java\nscript:alert(1)", ""} {
		s := newSite(t, nil, &engine{results: []*flow.Result{show(&flow.RedirectTo{To: to})}}, nil)
		w := answer(s, get("/if/flow/x/"))
		if w.Code != http.StatusInternalServerError || w.Header().Get("Location") != "" || strings.Contains(w.Body.String(), "refresh") {
			t.Errorf("redirect to %q: status %d, location %q", to, w.Code, w.Header().Get("Location"))
		}
	}
}

func TestEveryPageSaysWhatItIsAndRunsNothingInline(t *testing.T) {
	script := regexp.MustCompile(`<script[^>]*>`)
	handler := regexp.MustCompile(`(?i)\s(?:style|on[a-z]+)\s*=`)
	ids := regexp.MustCompile(`\sid="([^"]*)"`)
	refs := regexp.MustCompile(`\s(?:for|aria-controls|aria-describedby)="([^"]*)"|href="#([^"]*)"`)
	e := &engine{}
	s := newSite(t, nil, e, nil)
	for name, result := range samples() {
		e.results, e.calls = []*flow.Result{result}, nil
		w := answer(s, get("/if/flow/x/"))
		page := w.Body.String()
		if w.Code != http.StatusOK && w.Code != http.StatusUnprocessableEntity {
			t.Errorf("%s: status %d", name, w.Code)
		}
		if n := strings.Count(page, "<h1>"); n != 1 {
			t.Errorf("%s: %d headings of the first order", name, n)
		}
		for _, tag := range script.FindAllString(page, -1) {
			if !strings.Contains(tag, ` src="/static/weir/`) {
				t.Errorf("%s: inline script %s", name, tag)
			}
		}
		if bad := handler.FindString(page); bad != "" {
			t.Errorf("%s: inline %q", name, bad)
		}
		for _, want := range []string{`<html lang="en" dir="ltr">`, `name="viewport"`, "<title>", `id="live"`} {
			if !strings.Contains(page, want) {
				t.Errorf("%s: no %s", name, want)
			}
		}
		if strings.Contains(page, "<no value>") || strings.Contains(page, "ZgotmplZ") {
			t.Errorf("%s: an unfilled value in\n%s", name, page)
		}
		known := map[string]bool{}
		for _, id := range ids.FindAllStringSubmatch(page, -1) {
			if known[id[1]] {
				t.Errorf("%s: id %q twice", name, id[1])
			}
			known[id[1]] = true
		}
		for _, ref := range refs.FindAllStringSubmatch(page, -1) {
			for _, id := range strings.Fields(ref[1] + ref[2]) {
				if !known[id] {
					t.Errorf("%s: refers to missing id %q", name, id)
				}
			}
		}
		if n := strings.Count(page, " autofocus"); n > 1 {
			t.Errorf("%s: %d elements ask for the cursor", name, n)
		}
	}
}

func TestErrorsAreShownAtTheFieldAndInTheSummary(t *testing.T) {
	cases := map[string]struct {
		page       string
		want, lack []string
	}{
		"a page with one field shows its error at the field alone": {
			"password-refused", []string{`aria-invalid="true"`, `aria-describedby="password-e"`, `data-msg="password.error.empty"`, "Enter your password</span>", "<title>Error: "}, []string{"There is a problem"}},
		"two fields have a summary with links, which gets the cursor": {
			"identification-two", []string{"There is a problem", `href="#uid_field"`, `href="#password"`, `tabindex="-1" autofocus`}, nil},
		"an error of the whole form that speaks of a field is shown there": {
			"identification-empty", []string{`aria-invalid="true"`, `aria-describedby="uid_field-e"`, `data-msg="identification.error.empty"`}, []string{"There is a problem"}},
		"an error of the whole form has a summary in the words of the catalog": {
			"identification-refused", []string{"There is a problem", "The user name or password is not right."}, []string{"Failed to authenticate."}},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			s := newSite(t, nil, &engine{results: []*flow.Result{samples()[c.page]}}, nil)
			page := answer(s, get("/if/flow/x/")).Body.String()
			for _, want := range c.want {
				if !strings.Contains(page, want) {
					t.Errorf("no %s in\n%s", want, page)
				}
			}
			for _, lack := range c.lack {
				if strings.Contains(page, lack) {
					t.Errorf("found %s in\n%s", lack, page)
				}
			}
		})
	}
}

func TestTemplatesHoldNoInlineStyleOrScript(t *testing.T) {
	inline := regexp.MustCompile(`(?i)<style|\sstyle\s*=|<script(?: [^>]*)?>[^<]|\son[a-z]+\s*=\s*["']`)
	for _, dir := range []string{"templates", "../stages"} {
		err := fs.WalkDir(os.DirFS(dir), ".", func(name string, d fs.DirEntry, err error) error {
			if err != nil || !strings.HasSuffix(name, ".html") {
				return err
			}
			data, err := os.ReadFile(dir + "/" + name)
			if bad := inline.Find(data); bad != nil {
				t.Errorf("%s/%s: %q", dir, name, bad)
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
}

func TestLayouts(t *testing.T) {
	for _, layout := range append(flow.Layout("").Choices(), "unknown") {
		r := show(askWho())
		r.Challenge.Info.Layout = flow.Layout(layout)
		r.Challenge.Info.Background = "https://pictures.example:8443/a.webp"
		w := answer(newSite(t, nil, &engine{results: []*flow.Result{r}}, nil), get("/if/flow/x/"))
		policy, page := w.Header().Get("Content-Security-Policy"), w.Body.String()
		class := layout
		if layout == "unknown" {
			class = "stacked"
		}
		if !strings.Contains(page, `<div class="shell `+class+` has-bg">`) {
			t.Errorf("%s: another class in\n%s", layout, page)
		}
		frame := strings.HasSuffix(layout, "_frame_background")
		if got := strings.Contains(policy, "frame-src https://pictures.example:8443;"); got != frame {
			t.Errorf("%s: policy %s", layout, policy)
		}
		if got := strings.Contains(policy, "img-src 'self' https://pictures.example:8443;"); got == frame {
			t.Errorf("%s: policy %s", layout, policy)
		}
		if got := strings.Contains(page, `<iframe`); got != frame {
			t.Errorf("%s: frame %v", layout, got)
		}
		if got := strings.Contains(page, `class="plate"`); got != strings.HasPrefix(layout, "content_") {
			t.Errorf("%s: plate %v", layout, got)
		}
	}
}
