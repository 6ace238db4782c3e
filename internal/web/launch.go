package web

import (
	"html/template"
	"net/http"
	"net/url"
	"strings"

	"github.com/weir-id/weir/flow"
	"github.com/weir-id/weir/identity"
	"github.com/weir-id/weir/internal/request"
	"github.com/weir-id/weir/policy"
)

// launchPath is the address that opens an application.
func launchPath(app *flow.Application) string {
	return "/application/launch/" + url.PathEscape(app.Slug) + "/"
}

// launch opens an application for whoever may. A stranger signs in first, also
// where there is no such application, so that only people learn which there are.
func (s *Site) launch(w http.ResponseWriter, r *http.Request) {
	person, err := s.Visits.Person(w, r)
	if err != nil {
		s.fail(w, r, err)
		return
	}
	if !person.Saved() {
		s.signInFirst(w, r)
		return
	}
	app := s.Applications.BySlug(r.PathValue("slug"))
	if app == nil || app.LaunchURL == "" {
		s.notFound(w, r)
		return
	}
	result := s.Applications.Check(r.Context(), app, person, request.Policy(r, r.URL.Query()))
	if !result.Passing() {
		s.deny(w, r, person, result)
		return
	}
	to, ok := flow.SafeTarget(app.Launch(person.Username, person.Name, person.Email))
	host := origin(to)
	if !ok || host == "" {
		// What was filled in for this person makes no address.
		s.notFound(w, r)
		return
	}
	if r.Method != http.MethodPost && !fromOurPages(r) {
		redirect(w, http.StatusFound, to)
		return
	}
	// The form that signed the person in may have led here, and Chromium
	// applies form-action to the redirects behind it; see leave.
	s.show(w, r, http.StatusOK, "xak-flow-redirect", &Page{Redirect: &Redirect{To: template.URL(to), Host: host[strings.Index(host, "//")+2:]}})
}

// signInFirst leads to the sign-in flow and from there back here.
func (s *Site) signInFirst(w http.ResponseWriter, r *http.Request) {
	f, err := s.Visits.Choose(w, r, flow.Authentication)
	switch {
	case err != nil:
		s.fail(w, r, err)
	case f == nil:
		s.notFound(w, r)
	default:
		redirect(w, http.StatusFound, "/if/flow/"+url.PathEscape(f.Slug)+"/?next="+url.QueryEscape(pageAddress(r)))
	}
}

// deny says that somebody may not open an application, in the words of the
// policies. When they reached no verdict the page shows an id for the log
// instead.
func (s *Site) deny(w http.ResponseWriter, r *http.Request, person *identity.Person, result policy.Result) {
	denied := &flow.AccessDenied{Message: strings.Join(result.Messages, "\n"),
		UserInfo: flow.UserInfo{PendingUser: person.Username, PendingUserAvatar: AvatarPath(person.Username)}}
	if result.Verdict == policy.Error {
		denied.Message, denied.ID = "", request.From(r.Context()).ID
	}
	s.show(w, r, http.StatusForbidden, denied.Component(), &Page{Challenge: denied, User: denied.UserInfo, StartURL: "/if/user/"})
}

// outsider tells whether a person has no business on the pages of the site
// itself and is led to the brand's default application instead.
func outsider(p *identity.Person) bool {
	switch p.Type {
	case identity.External, identity.ServiceAccount, identity.InternalServiceAccount:
		return true
	}
	return false
}

// defaultApplication is where the brand sends outsiders, "" for nowhere.
func (s *Site) defaultApplication(r *http.Request) string {
	id := s.brand(r).DefaultApplication
	if id == nil {
		return ""
	}
	app := s.Applications.ByID(*id)
	if app == nil {
		return ""
	}
	return launchPath(app)
}
