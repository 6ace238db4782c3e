package event

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/weir-id/weir/internal/store"
)

// Add stores an event that somebody makes by hand, with a new id and the time of
// now. What is missing is taken from the request, and the request itself stands
// in the context whatever that says: nobody passes such an event off as one of
// the program.
func (r *Recorder) Add(ctx context.Context, tx store.Tx, e *Recorded, by By) error {
	at := r.now()
	e.ID, e.Created = uuid.New(), at.UTC().Truncate(time.Microsecond)
	if e.Expires.IsZero() {
		e.Expires = at.Add(r.retention())
	}
	if len(e.User) == 0 {
		e.User = user(Event{User: by.User})
	}
	if len(e.Brand) == 0 {
		e.Brand = brand(by.Brand)
	}
	if e.ClientIP == "" {
		e.ClientIP = address(by.HTTP)
	}
	var from any
	if by.HTTP != nil {
		from = httpRequest(by.HTTP)
	}
	if err := e.settle(from); err != nil {
		return err
	}
	return r.store(ctx, tx, e)
}

// Change stores another content of an event. The request that it came from
// stays what it was.
func (r *Recorder) Change(ctx context.Context, tx store.Tx, e, before *Recorded) error {
	if err := e.settle(before.Context["http_request"]); err != nil {
		return err
	}
	if err := e.update(ctx, tx); err != nil {
		return fmt.Errorf("change event %s: %w", e.ID, err)
	}
	return nil
}

// settle gives the event the form in which all events are stored.
func (e *Recorded) settle(from any) error {
	e.Action, e.App = Action(clean(string(e.Action))), clean(e.App)
	e.User, e.Context, e.Brand = Sanitise(e.User), Sanitise(e.Context), Sanitise(e.Brand)
	delete(e.Context, "http_request")
	if from != nil {
		e.Context["http_request"] = from
	}
	e.Expires = e.Expires.UTC().Truncate(time.Microsecond)
	for _, document := range []map[string]any{e.Context, e.User, e.Brand} {
		if err := bound(document); err != nil {
			return fmt.Errorf("event %s: %w", e.Action, err)
		}
	}
	return nil
}

// maxActions is how many actions are told apart where nobody names them.
const maxActions = 200

// ActionsBetween returns the first actions, in the order of their names, of which
// there are events, from a name on up to another one; empty names are no bounds.
// The index leads from each to the next one.
func ActionsBetween(ctx context.Context, q store.Querier, from, before string) ([]string, error) {
	var out []string
	for len(out) < maxActions {
		var args store.Args
		sql := "select min(action) from events where action > " + args.Add(from)
		if before != "" {
			sql += " and action < " + args.Add(before)
		}
		var next *string
		if err := q.QueryRow(ctx, sql, args...).Scan(&next); err != nil {
			return nil, fmt.Errorf("list actions of events: %w", err)
		}
		if next == nil {
			break
		}
		out, from = append(out, *next), *next
	}
	return out, nil
}
