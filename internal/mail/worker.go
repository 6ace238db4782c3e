package mail

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/mail"
	"strings"
	"time"
	"unicode"

	"github.com/google/uuid"
	"github.com/riverqueue/river"

	"github.com/weir-id/weir/flow"
	"github.com/weir-id/weir/identity"
	"github.com/weir-id/weir/internal/config"
	"github.com/weir-id/weir/internal/event"
	"github.com/weir-id/weir/internal/jobs"
	"github.com/weir-id/weir/internal/store"
)

const (
	// lane is the part of the job queue for mails: a slow mail server holds up no
	// other work.
	lane        = "mail"
	laneWorkers = 8
	// settling is how long the outcome of a try may take to be stored.
	settling = 30 * time.Second
	// tendEvery is how often the outbox is looked after.
	tendEvery = time.Minute
	// maxLost is how many lost messages are taken up at once, overdue how long
	// after its time one counts as lost that nobody has begun with.
	maxLost = 500
	overdue = 5 * time.Minute
	// elsewhere is how long a node without a mail server leaves a mail to others.
	elsewhere = 10 * time.Second
	// tooLate is the last error of a message whose time is over.
	tooLate = "The time in which the mail was of use is over."
)

// Handle has the queue send mails. Call it before the queue starts.
func (m *Mailer) Handle(q *jobs.Queue) {
	q.Lane(lane, laneWorkers)
	jobs.Handle(q, &sender{m: m})
	jobs.Handle(q, &tender{m: m})
	q.Periodic(river.NewPeriodicJob(river.PeriodicInterval(tendEvery), func() (river.JobArgs, *river.InsertOpts) {
		return tendArgs{}, &river.InsertOpts{MaxAttempts: 1, UniqueOpts: river.UniqueOpts{ByPeriod: tendEvery}}
	}, &river.PeriodicJobOpts{RunOnStart: true}))
}

// tendArgs is the job that looks after the outbox.
type tendArgs struct{}

// Kind is the job's name in the queue.
func (tendArgs) Kind() string { return "tend_mail" }

type tender struct {
	river.WorkerDefaults[tendArgs]
	m *Mailer
}

func (t *tender) Work(ctx context.Context, _ *river.Job[tendArgs]) error { return t.m.Tend(ctx) }

// Tend removes the contents of messages that are of no use any more, since their
// links and codes have expired, and has those sent that a process left behind
// which died while it sent them.
func (m *Mailer) Tend(ctx context.Context) error {
	err := m.c.DB.Write(ctx, func(ctx context.Context, tx store.Tx) error {
		now := m.now()
		_, err := tx.Exec(ctx, `update mails set content = null, last_error = case when state = $2 then $3 else last_error end,
			state = case when state = $2 then $4 else state end where content is not null and valid_until <= $1`, now, string(Queued), tooLate, string(Failed))
		if err != nil {
			return err
		}
		// A try that has ended sets both times anew, see mark. One job too many
		// does no harm.
		lost, err := store.Select(ctx, tx, store.Column[uuid.UUID], `update mails set next_try = $1, locked_until = $1 where id in
			(select id from mails where content is not null and state = $2 and locked_until <= $1 and (locked_until > next_try or next_try <= $4) limit $3)
			and locked_until <= $1 returning id`, now, string(Queued), maxLost, now.Add(-overdue))
		for _, id := range lost {
			if err == nil {
				err = m.c.Jobs.Insert(ctx, tx, sendArgs{ID: id}, queued)
			}
		}
		return err
	})
	if err != nil {
		return fmt.Errorf("tend mails: %w", err)
	}
	return nil
}

type sender struct {
	river.WorkerDefaults[sendArgs]
	m *Mailer
}

// Timeout is more than a try takes.
func (s *sender) Timeout(*river.Job[sendArgs]) time.Duration { return s.m.lease() }

// lease is how long a try has the message for itself. It ends a while after the
// try has, so that nobody else sends meanwhile what was just accepted.
func (m *Mailer) lease() time.Duration { return 2*m.c.Timeout + settling + 10*time.Second }

// Work tries to send one message.
func (s *sender) Work(ctx context.Context, job *river.Job[sendArgs]) error {
	p, wait, err := s.m.claim(ctx, job.Args.ID)
	switch {
	case err != nil:
		return err
	case wait > 0:
		return river.JobSnooze(wait)
	case p == nil:
		return nil
	}
	begin := time.Now()
	err = s.m.dialer(&p.letter).send(ctx, &p.letter)
	took := time.Since(begin)
	if errors.Is(ctx.Err(), context.Canceled) && err != nil {
		p.pause = 0 // the program stops; the next one goes on
	}
	state, err := s.m.settle(ctx, p, err)
	if err != nil {
		return err
	}
	s.m.c.Measure(p.purpose, state, took)
	if state == Queued {
		return river.JobSnooze(p.pause)
	}
	return nil
}

// parcel is a message that is being sent.
type parcel struct {
	id        uuid.UUID
	purpose   Purpose
	recipient string
	account   *int64
	letter    letter
	validTo   time.Time
	// pause is how long to wait if it does not work.
	pause time.Duration
}

// claim takes a message for one try, in a transaction of its own. A nil parcel has
// nothing to be sent, since it is sent or somebody else is trying, unless there is
// a time to wait: it is too early.
func (m *Mailer) claim(ctx context.Context, id uuid.UUID) (p *parcel, wait time.Duration, err error) {
	err = m.c.DB.Write(ctx, func(ctx context.Context, tx store.Tx) error {
		p, wait = nil, 0
		now := m.now()
		var state State
		var sealed []byte
		var attempts int
		var next, locked time.Time
		found := &parcel{id: id}
		err := tx.QueryRow(ctx, "select state, purpose, recipient, user_id, attempts, content, next_try, locked_until, valid_until from mails where id = $1"+
			tx.Dialect().ForUpdate(), id).Scan((*string)(&state), (*string)(&found.purpose), &found.recipient, &found.account, &attempts, &sealed, &next, &locked, &found.validTo)
		if err == nil && state == Pretended {
			_, err := tx.Exec(ctx, "delete from mails where id = $1", id)
			return err
		}
		if errors.Is(err, store.ErrNotFound) || err == nil && (state != Queued || sealed == nil) {
			return nil
		}
		if err != nil {
			return err
		}
		if !found.validTo.After(now) {
			return m.mark(ctx, tx, id, Failed, tooLate, now, true)
		}
		if locked.After(now) {
			return nil
		}
		if next.After(now) {
			wait = next.Sub(now)
			return nil
		}
		plain, err := m.c.Box.Open(sealed, place(id))
		if err == nil {
			err = json.Unmarshal(plain, &found.letter)
		}
		if err != nil {
			return m.mark(ctx, tx, id, Failed, "The message cannot be opened: it was stored with another secret key.", now, true)
		}
		if found.letter.Via == nil && !m.Configured() {
			wait = elsewhere
			return nil
		}
		found.pause = m.c.Pauses[min(attempts, len(m.c.Pauses)-1)]
		p = found
		_, err = tx.Exec(ctx, "update mails set attempts = attempts + 1, locked_until = $2 where id = $1", id, now.Add(m.lease()))
		return err
	})
	if err != nil {
		return nil, 0, fmt.Errorf("take mail %s: %w", id, err)
	}
	return p, wait, nil
}

// dialer speaks to the server of a message, that of the installation unless the
// message names another one.
func (m *Mailer) dialer(l *letter) *dialer {
	d := &dialer{server: m.c.Server, roots: m.c.Roots, timeout: m.c.Timeout, from: m.c.From}
	if v := l.Via; v != nil {
		d.server = &config.MailServer{Host: v.Host, Port: v.Port, User: v.User, Password: config.Secret(v.Password), Implicit: v.Implicit, Plain: v.Plain}
		d.from = &mail.Address{Address: v.From}
		if v.Timeout > 0 {
			d.timeout = min(d.timeout, v.Timeout)
		}
	}
	return d
}

// Try sends a message at once and keeps nothing of it: an administrator waits to see
// whether mail works. No limit holds.
func (m *Mailer) Try(ctx context.Context, message Message) error {
	if !m.Configured() {
		return ErrNotConfigured
	}
	l, err := message.check()
	if err != nil {
		return err
	}
	m.date(l, uuid.New())
	return m.dialer(l).send(ctx, l)
}

// Check connects to the mail server as sending does, and sends nothing.
func (m *Mailer) Check(ctx context.Context) error {
	if !m.Configured() {
		return ErrNotConfigured
	}
	return m.dialer(&letter{}).check(ctx)
}

// settle stores how a try ended, also while the program is being stopped: what a
// server has accepted must not be forgotten.
func (m *Mailer) settle(ctx context.Context, p *parcel, failure error) (State, error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), settling)
	defer cancel()
	if failure == nil {
		return Sent, m.sent(ctx, p)
	}
	now := m.now()
	state, text, next := Queued, reason(failure), now.Add(p.pause)
	var refused *refusedError
	switch {
	case errors.As(failure, &refused):
		state = Refused
	case !next.Before(p.validTo):
		state, next = Failed, now
	}
	m.log.WarnContext(ctx, "mail not sent", slog.String("mail", p.id.String()), slog.String("purpose", string(p.purpose)), slog.String("state", string(state)), slog.String("error", text))
	err := m.c.DB.Write(ctx, func(ctx context.Context, tx store.Tx) error {
		return m.mark(ctx, tx, p.id, state, text, next, false)
	})
	return state, err
}

// mark stores the state of a message that was not sent.
func (m *Mailer) mark(ctx context.Context, tx store.Tx, id uuid.UUID, s State, text string, next time.Time, empty bool) error {
	_, err := tx.Exec(ctx, `update mails set state = $2, last_error = $3, next_try = $4, locked_until = $5, content = case when $6 then null else content end where id = $1`,
		id, string(s), text, next, m.now(), empty)
	if err != nil {
		return fmt.Errorf("mark mail %s: %w", id, err)
	}
	return nil
}

// sent stores that the server has accepted a message, with its event. The
// database is asked again until time is up: as long as it does not know, the
// message would be sent once more.
func (m *Mailer) sent(ctx context.Context, p *parcel) error {
	about := m.person(ctx, p.account)
	for pause := 100 * time.Millisecond; ; pause *= 2 {
		err := m.c.DB.Write(ctx, func(ctx context.Context, tx store.Tx) error {
			now := m.now()
			if _, err := tx.Exec(ctx, "update mails set state = $2, sent = $3, last_error = '', content = null, locked_until = $3 where id = $1", p.id, string(Sent), now); err != nil {
				return err
			}
			// No body: it holds links and codes.
			return m.c.Events.Record(ctx, tx, event.Event{Action: event.EmailSent, App: "weir.mail", User: about, Context: map[string]any{
				"message": "Email to " + p.recipient + " sent", "subject": p.letter.Subject, "from_email": m.c.From.Address, "to_email": p.recipient, "purpose": string(p.purpose)}})
		})
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("mail %s was sent, which could not be stored: %w", p.id, err)
		case <-time.After(pause):
		}
	}
}

// person is whom a mail was about, nil for nobody and for who is gone.
func (m *Mailer) person(ctx context.Context, account *int64) *identity.Person {
	if account == nil {
		return nil
	}
	p, err := m.c.Person(ctx, *account)
	if err != nil {
		if !errors.Is(err, flow.ErrNoPerson) {
			m.log.WarnContext(ctx, "person of a mail not read", slog.Any("error", err))
		}
		return nil
	}
	return p
}

// maxReason bounds the last error, in bytes.
const maxReason = 500

// printable makes one line of what another program wrote.
func printable(s string) string {
	s = strings.Map(func(r rune) rune {
		if unicode.IsSpace(r) {
			return ' '
		}
		if !unicode.IsPrint(r) {
			return -1
		}
		return r
	}, strings.ToValidUTF8(s, ""))
	if len(s) > maxReason {
		s = strings.ToValidUTF8(s[:maxReason], "")
	}
	return s
}
