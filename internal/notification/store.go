package notification

import (
	"context"
	"errors"
	"fmt"

	"github.com/google/uuid"

	"github.com/weir-id/weir/internal/event"
	"github.com/weir-id/weir/internal/store"
)

// keep stores a notification for its person to read; once, however often it is
// asked to. A person who has been deleted in the meantime reads nothing.
func (e *Engine) keep(ctx context.Context, tx store.Tx, n *Notification, about *uuid.UUID) error {
	at := e.Now()
	_, err := tx.Exec(ctx, `insert into notifications (id, user_id, event_id, severity, body, hyperlink, hyperlink_label, seen, created, expires)
		select $1, u.id, $2, $3, $4, $5, $6, false, $7, $8 from users u where u.id = $9 on conflict (id) do nothing`,
		n.ID, about, string(n.Severity), n.Body, orNone(n.Link), orNone(n.LinkLabel), at, at.Add(Keep), n.User.ID)
	if err != nil {
		return fmt.Errorf("store notification: %w", err)
	}
	return nil
}

// findEvent reads an event; nil when it has been deleted.
func findEvent(ctx context.Context, q store.Querier, id uuid.UUID) (*event.Recorded, error) {
	ev, err := event.Scan(q.QueryRow(ctx, "select "+event.Columns+" from events e where e.id = $1", id))
	if errors.Is(err, store.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read event %s: %w", id, err)
	}
	return &ev, nil
}
