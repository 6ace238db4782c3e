package session

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"time"

	"github.com/google/uuid"

	"github.com/weir-id/weir/flow"
	"github.com/weir-id/weir/internal/store"
)

// ErrNoSession means that a user has no session with the id.
var ErrNoSession = errors.New("no such session")

// Device is one session of a user, for the list of where they are signed in.
type Device struct {
	UUID uuid.UUID
	// Current marks the session that asked.
	Current       bool
	LastIP        string
	LastUserAgent string
	// LastUsed is exact to a minute.
	LastUsed time.Time
	Expires  time.Time
}

// Devices lists the living sessions of a user, the latest used first; current is
// the key of the session that asks.
func (m *Manager) Devices(ctx context.Context, user int64, current string) ([]Device, error) {
	list, err := store.Select(ctx, m.db, func(row store.Row) (Device, error) {
		var d Device
		var key string
		err := row.Scan(&key, &d.UUID, &d.LastIP, &d.LastUserAgent, &d.LastUsed, &d.Expires)
		d.Current = key == current
		return d, err
	}, `select key, uuid, last_ip, last_user_agent, last_used, expires from sessions
		where user_id = $1 and expires > $2 order by last_used desc, uuid`, user, m.now())
	if err != nil {
		return nil, fmt.Errorf("list sessions of user %d: %w", user, err)
	}
	return list, nil
}

// Revoke ends one session of a user; its next request is refused on every node.
// The error wraps ErrNoSession when the user has none with the id.
func (m *Manager) Revoke(ctx context.Context, user int64, id uuid.UUID) error {
	n, err := m.db.Exec(ctx, "delete from sessions where user_id = $1 and uuid = $2", user, id)
	if err == nil && n == 0 {
		err = ErrNoSession
	}
	if err != nil {
		return fmt.Errorf("end session %s of user %d: %w", id, user, err)
	}
	return nil
}

// RevokeOthers ends all sessions of a user but the one with the key, all of them
// when the key is empty, and returns how many.
func (m *Manager) RevokeOthers(ctx context.Context, user int64, current string) (int64, error) {
	n, err := m.db.Exec(ctx, "delete from sessions where user_id = $1 and key <> $2", user, current)
	if err != nil {
		return 0, fmt.Errorf("end sessions of user %d: %w", user, err)
	}
	return n, nil
}

// EndOthers does the same inside the transaction of a step.
func (m *Manager) EndOthers(ctx context.Context, tx flow.Tx, user int64, current string) error {
	w, ok := tx.(store.Tx)
	if !ok {
		return fmt.Errorf("end sessions of user %d: %T is no store transaction", user, tx)
	}
	if _, err := w.Exec(ctx, "delete from sessions where user_id = $1 and key <> $2", user, current); err != nil {
		return fmt.Errorf("end sessions of user %d: %w", user, err)
	}
	return nil
}

// SeenFrom tells whether a living session of the user was last used from the
// address.
func (m *Manager) SeenFrom(ctx context.Context, user int64, addr netip.Addr) (bool, error) {
	if !addr.IsValid() {
		return false, nil
	}
	var n int
	err := m.db.QueryRow(ctx, "select count(*) from sessions where user_id = $1 and last_ip = $2 and expires > $3", user, addr.String(), m.now()).Scan(&n)
	if err != nil {
		return false, fmt.Errorf("look for sessions of user %d: %w", user, err)
	}
	return n > 0, nil
}
