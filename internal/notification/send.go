package notification

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/google/uuid"
	"github.com/riverqueue/river"

	"github.com/weir-id/weir/internal/expression"
	"github.com/weir-id/weir/internal/notification/rule"
	"github.com/weir-id/weir/internal/store"
)

// sendArgs is the job that sends one notification to one person.
type sendArgs struct {
	Event     uuid.UUID `json:"event"`
	Rule      uuid.UUID `json:"rule"`
	Transport uuid.UUID `json:"transport"`
	User      int64     `json:"user"`
	Leftover  bool      `json:"leftover,omitempty"`
}

// Kind is the job's name in the queue.
func (sendArgs) Kind() string { return "notification_send" }

// sendTimeout bounds one attempt.
const sendTimeout = 20 * time.Second

// maxAge is how long a receiver may go on asking for more time.
const maxAge = 24 * time.Hour

// permanentError is a failure that another attempt does not mend.
type permanentError struct{ err error }

func (p *permanentError) Error() string { return p.err.Error() }
func (p *permanentError) Unwrap() error { return p.err }

func permanent(format string, args ...any) error { return &permanentError{fmt.Errorf(format, args...)} }

// laterError is a failure of which the receiver says when to try again.
type laterError struct {
	err   error
	after time.Duration
}

func (l *laterError) Error() string { return l.err.Error() }
func (l *laterError) Unwrap() error { return l.err }

type sender struct {
	river.WorkerDefaults[sendArgs]
	e *Engine
}

func (s *sender) Work(ctx context.Context, j *river.Job[sendArgs]) error {
	e := s.e
	n, t, err := e.load(ctx, j.Args)
	if err != nil || n == nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, sendTimeout)
	defer cancel()
	err = e.send(ctx, t, n)
	var fatal *permanentError
	var later *laterError
	switch {
	case err == nil, errors.Is(err, errSkipped):
		e.Sent(t.Mode, true)
		return nil
	case errors.As(err, &fatal), j.Attempt >= j.MaxAttempts, errors.As(err, &later) && time.Since(j.CreatedAt) > maxAge:
		e.Sent(t.Mode, false)
		e.Log.ErrorContext(ctx, "notification was not delivered", slog.String("transport", t.Name), slog.String("event", j.Args.Event.String()),
			slog.Int64("user", j.Args.User), slog.Int("attempts", j.Attempt), slog.Any("error", err))
		return river.JobCancel(err)
	case later != nil:
		return river.JobSnooze(later.after) // which is no attempt
	}
	return err
}

// load reads what a job is about; nil when some of it is gone, so that there is
// nothing to tell or nobody.
func (e *Engine) load(ctx context.Context, a sendArgs) (*Notification, *rule.Transport, error) {
	ev, err := findEvent(ctx, e.DB, a.Event)
	if err != nil || ev == nil {
		return nil, nil, err
	}
	s, err := e.Newest(ctx)
	if err != nil {
		return nil, nil, err
	}
	r, wanted := s.NotificationRule(a.Rule)
	t, able := s.NotificationTransport(a.Transport)
	if !wanted || !able {
		return nil, nil, nil
	}
	p, err := e.Person(ctx, a.User)
	if unknown(err) || err == nil && !p.Active {
		return nil, nil, nil
	}
	if err != nil {
		return nil, nil, err
	}
	return newNotification(ev, r, t.ID, p, a.Leftover), t, nil
}

// errSkipped says that a mapping or an account without an address wants nothing
// to be sent.
var errSkipped = errors.New("nothing is to be sent")

// send carries one notification. Errors name no address and no secret: they go
// to logs and to the queue.
func (e *Engine) send(ctx context.Context, t *rule.Transport, n *Notification) error {
	switch t.Mode {
	case rule.Local:
		return e.DB.Write(ctx, func(ctx context.Context, tx store.Tx) error { return e.keep(ctx, tx, n, eventKey(n)) })
	case rule.Email:
		return e.mail(ctx, t, n)
	}
	s, err := e.Newest(ctx)
	if err != nil {
		return err
	}
	return e.post(ctx, s, t, n)
}

// eventKey is the key of a stored event, nil for one that is not.
func eventKey(n *Notification) *uuid.UUID {
	if n.Event.ID == uuid.Nil {
		return nil
	}
	return &n.Event.ID
}

// skipped tells whether an expression has raised SkipObject.
func skipped(err error) bool {
	var x *expression.Error
	return errors.As(err, &x) && x.Class == "SkipObject"
}
