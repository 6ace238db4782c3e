package web

import (
	"net/http"
	"slices"

	"github.com/google/uuid"

	"github.com/weir-id/weir/flow"
	"github.com/weir-id/weir/internal/request"
)

// Home is the page of a signed-in person.
type Home struct {
	Name string
	// Groups are the applications under their headings; the first one may have
	// none.
	Groups []AppGroup
	// Settings are what the person can change about themselves.
	Settings []Setting
	Sessions []Device
	// Passkey is where the person creates their first passkey; empty to offer none.
	Passkey string
	// Invites tells that the person may see invitations.
	Invites bool
	// Ended tells that a session was just ended.
	Ended bool
	// SignOut and EndSession are where the forms post to.
	SignOut, EndSession string
}

// AppGroup is a heading with its applications.
type AppGroup struct {
	Name string
	Apps []App
}

// App is one application.
type App struct {
	Name, Description, Publisher string
	// Icon is an address; IconDark is empty when one serves both themes.
	Icon, IconDark string
	// URL opens the application, in a tab of its own where NewTab says so.
	URL    string
	NewTab bool
}

// Device is one session in words.
type Device struct {
	ID, Device, LastUsed, IP string
	Current                  bool
}

// home greets the person and lists where they are signed in. A POST with the
// field session ends that one; this browser's own is left through the sign-out
// flow. Who acts as the person neither sees nor ends their sessions; a POST with
// the field impersonation ends that, one with the field passkey the offer of one.
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
		f, err := readForm(w, r)
		if err != nil {
			s.refuseForm(w, r, err)
			return
		}
		if f.body["impersonation"] == "end" {
			s.endImpersonation(w, r)
			return
		}
		if f.body["passkey"] == "later" {
			s.later(w, r)
			return
		}
		sent, _ := f.body["session"].(string)
		id, err := uuid.Parse(sent)
		if err != nil {
			s.refuseForm(w, r, err)
			return
		}
		if person.Impersonator != nil {
			s.Problem(w, r, http.StatusForbidden, "")
			return
		}
		if err := s.Visits.EndSession(w, r, id); err != nil {
			s.fail(w, r, err)
			return
		}
		h.Ended = true
	}
	var sessions []Session
	if person.Impersonator == nil {
		var err error
		if sessions, err = s.Visits.Sessions(w, r); err != nil {
			s.fail(w, r, err)
			return
		}
	}
	apps, err := s.Applications.Listed(r.Context(), person, request.Policy(r, r.URL.Query()))
	if err != nil {
		s.fail(w, r, err)
		return
	}
	h.Groups = appGroups(apps)
	if h.Settings, err = s.Visits.Settings(w, r); err != nil {
		s.fail(w, r, err)
		return
	}
	if h.Invites, _, err = s.Invitations.May(r.Context(), person); err != nil {
		s.fail(w, r, err)
		return
	}
	texts := s.catalog.texts[s.catalog.pick(r)]
	if person.Impersonator == nil {
		own, err := ownSettings(texts)
		if err != nil {
			s.fail(w, r, err)
			return
		}
		h.Settings = append(h.Settings, own...)
		if h.Passkey, err = s.offerPasskey(w, r); err != nil {
			s.fail(w, r, err)
			return
		}
	}
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
	s.show(w, r, http.StatusOK, "home", &Page{Home: h, Wide: true, Impersonated: impersonated(person)})
}

// appGroups puts applications, which come by group, under their headings.
func appGroups(apps []*flow.Application) []AppGroup {
	var out []AppGroup
	for _, a := range apps {
		if len(out) == 0 || out[len(out)-1].Name != a.Group {
			out = append(out, AppGroup{Name: a.Group})
		}
		app := App{Name: a.Name, Description: a.Description, Publisher: a.Publisher, URL: launchPath(a), NewTab: a.OpenInNewTab}
		app.Icon, app.IconDark = appIcon(a)
		group := &out[len(out)-1]
		group.Apps = append(group.Apps, app)
	}
	return out
}

// appIcon is the picture of an application for both themes; its initials where
// it has none that can be shown.
func appIcon(a *flow.Application) (light, dark string) {
	if a.Icon == "" {
		return AvatarPath(a.Name), ""
	}
	light, themed := flow.BackgroundURL(a.Icon)
	if themed != nil {
		light, dark = themed.Light, themed.Dark
	}
	to, ok := webAddress(light)
	if !ok {
		return AvatarPath(a.Name), ""
	}
	other, ok := webAddress(dark)
	if !ok || other == to {
		other = ""
	}
	return to, other
}

// picturesFrom are the foreign origins of the pictures.
func (h *Home) picturesFrom() []string {
	var out []string
	for _, g := range h.Groups {
		for _, a := range g.Apps {
			for _, address := range []string{a.Icon, a.IconDark} {
				if from := origin(address); from != "" {
					out = append(out, from)
				}
			}
		}
	}
	return out
}

// endImpersonation makes the person of the browser act for themselves again.
func (s *Site) endImpersonation(w http.ResponseWriter, r *http.Request) {
	if err := s.Visits.EndImpersonation(w, r); err != nil {
		s.fail(w, r, err)
		return
	}
	redirect(w, http.StatusSeeOther, "/if/user/")
}
