package authenticator

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/weir-id/weir/flow"
	"github.com/weir-id/weir/internal/seal"
	"github.com/weir-id/weir/internal/store"
)

var (
	// ErrTaken means that another device of the kind has the handle.
	ErrTaken = errors.New("the device is known already")
	// ErrGone means that the device does not exist (any more).
	ErrGone = errors.New("no such device")
)

// Devices reads and writes devices. It is safe for concurrent use.
type Devices struct {
	DB store.DB
	// Box seals what kinds keep with their devices.
	Box *seal.Box
	// Now is the clock.
	Now func() time.Time
}

// Columns are the columns of table authenticators, called a in the query, that
// Scan reads.
const Columns = `a.id, a.uuid, a.user_id, a.class, a.name, a.stage_id, a.confirmed, a.handle, a.counter, a.data, a.failures, a.failed,
	a.created, a.updated, a.last_used`

// Scan reads one row, and opens what the kind keeps.
func (s *Devices) Scan(row store.Row) (Device, error) {
	var d Device
	var stage *uuid.UUID
	var handle *string
	var sealed []byte
	err := row.Scan(&d.ID, &d.UUID, &d.User, &d.Class, &d.Name, &stage, &d.Confirmed, &handle, &d.Counter, &sealed, &d.Failures, &d.Failed,
		&d.Created, &d.Updated, &d.LastUsed)
	if err != nil {
		return d, err
	}
	if stage != nil {
		d.Stage = *stage
	}
	if handle != nil {
		d.Handle = *handle
	}
	if d.data, err = s.Box.Open(sealed, d.place()); err != nil {
		return d, fmt.Errorf("open %s device %d: %w", d.Class, d.ID, err)
	}
	return d, nil
}

// Confirmed returns the devices of the user that were set up to the end, of all
// kinds, the last used first.
func (s *Devices) Confirmed(ctx context.Context, user int64) ([]Device, error) {
	return s.list(ctx, s.DB, "a.user_id = $1 and a.confirmed order by a.last_used desc nulls last, a.id", user)
}

// Of returns the devices of the user, also those that were not set up to the end, by
// their age.
func (s *Devices) Of(ctx context.Context, q store.Querier, user int64) ([]Device, error) {
	return s.list(ctx, q, "a.user_id = $1 order by a.id", user)
}

// ByHandle returns the device of a kind with the handle, nil for none.
func (s *Devices) ByHandle(ctx context.Context, class, handle string) (*Device, error) {
	found, err := s.list(ctx, s.DB, "a.class = $1 and a.handle = $2", class, handle)
	if err != nil || len(found) == 0 {
		return nil, err
	}
	return &found[0], nil
}

func (s *Devices) list(ctx context.Context, q store.Querier, where string, args ...any) ([]Device, error) {
	found, err := store.Select(ctx, q, s.Scan, "select "+Columns+" from authenticators a where "+where, args...)
	if err != nil {
		return nil, fmt.Errorf("read devices: %w", err)
	}
	return found, nil
}

// Add stores a device in the transaction of a step, and fills in what the store
// decides. The error is ErrTaken when another one has its handle; the transaction
// goes on then.
func (s *Devices) Add(ctx context.Context, tx flow.Tx, d *Device) error {
	w, ok := tx.(store.Tx)
	if !ok {
		return fmt.Errorf("store device: %T is no store transaction", tx)
	}
	if d.data == nil {
		d.data = []byte("{}")
	}
	d.UUID, d.Created = uuid.New(), s.Now().UTC()
	d.Updated = d.Created
	var stage, handle any
	if d.Stage != uuid.Nil {
		stage = d.Stage
	}
	if d.Handle != "" {
		handle = d.Handle
	}
	err := w.QueryRow(ctx, `insert into authenticators (uuid, user_id, class, name, stage_id, confirmed, handle, counter, data, failures, created, updated, last_used)
		values ($1, $2, $3, $4, $5, $6, $7, $8, $9, 0, $10, $10, $11) on conflict (class, handle) do nothing returning id`,
		d.UUID, d.User, d.Class, d.Name, stage, d.Confirmed, handle, d.Counter, s.Box.Seal(d.data, d.place()), d.Created, d.LastUsed).Scan(&d.ID)
	if errors.Is(err, store.ErrNotFound) {
		return ErrTaken
	}
	if err != nil {
		return fmt.Errorf("store %s device of user %d: %w", d.Class, d.User, err)
	}
	return nil
}

// Change lets change edit what a kind keeps with a device, and its counter, with
// nobody else at the device, in the transaction of a step. The error wraps ErrGone
// when there is no such device.
func (s *Devices) Change(ctx context.Context, tx flow.Tx, id int64, change func(d *Device) error) error {
	w, ok := tx.(store.Tx)
	if !ok {
		return fmt.Errorf("change device %d: %T is no store transaction", id, tx)
	}
	found, err := s.lock(ctx, w, []int64{id})
	if err != nil {
		return err
	}
	if len(found) == 0 {
		return fmt.Errorf("change device %d: %w", id, ErrGone)
	}
	d := &found[0]
	if err := change(d); err != nil {
		return err
	}
	return s.save(ctx, w, d)
}

// lock reads devices for the rest of the transaction, always in the same order.
func (s *Devices) lock(ctx context.Context, tx store.Tx, ids []int64) ([]Device, error) {
	var args store.Args
	return s.list(ctx, tx, "a.id in "+store.In(&args, ids)+" order by a.id"+tx.Dialect().ForUpdate(), args...)
}

// save stores what answers and kinds change.
func (s *Devices) save(ctx context.Context, tx store.Tx, d *Device) error {
	_, err := tx.Exec(ctx, "update authenticators set counter = $2, data = $3, failures = $4, failed = $5, last_used = $6 where id = $1",
		d.ID, d.Counter, s.Box.Seal(d.data, d.place()), d.Failures, d.Failed, d.LastUsed)
	if err != nil {
		return fmt.Errorf("store device %d: %w", d.ID, err)
	}
	return nil
}
