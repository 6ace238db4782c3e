package e2e

import (
	"cmp"
	"fmt"
	"html"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
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
	var calls []apiCall
	for _, w := range walks {
		calls = append(calls, get(w.slug, w.query))
		for _, a := range w.answers {
			answer := map[string]any{}
			for name, v := range a {
				if name == "uid_field" {
					name = "uidField" // the client has its own name for it
				}
				answer[name] = v
			}
			if a["component"] == "ak-stage-consent" {
				answer["token"] = fmt.Sprintf("$%d.token", len(calls)-1)
			}
			calls = append(calls, solve(w.slug, w.query, answer))
		}
	}
	answers := official(t, s, append(calls, me())...)
	at := 0
	for _, w := range walks {
		var names []string
		for i, a := range answers[at : at+1+len(w.answers)] {
			if i > 0 && w.answers[i-1]["component"] != answers[at+i-1].component() {
				t.Errorf("%s: %v answers %v", w.slug, w.answers[i-1], answers[at+i-1].Raw)
			}
			name := cmp.Or(a.component(), a.Failure)
			if to, _ := a.Data["to"].(string); name == leaving && to != "/" {
				name += " to " + to
			}
			if a.Data["response_errors"] != nil {
				name += " refused"
			}
			names = append(names, name)
		}
		seen, at = append(seen, strings.Join(names, ", ")), at+1+len(w.answers)
	}
	if last := answers[at]; last.Status != http.StatusForbidden {
		person, _ := last.Data["user"].(map[string]any)
		who, _ = person["username"].(string)
	}
	return seen, who
}

// marks tell pages apart, by what only they have.
var marks = []struct{ component, mark string }{
	{"ak-stage-identification", ` name="uid_field"`},
	{"ak-stage-password", ` autocomplete="current-password"`},
	{"ak-stage-consent", ` name="token"`},
	{"ak-stage-email", "<h1>Check your mail</h1>"},
	{"ak-stage-access-denied", "<h1>You can’t continue</h1>"},
	{"ak-stage-prompt", ` for="`},
}

var hiddenField = regexp.MustCompile(`<input type="hidden" name="([^"]+)" value="([^"]*)">`)

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
