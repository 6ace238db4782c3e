package web

import (
	"context"
	"errors"
	"net/http"
	"strconv"
	"time"

	"github.com/google/uuid"

	"github.com/weir-id/weir/identity"
)

// Invitations are links into a flow that people make and send to others. Its
// methods decide for the person of the request; those that are about one
// invitation return ErrNoInvitation where there is none that the person may see,
// ErrForbidden where they may not do it, and field.Errors for what is wrong with
// what was typed.
type Invitations interface {
	// May tells whether a person may see some invitation, and make one. Nobody
	// makes what they could not see afterwards.
	May(ctx context.Context, p *identity.Person) (see, add bool, err error)
	// List returns a page, which counts from 1, of those that the person may see,
	// and tells whether there are more.
	List(w http.ResponseWriter, r *http.Request, page int) (list []Invitation, more bool, err error)
	// Flows are those that an invitation of the person can lead into.
	Flows(w http.ResponseWriter, r *http.Request) ([]Option, error)
	// Create makes an invitation and returns its id.
	Create(w http.ResponseWriter, r *http.Request, n NewInvitation) (uuid.UUID, error)
	// Find returns one invitation.
	Find(w http.ResponseWriter, r *http.Request, id uuid.UUID) (*Invitation, error)
	// Send mails the link to some addresses.
	Send(w http.ResponseWriter, r *http.Request, id uuid.UUID, to []string) error
	// Delete ends an invitation.
	Delete(w http.ResponseWriter, r *http.Request, id uuid.UUID) error
}

var (
	// ErrNoInvitation says that there is no such invitation, or none that the
	// person may see.
	ErrNoInvitation = errors.New("no such invitation")
	// ErrForbidden says that somebody may not see a page or do what it asks for.
	ErrForbidden = errors.New("not permitted")
)

// Invitation is an invitation as pages show it.
type Invitation struct {
	ID   uuid.UUID
	Name string
	// Flow is the name of the flow; empty for any.
	Flow string
	// Expires is the zero time for never.
	Expires            time.Time
	Expired, SingleUse bool
	// Data is what it fills in, as YAML.
	Data string
	// Link is what the guest opens; empty without a flow.
	Link string
	// Local says that no address of the site is configured, so that the link may
	// lead nowhere from elsewhere.
	Local bool
	// MaySend and MayDelete tell what the person may do with it now; NoMail that
	// nobody can send it by mail.
	MaySend, MayDelete, NoMail bool
}

// Until is when it ends, as all pages show it.
func (i *Invitation) Until() string {
	if i.Expires.IsZero() {
		return ""
	}
	return i.Expires.UTC().Format("2006-01-02 15:04 UTC")
}

// NewInvitation is an invitation that somebody wants to make.
type NewInvitation struct {
	Name string
	// Flow is one of the values of Invitations.Flows.
	Flow string
	// Expires is nil for never.
	Expires   *time.Time
	SingleUse bool
	// Data is filled in for whoever comes: an object in YAML or JSON.
	Data string
}

// InvitationsPage is what the pages of invitations show.
type InvitationsPage struct {
	// List is one page of all of them; Previous and Next are the numbers of its
	// neighbours, 0 for none.
	List           []Invitation
	Previous, Next int
	MayAdd         bool
	// Flows and Until are what the form for a new one begins with.
	Flows []Option
	Until string
	// One is the invitation that a page is about.
	One           *Invitation
	Sent, Deleted bool
}

// invitationsPath is where the pages of invitations are.
const invitationsPath = "/if/user/invitations/"

// showInvitations shows one of the pages.
func (s *Site) showInvitations(w http.ResponseWriter, r *http.Request, person *identity.Person, name string, p *Page) {
	p.Wide, p.Impersonated, p.Action = true, impersonated(person), r.URL.EscapedPath()
	status := http.StatusOK
	if p.Errors != nil {
		status = http.StatusUnprocessableEntity
	}
	s.show(w, r, status, name, p)
}

// listInvitations shows those that the person may see.
func (s *Site) listInvitations(w http.ResponseWriter, r *http.Request) {
	person := s.mustSignIn(w, r)
	if person == nil {
		return
	}
	see, add, err := s.Invitations.May(r.Context(), person)
	if err == nil && !see {
		err = ErrForbidden
	}
	page, number := &InvitationsPage{MayAdd: add, Deleted: r.URL.Query().Has("deleted")}, 1
	if n, bad := strconv.Atoi(r.URL.Query().Get("page")); bad == nil && n > 1 && n < 1_000_000 {
		number = n
	}
	more := false
	if err == nil {
		page.List, more, err = s.Invitations.List(w, r, number)
	}
	if err != nil {
		s.fail(w, r, err)
		return
	}
	page.Previous = number - 1
	if more {
		page.Next = number + 1
	}
	s.showInvitations(w, r, person, "invitations", &Page{Invitations: page})
}

// usualStay is how long an invitation holds unless somebody says otherwise.
const usualStay = 7 * 24 * time.Hour

// newInvitation shows the form for a new invitation and makes it.
func (s *Site) newInvitation(w http.ResponseWriter, r *http.Request) {
	person := s.mustSignIn(w, r)
	if person == nil {
		return
	}
	_, add, err := s.Invitations.May(r.Context(), person)
	if err == nil && !add {
		err = ErrForbidden
	}
	if err != nil {
		s.fail(w, r, err)
		return
	}
	page := &Page{Invitations: &InvitationsPage{MayAdd: true, Until: time.Now().UTC().Add(usualStay).Format(localTime)}}
	if r.Method == http.MethodPost {
		f, err := readForm(w, r)
		if err != nil {
			s.refuseForm(w, r, err)
			return
		}
		id, err := s.createInvitation(w, r, f)
		if err == nil {
			redirect(w, http.StatusSeeOther, invitationsPath+id.String()+"/")
			return
		}
		page.Values = f.values
		if !s.refuseInvitation(r, page, err) {
			s.fail(w, r, err)
			return
		}
	}
	if page.Invitations.Flows, err = s.Invitations.Flows(w, r); err != nil {
		s.fail(w, r, err)
		return
	}
	s.showInvitations(w, r, person, "invitation-new", page)
}

// invitation shows one invitation. A POST with the field action sends or deletes
// it.
func (s *Site) invitation(w http.ResponseWriter, r *http.Request) {
	person := s.mustSignIn(w, r)
	if person == nil {
		return
	}
	id, err := uuid.Parse(r.PathValue("id"))
	if err != nil {
		s.notFound(w, r)
		return
	}
	page := &Page{Invitations: &InvitationsPage{Sent: r.URL.Query().Has("sent")}}
	if r.Method == http.MethodPost {
		f, err := readForm(w, r)
		if err != nil {
			s.refuseForm(w, r, err)
			return
		}
		to := invitationsPath + "?deleted"
		switch f.text("action") {
		case "delete":
			err = s.Invitations.Delete(w, r, id)
		case "send":
			to = invitationsPath + id.String() + "/?sent"
			err = s.Invitations.Send(w, r, id, addressList(f.text("email_addresses")))
		default:
			s.Problem(w, r, http.StatusBadRequest, "")
			return
		}
		if err == nil {
			redirect(w, http.StatusSeeOther, to)
			return
		}
		page.Values, page.Invitations.Sent = f.values, false
		if !s.refuseInvitation(r, page, err) {
			s.fail(w, r, err)
			return
		}
	}
	if page.Invitations.One, err = s.Invitations.Find(w, r, id); err != nil {
		s.fail(w, r, err)
		return
	}
	s.showInvitations(w, r, person, "invitation", page)
}
