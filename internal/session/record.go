package session

import (
	"context"
	"slices"

	"github.com/weir-id/weir/flow"
	"github.com/weir-id/weir/identity"
	"github.com/weir-id/weir/internal/event"
	"github.com/weir-id/weir/policy"
)

// record stores the step's events.
func (s *step) record(ctx context.Context) error {
	for _, e := range slices.Concat(s.caused, s.Events) {
		about, as := s.about(e)
		err := s.m.events.Record(ctx, s.tx, event.Event{Action: event.Action(e.Action), App: e.App, Context: e.Context,
			User: about, AuthenticatedAs: as, HTTP: s.HTTP, Brand: s.Brand})
		if err != nil {
			return err
		}
	}
	return nil
}

// mail queues the mails that policies asked for.
func (s *step) mail(ctx context.Context) error {
	if s.m.mail == nil {
		return nil
	}
	for _, m := range s.Mails {
		about, _ := s.about(flow.Event{})
		if err := s.m.mail(ctx, s.tx, about, s.HTTP, m); err != nil {
			return err
		}
	}
	return nil
}

// about says whom an event is about, and as whom that person was signed in when
// it is somebody else than the session's user.
func (s *step) about(e flow.Event) (about, as *identity.Person) {
	about = e.User
	if about == nil {
		about = s.Pending
	}
	if about == nil {
		return s.User, nil
	}
	if s.User != nil && s.User.Impersonator != nil && about.ID == s.User.ID {
		return s.User, nil // says who acts as them
	}
	switch {
	case s.User == nil, about.Saved() && about.ID == s.User.ID:
		return about, nil
	case s.Login != nil && about.ID == s.Login.User.ID:
		return about, nil // from now on the session's own
	}
	return about, s.User
}

// from is where a request came from, in a form that can be stored.
type from struct{ ip, agent string }

const maxUserAgentBytes = 512

func origin(h *policy.HTTPRequest) from {
	var f from
	if h == nil {
		return f
	}
	if h.ClientIP.IsValid() {
		f.ip = h.ClientIP.String()
	}
	if v := h.Header["User-Agent"]; len(v) > 0 {
		f.agent = v[0][:min(len(v[0]), maxUserAgentBytes)]
	}
	f.agent = clean(f.agent)
	return f
}
