package web

import (
	"net/http"
	"slices"

	"github.com/google/uuid"
)

// Home is the page of a signed-in person.
type Home struct {
	Name     string
	Sessions []Device
	// Ended tells that a session was just ended.
	Ended bool
	// SignOut and EndSession are where the forms post to.
	SignOut, EndSession string
}

// Device is one session in words.
type Device struct {
	ID, Device, LastUsed, IP string
	Current                  bool
}

// home greets the person and lists where they are signed in. A POST with the
// field session ends that one; this browser's own is left through the sign-out
// flow.
func (s *Site) home(w http.ResponseWriter, r *http.Request) {
	person := s.mustSignIn(w, r)
	if person == nil {
		return
	}
	h := &Home{Name: person.Name, SignOut: signOut, EndSession: "/if/user/"}
	if h.Name == "" {
		h.Name = person.Username
	}
	if r.Method == http.MethodPost {
		id, err := sessionToEnd(w, r)
		if err != nil {
			s.refuseForm(w, r, err)
			return
		}
		if err := s.Visits.EndSession(w, r, id); err != nil {
			s.fail(w, r, err)
			return
		}
		h.Ended = true
	}
	sessions, err := s.Visits.Sessions(w, r)
	if err != nil {
		s.fail(w, r, err)
		return
	}
	texts := s.catalog.texts[s.catalog.pick(r)]
	slices.SortStableFunc(sessions, func(a, b Session) int {
		if a.Current != b.Current {
			if a.Current {
				return -1
			}
			return 1
		}
		return b.LastUsed.Compare(a.LastUsed)
	})
	for _, session := range sessions {
		d := Device{ID: session.ID.String(), Current: session.Current, Device: texts.deviceName(session.UserAgent),
			LastUsed: session.LastUsed.UTC().Format("2006-01-02 15:04 UTC")}
		if session.IP.IsValid() {
			d.IP = session.IP.String()
		}
		h.Sessions = append(h.Sessions, d)
	}
	s.show(w, r, http.StatusOK, "home", &Page{Home: h, Wide: true})
}

// sessionToEnd is the session that the form names.
func sessionToEnd(w http.ResponseWriter, r *http.Request) (uuid.UUID, error) {
	f, err := readForm(w, r)
	if err != nil {
		return uuid.Nil, err
	}
	sent, _ := f.body["session"].(string)
	return uuid.Parse(sent)
}
