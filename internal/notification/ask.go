package notification

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/google/uuid"
	"github.com/riverqueue/river"

	"github.com/weir-id/weir/flow"
	"github.com/weir-id/weir/identity"
	"github.com/weir-id/weir/internal/event"
	"github.com/weir-id/weir/internal/notification/rule"
	"github.com/weir-id/weir/internal/store"
	"github.com/weir-id/weir/policy"
)

// How often the jobs are tried. Those of the first two kinds need the database
// only; what is sent needs other people's servers.
const (
	askAttempts    = 5
	spreadAttempts = 10
	sendAttempts   = 10
)

// options are those of all jobs: a job that was put in by one that then had to
// be done again is not there twice.
func options(attempts int) *river.InsertOpts {
	return &river.InsertOpts{Queue: lane, MaxAttempts: attempts, UniqueOpts: river.UniqueOpts{ByArgs: true}}
}

// askArgs is the job that asks the rules about an event.
type askArgs struct {
	Event uuid.UUID `json:"event"`
}

// Kind is the job's name in the queue.
func (askArgs) Kind() string { return "notification_ask" }

type asker struct {
	river.WorkerDefaults[askArgs]
	e *Engine
}

// Timeout allows for policies that take their time.
func (*asker) Timeout(*river.Job[askArgs]) time.Duration { return 5 * time.Minute }

func (a *asker) Work(ctx context.Context, j *river.Job[askArgs]) error {
	e := a.e
	ev, err := findEvent(ctx, e.DB, j.Args.Event)
	if err != nil || ev == nil {
		return err // an event that is gone is told to nobody
	}
	s, err := e.Newest(ctx)
	if err != nil {
		return err
	}
	p, err := e.subject(ctx, ev)
	if err != nil {
		return err
	}
	var fired []*rule.Rule
	var said []policy.Result
	for _, r := range eligible(s, ev) {
		result := e.policies.Evaluate(ctx, policy.Run{Source: s, Target: policy.Target{Kind: "notificationrule", ID: r.ID, Name: r.Name, Mode: policy.Any},
			User: p, Context: func() map[string]any { return map[string]any{"event": ev} }, EmptyResult: policy.Fail})
		said = append(said, result)
		switch {
		case result.Passing():
			fired = append(fired, r)
		case result.Verdict == policy.Error:
			// Silence, but not unheard.
			e.Log.WarnContext(ctx, "notification rule has no verdict", slog.String("rule", r.Name), slog.String("event", ev.ID.String()), slog.Any("error", result.Err))
		}
	}
	if ctx.Err() != nil {
		return ctx.Err() // what was cut off is no verdict
	}
	return e.carryOut(ctx, ev, p, fired, said)
}

// carryOut does what the policies asked for, and puts in the jobs of the rules
// that fire.
func (e *Engine) carryOut(ctx context.Context, ev *event.Recorded, p *identity.Person, fired []*rule.Rule, said []policy.Result) error {
	var mails []policy.Mail
	var events []policy.Event
	for _, r := range said {
		mails, events = append(mails, r.Mails...), append(events, r.Events...)
	}
	if len(fired)+len(mails)+len(events) == 0 {
		return nil
	}
	return e.DB.Write(silence(ctx), func(ctx context.Context, tx store.Tx) error {
		if err := e.grant(ctx, tx, p, events, mails); err != nil {
			return err
		}
		for _, r := range fired {
			if err := e.fire(ctx, tx, ev, r); err != nil {
				return err
			}
		}
		return nil
	})
}

// grant records the events and queues the mails that expressions ask for, about
// a person. Its context is a silent one.
func (e *Engine) grant(ctx context.Context, tx store.Tx, p *identity.Person, events []policy.Event, mails []policy.Mail) error {
	for _, x := range events {
		if err := e.Events.Record(ctx, tx, event.Event{Action: event.Action(x.Action), App: x.App, Context: x.Context, User: p}); err != nil {
			return err
		}
	}
	for _, m := range mails {
		if e.PolicyMail == nil {
			return nil
		}
		if err := e.PolicyMail(ctx, tx, p, m); err != nil {
			return err
		}
	}
	return nil
}

// fire has the recipients of a rule told, unless the rule has fired too often in
// this minute; the first time that it has, they are told so.
func (e *Engine) fire(ctx context.Context, tx store.Tx, ev *event.Recorded, r *rule.Rule) error {
	minute := e.Now().UTC().Truncate(time.Minute)
	var n int
	err := tx.QueryRow(ctx, `insert into notification_counts (rule_id, minute, fired, expires) values ($1, $2, 1, $3)
		on conflict (rule_id, minute) do update set fired = notification_counts.fired + 1 returning fired`, r.ID, minute, minute.Add(time.Hour)).Scan(&n)
	if err != nil {
		return fmt.Errorf("count notifications of rule %s: %w", r.ID, err)
	}
	if n > e.PerMinute+1 {
		return nil
	}
	leftover := n == e.PerMinute+1
	if leftover {
		tx.AfterCommit(func() {
			e.Log.WarnContext(ctx, "notification rule fires too often", slog.String("rule", r.Name), slog.Int("per_minute", e.PerMinute))
		})
	}
	tx.AfterCommit(func() {
		e.Log.InfoContext(ctx, "notification", slog.String("rule", r.Name), slog.String("severity", string(r.Severity)),
			slog.String("event", ev.ID.String()), slog.String("action", string(ev.Action)))
	})
	return e.Queue.Insert(ctx, tx, spreadArgs{Event: ev.ID, Rule: r.ID, Leftover: leftover}, options(spreadAttempts))
}

// unknown tells whether there is no such person.
func unknown(err error) bool { return errors.Is(err, flow.ErrNoPerson) }
