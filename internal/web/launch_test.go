package web_test

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/google/uuid"

	"github.com/weir-id/weir/flow"
	"github.com/weir-id/weir/identity"
	"github.com/weir-id/weir/policy"
)

func app(slug, launch string) *flow.Application {
	a := flow.NewApplication()
	a.ID, a.Name, a.Slug, a.LaunchURL = uuid.New(), strings.ToUpper(slug), slug, launch
	return &a
}

func launchers() *visits {
	v := homeVisits()
	v.person.Email = "max+1@example.com"
	v.flow = &flow.Flow{Slug: "login"}
	v.apps = []*flow.Application{app("wiki", "https://wiki.example.com/%(username)s?mail=%(email)s"), app("nowhere", ""), app("broken", "https://%(name)s/")}
	v.verdict = policy.Result{Verdict: policy.Pass}
	return v
}

func TestLaunchingAnApplication(t *testing.T) {
	typed := func(path string) *http.Request { return httptest.NewRequest("GET", path, nil) }
	cases := map[string]struct {
		change   func(v *visits)
		request  *http.Request
		status   int
		location string
		holds    string
	}{
		"row 60: signed in, straight to the launch URL": {nil, typed("/application/launch/wiki/"), 302, "https://wiki.example.com/max?mail=max%2B1%40example.com", ""},
		"from a page of ours, behind whose form no redirect may leave the site": {nil, get("/application/launch/wiki/"), 200, "",
			`content="0;url=https://wiki.example.com/max?mail=max%2B1%40example.com"`},
		"row 57 and 59: anonymous, to the sign-in flow and back": {func(v *visits) { v.person = nil }, typed("/application/launch/wiki/?a=b"), 302,
			"/if/flow/login/?next=%2Fapplication%2Flaunch%2Fwiki%2F%3Fa%3Db", ""},
		"a stranger does not learn what there is":      {func(v *visits) { v.person = nil }, typed("/application/launch/none/"), 302, "/if/flow/login/?next=%2Fapplication%2Flaunch%2Fnone%2F", ""},
		"row 58: anonymous, and there is no such flow": {func(v *visits) { v.person, v.flow = nil, nil }, typed("/application/launch/wiki/"), 404, "", ""},
		"unknown":                          {nil, typed("/application/launch/none/"), 404, "", ""},
		"no launch URL":                    {nil, typed("/application/launch/nowhere/"), 404, "", ""},
		"a name that makes no host":        {nil, typed("/application/launch/broken/"), 404, "", ""},
		"an address without the last dash": {nil, typed("/application/launch/wiki"), 308, "/application/launch/wiki/", ""},
		"denied, in the words of the policies": {func(v *visits) {
			v.verdict = policy.Result{Verdict: policy.Fail, Messages: []string{"Only for editors."}}
		}, typed("/application/launch/wiki/"), 403, "", "Only for editors."},
		"the store fails": {func(v *visits) { v.err = errors.New("no database") }, typed("/application/launch/wiki/"), 500, "", ""},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			v := launchers()
			if c.change != nil {
				c.change(v)
			}
			w := answer(newSite(t, nil, &engine{}, v), c.request)
			if w.Code != c.status || w.Header().Get("Location") != c.location || !strings.Contains(w.Body.String(), c.holds) {
				t.Errorf("status %d, location %q, body\n%s", w.Code, w.Header().Get("Location"), w.Body)
			}
		})
	}
}

func TestRule08LaunchDeniesWhereThePoliciesReachNoVerdict(t *testing.T) {
	v := launchers()
	v.verdict = policy.Result{Verdict: policy.Error, Err: errors.New("secret cause"), Messages: []string{"half an answer"}}
	w := answer(newSite(t, nil, &engine{}, v), httptest.NewRequest("GET", "/application/launch/wiki/", nil))
	if w.Code != 403 || strings.Contains(w.Body.String(), "secret cause") || strings.Contains(w.Body.String(), "half an answer") || w.Header().Get("Location") != "" {
		t.Errorf("status %d\n%s", w.Code, w.Body)
	}
}

func TestOutsidersGoToTheDefaultApplication(t *testing.T) {
	for kind, outside := range map[identity.UserType]bool{identity.Internal: false, identity.External: true, identity.ServiceAccount: true, identity.InternalServiceAccount: true} {
		v := launchers()
		v.person.Type = kind
		brand := flow.NewBrand()
		brand.DefaultApplication = &v.apps[0].ID
		want := "/if/user/"
		if outside {
			want = "/application/launch/wiki/"
		}
		if w := answer(newSite(t, &brand, &engine{}, v), get("/")); w.Code != 302 || w.Header().Get("Location") != want {
			t.Errorf("%s goes to %d %q, want %q", kind, w.Code, w.Header().Get("Location"), want)
		}
		gone := uuid.New()
		brand.DefaultApplication = &gone
		if w := answer(newSite(t, &brand, &engine{}, v), get("/")); w.Header().Get("Location") != "/if/user/" {
			t.Errorf("%s goes to %q for an application that is gone", kind, w.Header().Get("Location"))
		}
	}
}

func TestHomeListsApplications(t *testing.T) {
	v := launchers()
	v.apps[0].Group, v.apps[0].Description, v.apps[0].OpenInNewTab = "Work", "Ask before you print", true
	v.apps[0].Icon = "https://pictures.example:8443/wiki-%(theme)s.svg"
	v.apps[1].Group, v.apps[1].Icon = "Work", "fa://fa-book"
	w := answer(newSite(t, nil, &engine{}, v), get("/if/user/"))
	page := w.Body.String()
	for _, want := range []string{`<h3><bdi>Work</bdi></h3>`, `href="/application/launch/wiki/" target="_blank" rel="noopener"`, "Ask before you print", "(opens a new tab)",
		`srcset="https://pictures.example:8443/wiki-dark.svg"`, `src="https://pictures.example:8443/wiki-light.svg"`, `src="/avatar/N.svg"`} {
		if !strings.Contains(page, want) {
			t.Errorf("no %s in\n%s", want, page)
		}
	}
	if n := strings.Count(page, "<h3>"); n != 1 {
		t.Errorf("%d headings, want one for the group and none for the rest", n)
	}
	if got := w.Header().Get("Content-Security-Policy"); !strings.Contains(got, "img-src 'self' https://pictures.example:8443;") {
		t.Errorf("policy %s", got)
	}
	v.apps = nil
	if page := answer(newSite(t, nil, &engine{}, v), get("/if/user/")).Body.String(); !strings.Contains(page, "No applications yet.") {
		t.Error("an empty list says nothing")
	}
}

func TestLaunchAsksWithTheRequest(t *testing.T) {
	v := launchers()
	answer(newSite(t, nil, &engine{}, v), httptest.NewRequest("GET", "/application/launch/wiki/?a=b", nil))
	if len(v.asked) != 1 || v.asked[0].Query.Get("a") != "b" || v.asked[0].Path != "/application/launch/wiki/" {
		t.Errorf("the policies saw %+v", v.asked)
	}
	foreign := post("/application/launch/wiki/", url.Values{"a": {"b"}})
	foreign.Header.Set("Sec-Fetch-Site", "cross-site")
	if w := answer(newSite(t, nil, &engine{}, v), foreign); w.Code != 403 || len(v.asked) != 1 {
		t.Errorf("a form of another site: status %d", w.Code)
	}
}
