package web_test

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/google/uuid"

	"github.com/weir-id/weir/flow"
	"github.com/weir-id/weir/internal/stages/dummy"
)

func TestPageHeaders(t *testing.T) {
	s := newSite(t, nil, &engine{results: []*flow.Result{show(askWho())}}, nil)
	for _, path := range []string{"/if/flow/x/", "/nothing/here"} {
		h := answer(s, get(path)).Header()
		for name, want := range map[string]string{
			"Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'; require-trusted-types-for 'script'",
			"Referrer-Policy":         "same-origin", "X-Content-Type-Options": "nosniff", "X-Frame-Options": "DENY",
			"Cache-Control": "no-store", "Content-Type": "text/html; charset=utf-8", "Content-Language": "en",
		} {
			if got := h.Get(name); got != want {
				t.Errorf("%s: %s is %q, want %q", path, name, got, want)
			}
		}
	}
}

func TestRule05OnlyOurOwnPagesMakeAStepAct(t *testing.T) {
	cases := map[string]struct {
		method, site, referer string
		passive               bool
	}{
		"a link on our own page acts":                         {"GET", "same-origin", "", false},
		"a link of another site is passive":                   {"GET", "cross-site", "http://example.com/", true},
		"a subdomain is another site":                         {"GET", "same-site", "", true},
		"a typed address is passive":                          {"GET", "none", "", true},
		"HEAD is always passive":                              {"HEAD", "same-origin", "http://example.com/", true},
		"a client that says nothing is passive":               {"GET", "", "", true},
		"on plain http our own referrer speaks":               {"GET", "", "http://example.com/if/flow/x/", false},
		"a referrer of another site is passive":               {"GET", "", "http://example.com.evil.test/", true},
		"a referrer with our host as user name is passive":    {"GET", "", "http://example.com@evil.test/", true},
		"the browser's own word beats the referrer":           {"GET", "cross-site", "http://example.com/if/flow/x/", true},
		"a referrer that is no web address does not speak":    {"GET", "", "android-app://example.com/", true},
		"a referrer that cannot be parsed does not speak":     {"GET", "", "http://[::1", true},
		"a referrer of our host on another port is elsewhere": {"GET", "", "http://example.com:8080/", true},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			e := &engine{results: []*flow.Result{{Confirm: true}}}
			r := httptest.NewRequest(c.method, "/if/flow/x/?next=%2F", nil)
			r.Header.Set("Sec-Fetch-Site", c.site)
			r.Header.Set("Referer", c.referer)
			answer(newSite(t, nil, e, nil), r)
			if len(e.calls) != 1 || e.calls[0].Passive != c.passive || e.calls[0].Answer {
				t.Errorf("calls %+v", e.calls)
			}
		})
	}
}

func TestConfirmPageIsOneFormWithTheHandle(t *testing.T) {
	id := uuid.New()
	e := &engine{results: []*flow.Result{{Confirm: true, Execution: &flow.Execution{ID: id, Version: 3}}}}
	w := answer(newSite(t, nil, e, nil), httptest.NewRequest("GET", "/if/flow/out/?next=%2Fa%3Fb", nil))
	page := w.Body.String()
	for _, want := range []string{`method="post" action="/if/flow/out/?next=%2Fa%3Fb"`, `name="weir.execution" value="` + id.String() + `"`, `name="weir.step" value="3"`} {
		if !strings.Contains(page, want) {
			t.Errorf("no %s in\n%s", want, page)
		}
	}
	if strings.Count(page, "<button") != 1 {
		t.Errorf("not one button:\n%s", page)
	}
}

func TestGetTakesStepsByItselfWithTheNewCookies(t *testing.T) {
	e := &engine{results: []*flow.Result{{Next: true}, {Next: true}, show(&dummy.Challenge{Name: "Here"})}}
	var seen []string
	e.before = func(w http.ResponseWriter, r *http.Request) {
		c, _ := r.Cookie("authentik_session")
		seen = append(seen, c.Value)
		http.SetCookie(w, &http.Cookie{Name: "authentik_session", Value: fmt.Sprint("s", len(seen)), Path: "/"})
	}
	r := get("/if/flow/x/?next=%2F")
	r.AddCookie(&http.Cookie{Name: "authentik_session", Value: "s0"})
	r.AddCookie(&http.Cookie{Name: "other", Value: "kept"})
	w := answer(newSite(t, nil, e, nil), r)
	if got := strings.Join(seen, " "); w.Code != 200 || got != "s0 s1 s2" {
		t.Errorf("status %d, cookies %s", w.Code, got)
	}
	if c, err := r.Cookie("other"); err != nil || c.Value != "kept" {
		t.Error("another cookie was lost")
	}
	if e.calls[2].RawQuery != "next=%2F" {
		t.Errorf("query %q", e.calls[2].RawQuery)
	}
}

func TestAFlowThatNeverAsksEndsWithAnError(t *testing.T) {
	e := &engine{results: []*flow.Result{{Next: true}}}
	if w := answer(newSite(t, nil, e, nil), get("/if/flow/x/")); w.Code != 500 || len(e.calls) != 16 {
		t.Errorf("status %d after %d steps", w.Code, len(e.calls))
	}
}

func TestAnswers(t *testing.T) {
	id := uuid.New()
	form := url.Values{"weir.execution": {id.String()}, "weir.step": {"4"}, "weir.username": {"max"}, "uid_field": {" max "}, "password": {"s3cret-pass"},
		"code": {"123456"}, "remember_me": {"true"}, "selected_challenge": {"totp:7:8"}, "webauthn": {`{"id":"x"}`}, "passkey": {""}}
	e := &engine{results: []*flow.Result{refused(askWho(), nil)}}
	w := answer(newSite(t, nil, e, nil), post("/if/flow/x/?next=%2F&a=(b)", form))
	if w.Code != http.StatusUnprocessableEntity {
		t.Errorf("status %d", w.Code)
	}
	page := w.Body.String()
	if !strings.Contains(page, `value=" max "`) || strings.Contains(page, "s3cret-pass") || strings.Contains(page, "123456") {
		t.Errorf("values not kept, or secrets kept:\n%s", page)
	}
	c := e.calls[0]
	if !c.Answer || c.Passive || *c.Handle != id || c.Step != 4 || c.RawQuery != "next=%2F&a=(b)" {
		t.Errorf("call %+v", c)
	}
	want := map[string]string{"uid_field": " max ", "password": "s3cret-pass", "code": "123456", "remember_me": "true",
		"selected_challenge": "map[device_class:totp device_uid:7:8]", "webauthn": "map[id:x]"}
	if len(c.Body) != len(want) {
		t.Errorf("body %v", c.Body)
	}
	for name, value := range want {
		if fmt.Sprint(c.Body[name]) != value {
			t.Errorf("%s is %v, want %s", name, c.Body[name], value)
		}
	}
	if c.Body["remember_me"] != true {
		t.Error("remember_me is no boolean")
	}
}

func TestWhatHappensAfterAStep(t *testing.T) {
	cases := map[string]struct {
		result   *flow.Result
		err      error
		status   int
		location string
		text     string
	}{
		"the next step waits":           {result: &flow.Result{Next: true}, status: 303, location: "/if/flow/x/?next=%2F"},
		"it ends on this site":          {result: show(&flow.RedirectTo{To: "/if/user/?a=b", Final: true}), status: 303, location: "/if/user/?a=b"},
		"it ends elsewhere":             {result: samples()["redirect"], status: 200, text: `content="0;url=https://wiki.example.com/callback?code=1"`},
		"it ends in an app":             {result: samples()["redirect-app"], status: 200, text: `content="0;url=acme-app://done?code=1"`},
		"it is denied":                  {result: samples()["denied"], status: 200, text: "Only people of the sales team"},
		"denied without a reason":       {result: samples()["denied-unexpected"], status: 200, text: "<code>17ab</code>"},
		"the form was out of date":      {result: samples()["stale"], status: 200, text: "This page was out of date"},
		"the flow does not exist":       {err: fmt.Errorf("step: %w", flow.ErrNoFlow), status: 404, text: "There is nothing here"},
		"the machine is busy":           {err: fmt.Errorf("hash: %w", flow.ErrOverloaded), status: 503, text: "Try again in 5 seconds."},
		"the store does not answer":     {err: errors.New("dial 10.0.0.7: refused"), status: 500, text: "Tell your administrator this id"},
		"there is nothing to show":      {result: &flow.Result{}, status: 500},
		"nobody drew the component yet": {result: show(unknown{}), status: 500},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			e := &engine{results: []*flow.Result{c.result}, err: c.err}
			w := answer(newSite(t, nil, e, nil), post("/if/flow/x/?next=%2F", nil))
			if w.Code != c.status || w.Header().Get("Location") != c.location || !strings.Contains(w.Body.String(), c.text) {
				t.Errorf("status %d, location %q:\n%s", w.Code, w.Header().Get("Location"), w.Body)
			}
			if (w.Header().Get("Retry-After") != "") != (c.status == 503) {
				t.Errorf("Retry-After %q", w.Header().Get("Retry-After"))
			}
			if strings.Contains(w.Body.String(), "10.0.0.7") {
				t.Error("the page shows the inner error")
			}
		})
	}
}

type unknown struct{}

func (unknown) Component() string { return "ak-stage-unknown" }

func TestRequestsThatAreRefused(t *testing.T) {
	foreign := post("/if/flow/x/", url.Values{"a": {"b"}})
	foreign.Header.Set("Sec-Fetch-Site", "cross-site")
	json := httptest.NewRequest("POST", "/if/flow/x/", strings.NewReader("{}"))
	json.Header.Set("Content-Type", "application/json")
	broken := httptest.NewRequest("POST", "/if/flow/x/", strings.NewReader("a=%zz"))
	broken.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	many := url.Values{}
	for i := range 300 {
		many.Set(fmt.Sprint("f", i), "x")
	}
	cases := map[string]struct {
		r      *http.Request
		status int
	}{
		"a form of another site":         {foreign, 403},
		"a body that is no form":         {json, 415},
		"a form that cannot be read":     {broken, 400},
		"a form that is too large":       {post("/if/flow/x/", url.Values{"a": {strings.Repeat("x", 300<<10)}}), 413},
		"a form with too many fields":    {post("/if/flow/x/", many), 413},
		"a method that pages do not use": {httptest.NewRequest("PUT", "/if/flow/x/", nil), 405},
		"an address without a page":      {get("/if/flow/x/y/"), 404},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			e := &engine{results: []*flow.Result{show(askWho())}}
			w := answer(newSite(t, nil, e, nil), c.r)
			if w.Code != c.status || len(e.calls) != 0 || !strings.Contains(w.Body.String(), "<h1>") {
				t.Errorf("status %d, %d calls", w.Code, len(e.calls))
			}
			if c.status == 405 && w.Header().Get("Allow") != "GET, POST, HEAD" {
				t.Errorf("Allow %q", w.Header().Get("Allow"))
			}
		})
	}
}

func TestARefusedCodeIsNotShownAgain(t *testing.T) {
	s := newSite(t, nil, &engine{results: []*flow.Result{samples()["validate-refused"]}}, nil)
	page := answer(s, post("/if/flow/x/", url.Values{"code": {"123456"}})).Body.String()
	if strings.Contains(page, "123456") || !strings.Contains(page, "That code did not work.") {
		t.Errorf("the code, or no error:\n%s", page)
	}
}
