// Package invitation stores links that invite people into a flow: what they
// fill in beforehand, until when they hold, and whether they hold once.
package invitation

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/weir-id/weir/flow"
	"github.com/weir-id/weir/internal/store"
)

// Invitation is a link. Its id is the token in the link's address.
type Invitation struct {
	ID   uuid.UUID
	Name string
	// Flow is the one that it invites into; nil for any.
	Flow *uuid.UUID
	// SingleUse ends it with the first account or login that it leads to.
	SingleUse bool
	// FixedData is merged into the prompt data of who comes.
	FixedData map[string]any
	// CreatedBy is nil where no person made it, or that person is gone.
	CreatedBy *int64
	Created   time.Time
	// Expires is nil for never.
	Expires *time.Time
}

// Invitations reads and uses invitations up.
type Invitations struct {
	DB store.DB
	// Now is the clock.
	Now func() time.Time
}

// Columns are the columns of table invitations, called i in the query, that
// Scan reads.
const Columns = "i.id, i.name, i.flow_id, i.single_use, i.fixed_data, i.created_by, i.created, i.expires"

// Scan reads one row.
func Scan(row store.Row) (Invitation, error) {
	var i Invitation
	var flowID *string
	if err := row.Scan(&i.ID, &i.Name, &flowID, &i.SingleUse, store.JSON(&i.FixedData), &i.CreatedBy, &i.Created, &i.Expires); err != nil {
		return i, err
	}
	if flowID != nil {
		id, err := uuid.Parse(*flowID)
		if err != nil {
			return i, fmt.Errorf("read flow of invitation %s: %w", i.ID, err)
		}
		i.Flow = &id
	}
	return i, nil
}

// Valid returns the invitation with an id if it holds now; nil otherwise. The
// clock decides, not whether somebody has cleaned up (rule 14).
func (s *Invitations) Valid(ctx context.Context, id uuid.UUID) (*Invitation, error) {
	found, err := store.Select(ctx, s.DB, Scan, "select "+Columns+" from invitations i where i.id = $1 and (i.expires is null or i.expires > $2)", id, s.Now())
	if err != nil {
		return nil, fmt.Errorf("read invitation %s: %w", id, err)
	}
	if len(found) == 0 {
		return nil, nil
	}
	return &found[0], nil
}

var errUsed = errors.New("the invitation was used or has ended")

// Consume uses an invitation up in the transaction of a step. One that somebody
// else has used since is a *flow.Refusal, so that of two people with one link
// one gets through (rule 13).
func (s *Invitations) Consume(ctx context.Context, tx flow.Tx, id uuid.UUID) error {
	w, ok := tx.(store.Tx)
	if !ok {
		return fmt.Errorf("use invitation %s: %T is no store transaction", id, tx)
	}
	n, err := w.Exec(ctx, "delete from invitations where id = $1 and (expires is null or expires > $2)", id, s.Now())
	if err != nil {
		return fmt.Errorf("use invitation %s: %w", id, err)
	}
	if n == 0 {
		return &flow.Refusal{Message: "This invitation has been used or is no longer valid. Ask for a new one.", Err: fmt.Errorf("invitation %s: %w", id, errUsed)}
	}
	return nil
}
