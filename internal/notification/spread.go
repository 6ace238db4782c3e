package notification

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/google/uuid"
	"github.com/riverqueue/river"

	"github.com/weir-id/weir/identity"
	"github.com/weir-id/weir/internal/event"
	"github.com/weir-id/weir/internal/notification/rule"
	"github.com/weir-id/weir/internal/store"
)

// page is how many recipients one transaction takes care of.
const page = 100

// spreadArgs is the job that finds the recipients of a rule that has fired, a page
// at a time.
type spreadArgs struct {
	Event uuid.UUID `json:"event"`
	Rule  uuid.UUID `json:"rule"`
	// After is the recipient that the page before ended with, Told how many there
	// were.
	After int64 `json:"after,omitempty"`
	Told  int   `json:"told,omitempty"`
	// Leftover tells that the rule has fired too often.
	Leftover bool `json:"leftover,omitempty"`
}

// Kind is the job's name in the queue.
func (spreadArgs) Kind() string { return "notification_spread" }

type spreader struct {
	river.WorkerDefaults[spreadArgs]
	e *Engine
}

// Timeout allows for a database that is busy.
func (*spreader) Timeout(*river.Job[spreadArgs]) time.Duration { return 2 * time.Minute }

func (w *spreader) Work(ctx context.Context, j *river.Job[spreadArgs]) error {
	e, args := w.e, j.Args
	ev, err := findEvent(ctx, e.DB, args.Event)
	if err != nil || ev == nil {
		return err
	}
	s, err := e.Newest(ctx)
	if err != nil {
		return err
	}
	r, ok := s.NotificationRule(args.Rule)
	if !ok {
		return nil // nobody wants to know any more
	}
	var transports []*rule.Transport
	for _, id := range r.Transports {
		// Without a mail server there is nothing that each mail has to fail at.
		if t, ok := s.NotificationTransport(id); ok && (t.Mode != rule.Email || e.sendsMail()) {
			transports = append(transports, t)
		}
	}
	room := MaxRecipients - args.Told
	ids, err := recipients(ctx, e.DB, r, ev, args.After, min(page, room)+1)
	if err != nil || len(ids) == 0 {
		return err
	}
	more := len(ids) > min(page, room)
	ids = ids[:min(len(ids), page, room)]
	if more && len(ids) == room {
		e.Log.WarnContext(ctx, "notification rule has too many recipients", slog.String("rule", r.Name), slog.Int("most", MaxRecipients))
		more = false
	}
	return e.DB.Write(ctx, func(ctx context.Context, tx store.Tx) error {
		for _, t := range transports {
			to := ids
			if t.SendOnce {
				to = nil
				if args.Told == 0 {
					to = ids[:1]
				}
			}
			if err := e.hand(ctx, tx, ev, r, t, to, args.Leftover); err != nil {
				return err
			}
		}
		if !more {
			return nil
		}
		next := args
		next.After, next.Told = ids[len(ids)-1], args.Told+len(ids)
		return e.Queue.Insert(ctx, tx, next, options(spreadAttempts))
	})
}

// hand gives the notifications of some people to a transport.
func (e *Engine) hand(ctx context.Context, tx store.Tx, ev *event.Recorded, r *rule.Rule, t *rule.Transport, to []int64, leftover bool) error {
	for _, id := range to {
		if t.Mode != rule.Local {
			if err := e.Queue.Insert(ctx, tx, sendArgs{Event: ev.ID, Rule: r.ID, Transport: t.ID, User: id, Leftover: leftover}, options(sendAttempts)); err != nil {
				return err
			}
			continue
		}
		n := newNotification(ev, r, t.ID, &identity.Person{User: identity.User{ID: id}}, leftover)
		if err := e.keep(ctx, tx, n, &ev.ID); err != nil {
			return err
		}
		tx.AfterCommit(func() { e.Sent(rule.Local, true) })
	}
	return nil
}

// recipients are active people whom a rule tells of an event: the members of its
// group and of the groups below, and the person of the event; by key.
func recipients(ctx context.Context, q store.Querier, r *rule.Rule, ev *event.Recorded, after int64, most int) ([]int64, error) {
	var args store.Args
	with, either := "", "1 = 0"
	if r.DestinationGroup != nil {
		with = `with recursive below (id) as (
			select g.id from groups g where g.id = ` + args.Add(*r.DestinationGroup) + `
			union
			select p.group_id from group_parents p join below b on p.parent_id = b.id
		) `
		either = "u.id in (select m.user_id from group_members m join below b on m.group_id = b.id)"
	}
	if id := userOf(ev); r.DestinationEventUser && id != 0 {
		either += " or u.id = " + args.Add(id)
	}
	ids, err := store.Select(ctx, q, store.Column[int64], with+`select u.id from users u where u.is_active and u.id > `+args.Add(after)+
		` and (`+either+`) order by u.id limit `+args.Add(most), args...)
	if err != nil {
		return nil, fmt.Errorf("find recipients of rule %s: %w", r.ID, err)
	}
	return ids, nil
}
