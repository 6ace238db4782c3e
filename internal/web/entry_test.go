package web_test

import (
	"errors"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/google/uuid"

	"github.com/weir-id/weir/flow"
)

func TestDefaultFlows(t *testing.T) {
	v := &visits{flow: &flow.Flow{Slug: "default-authentication-flow"}}
	cases := map[string]struct {
		path, location string
		status         int
	}{
		"the query goes along":         {"/flows/-/default/authentication/?next=%2Fif%2Fuser%2F", "/if/flow/default-authentication-flow/?next=%2Fif%2Fuser%2F", 302},
		"the other one":                {"/flows/-/default/invalidation/", "/if/flow/default-authentication-flow/", 302},
		"only two are offered":         {"/flows/-/default/recovery/", "", 404},
		"a slug is no path into pages": {"/flows/-/default/authentication/x/", "", 404},
	}
	for name, c := range cases {
		w := answer(newSite(t, nil, &engine{}, v), get(c.path))
		if w.Code != c.status || w.Header().Get("Location") != c.location {
			t.Errorf("%s: status %d, location %q", name, w.Code, w.Header().Get("Location"))
		}
	}
	v.flow = nil
	if w := answer(newSite(t, nil, &engine{}, v), get("/flows/-/default/authentication/")); w.Code != 404 {
		t.Errorf("no flow: status %d", w.Code)
	}
	v.err = errors.New("policy error")
	if w := answer(newSite(t, nil, &engine{}, v), get("/flows/-/default/authentication/")); w.Code != 500 {
		t.Errorf("a policy error: status %d", w.Code)
	}
}

func TestRule05CancelActsForOurPagesOnly(t *testing.T) {
	id := uuid.New()
	v := &visits{}
	s := newSite(t, nil, &engine{}, v)
	for _, site := range []string{"cross-site", "none", "same-site", ""} {
		r := httptest.NewRequest("GET", "/flows/-/cancel/?next=%2Fa", nil)
		r.Header.Set("Sec-Fetch-Site", site)
		w := answer(s, r)
		if w.Code != 200 || !strings.Contains(w.Body.String(), `action="/flows/-/cancel/?next=%2Fa"`) || len(v.cancelled) != 0 {
			t.Errorf("from %q: status %d, cancelled %v", site, w.Code, v.cancelled)
		}
	}
	head := get("/flows/-/cancel/")
	head.Method = "HEAD"
	if answer(s, head); len(v.cancelled) != 0 {
		t.Error("HEAD acted")
	}
	if w := answer(s, get("/flows/-/cancel/?next=%2Fa%3Fb")); w.Code != 303 || w.Header().Get("Location") != "/a?b" || v.cancelled[0] != uuid.Nil {
		t.Errorf("a link of ours: status %d to %q", w.Code, w.Header().Get("Location"))
	}
	if w := answer(s, post("/flows/-/cancel/", url.Values{"weir.execution": {id.String()}})); w.Code != 303 ||
		w.Header().Get("Location") != "/flows/-/default/invalidation/" || v.cancelled[1] != id {
		t.Errorf("a form of ours: status %d to %q, cancelled %v", w.Code, w.Header().Get("Location"), v.cancelled)
	}
}

func TestRule36CancelFollowsNextOnThisSiteOnly(t *testing.T) {
	hostile := []string{"//evil.example", "///evil.example", `/\evil.example`, `\\evil.example`, "https://evil.example", "https:evil.example", "http:///evil.example",
		"javascript:alert(1)", "evil.example", "@evil.example", "/\t/evil.example", "/\n/evil.example", "/%2fevil.example", "/%5cevil.example",
		"/./\\evil.example", " //evil.example", "/\x00", "https://example.com.evil.example/", "/%2F%2Fevil.example", "//example.com@evil.example/", strings.Repeat("/a", 3000)}
	s := newSite(t, nil, &engine{}, nil)
	for _, next := range hostile {
		w := answer(s, post("/flows/-/cancel/?next="+url.QueryEscape(next), url.Values{"a": {"b"}}))
		if got := w.Header().Get("Location"); got != "/flows/-/default/invalidation/" {
			t.Errorf("next %q leads to %q", next, got)
		}
	}
}

func TestRootAndHomeAskWhoIsThere(t *testing.T) {
	s := newSite(t, nil, &engine{}, &visits{})
	for path, want := range map[string]string{
		"/":             "/flows/-/default/authentication/?next=%2F",
		"/if/user/":     "/flows/-/default/authentication/?next=%2Fif%2Fuser%2F",
		"/if/user/?a=b": "/flows/-/default/authentication/?next=%2Fif%2Fuser%2F%3Fa%3Db",
		"/if/user":      "/if/user/",
		"/if/flow/a?b":  "/if/flow/a/?b",
	} {
		if w := answer(s, get(path)); w.Header().Get("Location") != want {
			t.Errorf("%s leads to %q, want %q", path, w.Header().Get("Location"), want)
		}
	}
	if w := answer(newSite(t, nil, &engine{}, homeVisits()), get("/?a=b")); w.Header().Get("Location") != "/if/user/?a=b" {
		t.Errorf("somebody signed in goes to %q", w.Header().Get("Location"))
	}
}

func TestHome(t *testing.T) {
	v := homeVisits()
	s := newSite(t, nil, &engine{}, v)
	page := answer(s, get("/if/user/")).Body.String()
	this, other := strings.Index(page, "Firefox on Linux"), strings.Index(page, "Safari on iPhone")
	if this < 0 || other < this {
		t.Errorf("this device does not come first:\n%s", page)
	}
	for _, want := range []string{"Hello, Max Mustermann", "This device", `action="/flows/-/default/invalidation/"`, "2026-11-24 14:35 UTC", "192.0.2.10",
		`href="/if/flow/default-user-settings-flow/"><bdi>Your details</bdi>`, "<bdi>Change password</bdi>"} {
		if !strings.Contains(page, want) {
			t.Errorf("no %s in\n%s", want, page)
		}
	}
	id := v.sessions[1].ID
	w := answer(s, post("/if/user/", url.Values{"session": {id.String()}}))
	if w.Code != 200 || len(v.ended) != 1 || v.ended[0] != id || !strings.Contains(w.Body.String(), "That device is signed out.") {
		t.Errorf("status %d, ended %v", w.Code, v.ended)
	}
	if w := answer(s, post("/if/user/", url.Values{"session": {"all"}})); w.Code != 400 || len(v.ended) != 1 {
		t.Errorf("a session without id: status %d, ended %v", w.Code, v.ended)
	}
	foreign := post("/if/user/", url.Values{"session": {id.String()}})
	foreign.Header.Set("Sec-Fetch-Site", "cross-site")
	if w := answer(s, foreign); w.Code != 403 || len(v.ended) != 1 {
		t.Errorf("a form of another site: status %d, ended %v", w.Code, v.ended)
	}
	v.person, v.ended = nil, nil
	if answer(s, post("/if/user/", url.Values{"session": {id.String()}})); len(v.ended) != 0 {
		t.Error("nobody signed in ended a session")
	}
}
