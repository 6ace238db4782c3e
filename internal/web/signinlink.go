package web

import (
	"errors"
	"net/http"

	"github.com/google/uuid"

	"github.com/weir-id/weir/flow"
)

// SignInLinkPath is the page of links that sign somebody in without a flow, and
// SignInLinkKey the parameter and the field that hold the key of one.
const (
	SignInLinkPath = "/if/sign-in/"
	SignInLinkKey  = "key"
)

// ErrNoLink says that a link does not sign anybody in, or no longer.
var ErrNoLink = errors.New("no such link")

// SignInLink is what the page of such a link shows.
type SignInLink struct{ Name, Key string }

// unbranded is how the page looks: whatever a brand does to pages, with its rules of
// style too, this one is the way to mend it. No stored brand has this id.
var unbranded = func() *flow.Brand {
	b := flow.NewBrand()
	b.ID = uuid.Max
	return &b
}()

// signInLink says whom a link signs in, with a button; a POST presses it. Nothing else
// uses the link up, so that a scanner of mails may look at it (rule 5).
func (s *Site) signInLink(w http.ResponseWriter, r *http.Request) {
	if r.Method == http.MethodPost {
		f, err := readForm(w, r)
		if err != nil {
			s.refuseForm(w, r, err)
			return
		}
		if err := s.Visits.SignIn(w, r, f.text(SignInLinkKey)); err != nil {
			s.fail(w, r, err)
			return
		}
		redirect(w, http.StatusSeeOther, "/if/user/")
		return
	}
	key := r.URL.Query().Get(SignInLinkKey)
	person, err := s.Visits.Whom(r, key)
	if err != nil {
		s.fail(w, r, err)
		return
	}
	s.show(w, r, http.StatusOK, "sign-in-link", &Page{Action: SignInLinkPath, SignInLink: &SignInLink{person.Username, key}})
}
