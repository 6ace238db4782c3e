package web_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/weir-id/weir/internal/web"
)

// Inspect implements web.Inspector for the tests.
func (v *visits) Inspect(_ http.ResponseWriter, _ *http.Request, slug, _ string) (*web.Inspection, error) {
	if v.inspection == nil {
		return nil, web.ErrForbidden
	}
	i := *v.inspection
	i.Flow = slug
	return &i, v.err
}

// inspection is a run with all that a page can show.
func inspection() *web.Inspection {
	at := time.Date(2026, 3, 1, 12, 0, 0, 123_000_000, time.UTC)
	return &web.Inspection{Title: "Sign in", Ahead: []string{"default-authentication-login"}, Download: "/api/v3/weir/executions/x/", Steps: []web.InspectedStep{
		{N: 1, At: at, Outcome: "planned"},
		{N: 2, At: at.Add(time.Second), Stage: "default-authentication-identification", Type: "identification", Answer: true, Outcome: "done",
			Context: "{\n  \"pending_user\": {\n    \"username\": \"max\"\n  }\n}"},
		{N: 3, At: at.Add(2 * time.Second), Stage: "default-authentication-password", Type: "password", Outcome: "denied", Message: "<b>no</b>",
			Policies: []web.InspectedPolicy{{Target: "default-authentication-password", Name: "only-from-the-office", Verdict: "error", Took: "120µs",
				Messages: []string{"You are not in the office."}, Error: `key "geoip" not in dict`}}}}}
}

func inspectorStates(t *testing.T) map[string]http.HandlerFunc {
	of := func(i *web.Inspection) http.HandlerFunc {
		v := homeVisits()
		v.inspection = i
		return at("/if/inspector/sign-in/", newSite(t, footerBrand(), &engine{}, v))
	}
	over := inspection()
	over.Over, over.Ahead = true, nil
	return map[string]http.HandlerFunc{"inspector": of(inspection()), "inspector-over": of(over), "inspector-none": of(&web.Inspection{Title: "Sign in", Over: true})}
}

func TestTheInspectorPage(t *testing.T) {
	v := homeVisits()
	s := newSite(t, nil, &engine{}, v)
	if w := answer(s, get("/if/inspector/x/")); w.Code != http.StatusNotFound {
		t.Errorf("without the permission: %d", w.Code)
	}
	v.inspection = inspection()
	w := answer(s, get("/if/inspector/x/"))
	for _, want := range []string{"12:00:00.123 UTC", "&lt;b&gt;no&lt;/b&gt;", "only-from-the-office", "You are not in the office.", "/if/flow/x/", "default-authentication-login"} {
		if w.Code != http.StatusOK || !strings.Contains(w.Body.String(), want) {
			t.Errorf("%d, no %q", w.Code, want)
		}
	}
	v.person = nil
	if w := answer(s, get("/if/inspector/x/")); w.Code != http.StatusFound || !strings.Contains(w.Header().Get("Location"), "next=") {
		t.Errorf("signed out: %d %s", w.Code, w.Header().Get("Location"))
	}
}
