// Package consent stores what people have let applications know.
package consent

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/weir-id/weir/flow"
	"github.com/weir-id/weir/internal/store"
)

// Consent is what a person has agreed to for an application.
type Consent struct {
	ID          int64
	User        int64
	Application uuid.UUID
	// Permissions are the ids of what was agreed to, sorted.
	Permissions []string
	Created     time.Time
	// Expires is nil for never.
	Expires *time.Time
}

// Consents reads and writes consents.
type Consents struct {
	DB store.DB
	// Now is the clock.
	Now func() time.Time
}

// Columns are the columns of table consents, called c in the query, that Scan
// reads.
const Columns = "c.id, c.user_id, c.application_id, c.permissions, c.created, c.expires"

// Scan reads one row.
func Scan(row store.Row) (Consent, error) {
	var c Consent
	var permissions string
	err := row.Scan(&c.ID, &c.User, &c.Application, &permissions, &c.Created, &c.Expires)
	c.Permissions = strings.Fields(permissions)
	return c, err
}

// Of returns what a person has agreed to for an application, as far as it holds
// now; nil for nothing.
func (s *Consents) Of(ctx context.Context, user int64, application uuid.UUID) (*Consent, error) {
	found, err := store.Select(ctx, s.DB, Scan, "select "+Columns+" from consents c where c.user_id = $1 and c.application_id = $2 and (c.expires is null or c.expires > $3)",
		user, application, s.Now())
	if err != nil {
		return nil, fmt.Errorf("read consent of user %d: %w", user, err)
	}
	if len(found) == 0 {
		return nil, nil
	}
	return &found[0], nil
}

// Grant stores what a person agrees to, in place of what they agreed to before.
func (s *Consents) Grant(ctx context.Context, tx flow.Tx, c Consent) error {
	w, ok := tx.(store.Tx)
	if !ok {
		return fmt.Errorf("store consent: %T is no store transaction", tx)
	}
	permissions := slices.Sorted(slices.Values(c.Permissions))
	_, err := w.Exec(ctx, `insert into consents (user_id, application_id, permissions, created, expires) values ($1, $2, $3, $4, $5)
		on conflict (user_id, application_id) do update set permissions = excluded.permissions, created = excluded.created, expires = excluded.expires`,
		c.User, c.Application, strings.Join(permissions, " "), s.Now(), c.Expires)
	if err != nil {
		return fmt.Errorf("store consent of user %d: %w", c.User, err)
	}
	return nil
}
