package web

import (
	"net/http"
	"net/url"

	"github.com/weir-id/weir/flow"
	"github.com/weir-id/weir/identity"
)

// The addresses of the default flows.
const (
	signIn  = "/flows/-/default/authentication/"
	signOut = "/flows/-/default/invalidation/"
)

// defaultFlow leads to the flow of a designation. Only two are offered.
func (s *Site) defaultFlow(w http.ResponseWriter, r *http.Request) {
	d := flow.Designation(r.PathValue("designation"))
	if d != flow.Authentication && d != flow.Invalidation {
		s.notFound(w, r)
		return
	}
	f, err := s.Visits.Choose(w, r, d)
	switch {
	case err != nil:
		s.fail(w, r, err)
	case f == nil:
		s.notFound(w, r)
	case r.Method == http.MethodPost:
		redirect(w, http.StatusSeeOther, withQuery("/if/flow/"+url.PathEscape(f.Slug)+"/", r.URL.RawQuery))
	default:
		redirect(w, http.StatusFound, withQuery("/if/flow/"+url.PathEscape(f.Slug)+"/", r.URL.RawQuery))
	}
}

// cancel stops the flow of the form that was sent, or every flow of this
// session when the form names none. A link from another site only gets a page
// with a button (rule 5). `next` is followed on this site only; without it the
// person is signed out.
func (s *Site) cancel(w http.ResponseWriter, r *http.Request) {
	f := &form{}
	switch {
	case r.Method == http.MethodPost:
		var err error
		if f, err = readForm(w, r); err != nil {
			s.refuseForm(w, r, err)
			return
		}
	case r.Method == http.MethodHead || !fromOurPages(r):
		s.show(w, r, http.StatusOK, "cancel", &Page{Action: pageAddress(r)})
		return
	}
	if err := s.Visits.Cancel(w, r, f.execution); err != nil {
		s.fail(w, r, err)
		return
	}
	if next, ok := flow.SafeNext(r.URL.Query().Get("next")); ok {
		redirect(w, http.StatusSeeOther, next)
		return
	}
	redirect(w, http.StatusSeeOther, signOut)
}

// root leads to the home page, outsiders to the default application, and
// strangers to the sign-in flow.
func (s *Site) root(w http.ResponseWriter, r *http.Request) {
	person, err := s.Visits.Person(w, r)
	switch {
	case err != nil:
		s.fail(w, r, err)
	case !person.Saved():
		s.askSignIn(w, "/")
	default:
		if to := s.defaultApplication(r); to != "" && outsider(person) {
			redirect(w, http.StatusFound, to)
			return
		}
		redirect(w, http.StatusFound, withQuery("/if/user/", r.URL.RawQuery))
	}
}

// mustSignIn returns who is signed in. It has answered when it returns nil: a
// stranger signs in first and comes back to this page.
func (s *Site) mustSignIn(w http.ResponseWriter, r *http.Request) *identity.Person {
	person, err := s.Visits.Person(w, r)
	switch {
	case err != nil:
		s.fail(w, r, err)
	case !person.Saved():
		s.askSignIn(w, pageAddress(r))
	default:
		return person
	}
	return nil
}

func (s *Site) askSignIn(w http.ResponseWriter, next string) {
	redirect(w, http.StatusFound, signIn+"?next="+url.QueryEscape(next))
}
