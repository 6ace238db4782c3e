package e2e

import (
	"cmp"
	"fmt"
	"html"
	"maps"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/weir-id/weir/internal/stages/captcha/captchatest"
)

// walk is a way through a flow: where it is entered, and what is answered on it.
// An answer has the names of the wire; a page of its component has to be there.
type walk struct {
	slug, query string
	answers     []object
}

// answering is an answer to a challenge.
func answering(component string, fields ...any) object {
	return with(object{"component": component}, fields...)
}

// signingIn is the default login of somebody.
func signingIn(name, password string) walk {
	return walk{login, "", []object{answering("ak-stage-identification", "uid_field", name), answering("ak-stage-password", "password", password)}}
}

// traveller is a fresh session that takes ways one after the other. It returns the
// components that were seen on each, with "refused" behind those that came back
// because of their answer, and who is signed in afterwards.
type traveller func(t *testing.T, s *site, walks ...walk) (seen []string, who string)

// leaving is the component at the end of a flow.
const leaving = "xak-flow-redirect"

// travellers are the two ways to walk flows: the official client, and forms that are
// posted without JavaScript.
var travellers = map[string]traveller{"official client": walkOfficially, "pages": walkPages}

func walkOfficially(t *testing.T, s *site, walks ...walk) (seen []string, who string) {
	t.Helper()
	session := officialSessions.Add(1)
	for _, w := range walks {
		last := officially(t, s, session, get(w.slug, w.query))[0]
		names := []string{last.shown()}
		for _, a := range w.answers {
			if a["component"] != last.component() {
				t.Fatalf("%s: %v answers %v", w.slug, a, last.Raw)
			}
			answer := maps.Clone(a)
			switch a["component"] {
			case "ak-stage-identification":
				answer["uidField"] = a["uid_field"] // the client has its own name for it
			case "ak-stage-consent":
				answer["token"] = last.Data["token"]
			case "ak-stage-captcha":
				answer["token"] = captchatest.Solve(last.Data["site_key"].(string))
			}
			last = officially(t, s, session, solve(w.slug, w.query, answer))[0]
			names = append(names, last.shown())
		}
		seen = append(seen, strings.Join(names, ", "))
	}
	if last := officially(t, s, session, me())[0]; last.Status != http.StatusForbidden {
		person, _ := last.Data["user"].(map[string]any)
		who, _ = person["username"].(string)
	}
	return seen, who
}

// shown is what an answer is called among those of a way.
func (a apiAnswer) shown() string {
	name := cmp.Or(a.component(), a.Failure)
	if to, _ := a.Data["to"].(string); name == leaving && to != "/" {
		name += " to " + to
	}
	if a.Data["response_errors"] != nil {
		name += " refused"
	}
	return name
}

// marks tell pages apart, by what only they have.
var marks = []struct{ component, mark string }{
	{"ak-stage-identification", ` name="uid_field"`},
	{"ak-stage-password", ` autocomplete="current-password"`},
	{"ak-stage-captcha", ` id="captcha"`},
	{"ak-stage-consent", ` name="token"`},
	{"ak-stage-email", "<h1>Check your mail</h1>"},
	{"ak-stage-access-denied", "<h1>You can’t continue</h1>"},
	{"ak-stage-prompt", ` for="`},
}

var hiddenField = regexp.MustCompile(`<input type="hidden" name="([^"]+)" value="([^"]*)">`)

// piece is the work that a captcha asks for, which scripts of a page do.
var piece = regexp.MustCompile(` data-key="([^"]+)"`)

func walkPages(t *testing.T, s *site, walks ...walk) (seen []string, who string) {
	t.Helper()
	n := &node{s.URL}
	c := browser(n)
	for _, w := range walks {
		path := "/if/flow/" + w.slug + "/?" + w.query
		page := c.follow(t, http.MethodGet, path, nil)
		names := []string{shown(page)}
		for _, a := range w.answers {
			if a["component"] != shown(page) {
				t.Fatalf("%s: %v answers a page of %s:\n%s", w.slug, a, shown(page), page.body)
			}
			form := url.Values{}
			for _, m := range hiddenField.FindAllStringSubmatch(string(page.body), -1) {
				form.Set(m[1], html.UnescapeString(m[2]))
			}
			for name, v := range a {
				if name == "component" {
					continue
				}
				if !strings.Contains(string(page.body), fmt.Sprintf(` name="%s"`, name)) {
					t.Errorf("%s: there is no field %s:\n%s", w.slug, name, page.body)
				}
				form.Set(name, fmt.Sprint(v))
			}
			if m := piece.FindSubmatch(page.body); m != nil {
				form.Set("token", captchatest.Solve(string(m[1])))
			}
			asked := c.next
			page = c.follow(t, http.MethodPost, path, form.Encode())
			name := shown(page)
			if c.next == asked+1 && name == a["component"] {
				name += " refused" // without a redirect
			}
			names = append(names, name)
		}
		seen = append(seen, strings.Join(names, ", "))
	}
	return seen, c.signedInAs(t, n)
}

// follow sends a request and goes wherever it leads within flows.
func (c *caller) follow(t *testing.T, method, to string, body any) *reply {
	t.Helper()
	for range 6 {
		r, err := c.try(t.Context(), method, to, body)
		if err != nil {
			t.Fatal(err)
		}
		if to = r.header.Get("Location"); !strings.HasPrefix(to, "/if/flow/") {
			return r
		}
		method, body = http.MethodGet, nil
	}
	t.Fatalf("it leads on and on, to %s", to)
	return nil
}

// shown is the component that a page shows.
func shown(r *reply) string {
	if r.status == http.StatusSeeOther || r.status == http.StatusFound {
		if to := r.header.Get("Location"); to != "/" {
			return leaving + " to " + to
		}
		return leaving
	}
	return componentOf(string(r.body))
}

// componentOf is the component that a page shows; of an unknown page, the page.
func componentOf(page string) string {
	at := slices.IndexFunc(marks, func(m struct{ component, mark string }) bool { return strings.Contains(page, m.mark) })
	if at < 0 {
		return page
	}
	return marks[at].component
}
