package session

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/weir-id/weir/flow"
	"github.com/weir-id/weir/identity"
	"github.com/weir-id/weir/internal/event"
	"github.com/weir-id/weir/internal/store"
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

// trace stores what the step did, for the inspector.
func (s *step) trace(ctx context.Context) error {
	if s.id == [16]byte{} {
		return nil
	}
	n := 1
	if s.Before != nil {
		n = s.Before.Version + 1
	}
	_, err := s.tx.Exec(ctx, "insert into execution_steps (execution_id, n, created, expires, step) values ($1, $2, $3, $4, $5)",
		s.id, n, s.now, s.now.Add(traceRetention), store.JSON(storable(s.Trace)))
	if err != nil {
		return fmt.Errorf("store trace: %w", err)
	}
	return nil
}

// storable returns the trace without what PostgreSQL cannot store in JSON;
// messages come from policies, which may repeat what a person typed.
func storable(t flow.Trace) flow.Trace {
	t.Stage, t.Message = clean(t.Stage), clean(t.Message)
	t.Policies = slices.Clone(t.Policies)
	for i := range t.Policies {
		p := &t.Policies[i]
		p.Target, p.Error, p.Messages = clean(p.Target), clean(p.Error), slices.Clone(p.Messages)
		for j, m := range p.Messages {
			p.Messages[j] = clean(m)
		}
	}
	return t
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

func clean(s string) string {
	return strings.ReplaceAll(strings.ToValidUTF8(s, "\uFFFD"), "\x00", "")
}
