package session

import (
	"context"
	"errors"
	"fmt"

	"github.com/weir-id/weir/flow"
	"github.com/weir-id/weir/identity"
	"github.com/weir-id/weir/internal/event"
	"github.com/weir-id/weir/internal/store"
	"github.com/weir-id/weir/policy"
)

// ErrImpersonation means that somebody may not act as the person they asked for.
var ErrImpersonation = errors.New("impersonation refused")

// impersonated puts who really signed in behind the person of a session; false
// when they are gone, inactive, or may no longer act as that person.
func (m *Manager) impersonated(ctx context.Context, c *Current) (bool, error) {
	by, err := m.people.Person(ctx, c.Session.UserID)
	if errors.Is(err, flow.ErrNoPerson) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("read impersonator: %w", err)
	}
	if !by.Active {
		return false, nil
	}
	ok, err := m.may(ctx, by, c.Person)
	if err != nil {
		return false, fmt.Errorf("ask whether user %d may act as user %d: %w", by.ID, c.Person.ID, err)
	}
	c.Person.Impersonator = by
	return ok, nil
}

// Impersonate makes the person of a session act as somebody else in it, until
// they end that or the session ends. Flows that are open in the session are
// dropped: they were begun as somebody else. The error wraps ErrImpersonation
// when the person may not, and flow.ErrStale when the session has changed.
func (m *Manager) Impersonate(ctx context.Context, c *Current, as *identity.Person, reason string, h *policy.HTTPRequest, b *flow.Brand) error {
	if c.Session.UserID == 0 || c.Session.ActsAs != 0 || as.ID == c.Session.UserID || !as.Active {
		return ErrImpersonation
	}
	ok, err := m.may(ctx, c.Person, as)
	if err == nil && !ok {
		err = ErrImpersonation
	}
	if err != nil {
		return fmt.Errorf("act as user %d: %w", as.ID, err)
	}
	e := event.Event{Action: event.ImpersonationStarted, User: c.Person, OnBehalfOf: as, Context: map[string]any{"reason": reason, "user": as}, HTTP: h, Brand: b}
	return m.actAs(ctx, c, &as.ID, e)
}

// EndImpersonation makes the person of a session act for themselves again.
// Nothing to end is no error.
func (m *Manager) EndImpersonation(ctx context.Context, c *Current, h *policy.HTTPRequest, b *flow.Brand) error {
	if c.Session.ActsAs == 0 {
		return nil
	}
	e := event.Event{Action: event.ImpersonationEnded, User: c.Person, Context: map[string]any{"user": c.Person}, HTTP: h, Brand: b}
	return m.actAs(ctx, c, nil, e)
}

// actAs changes whom a session acts as, if it is still as it was read.
func (m *Manager) actAs(ctx context.Context, c *Current, as *int64, e event.Event) error {
	err := m.db.Write(ctx, func(ctx context.Context, tx store.Tx) error {
		n, err := tx.Exec(ctx, `update sessions set acts_as = $1 where key = $2 and user_id = $3 and coalesce(acts_as, 0) = $4 and expires > $5`,
			as, c.Session.Key, c.Session.UserID, c.Session.ActsAs, m.now())
		if err == nil && n == 0 {
			err = flow.ErrStale
		}
		if err != nil {
			return err
		}
		if _, err := tx.Exec(ctx, "delete from executions where session_key = $1", c.Session.Key); err != nil {
			return err
		}
		return m.events.Record(ctx, tx, e)
	})
	if err != nil {
		return fmt.Errorf("change whom a session acts as: %w", err)
	}
	return nil
}
