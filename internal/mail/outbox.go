package mail

import (
	"context"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/mail"
	"net/url"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/riverqueue/river"

	"github.com/weir-id/weir/identity"
	"github.com/weir-id/weir/internal/config"
	"github.com/weir-id/weir/internal/event"
	"github.com/weir-id/weir/internal/guard"
	"github.com/weir-id/weir/internal/jobs"
	"github.com/weir-id/weir/internal/seal"
	"github.com/weir-id/weir/internal/store"
)

// State says how far a message has come.
type State string

// The states.
const (
	// Queued messages are sent, or tried again, by a job.
	Queued State = "queued"
	// Sent messages were accepted by the server.
	Sent State = "sent"
	// Refused ones were not, for good.
	Refused State = "refused"
	// Failed ones could not be handed over while they were of use.
	Failed State = "failed"
	// Pretended ones are for nobody, and are seen by nobody.
	Pretended State = "pretended"
)

// Choices lists the states.
func (State) Choices() []string {
	return []string{string(Queued), string(Sent), string(Refused), string(Failed)}
}

const (
	// retention is how long the outbox remembers a message, without its content.
	retention = 30 * 24 * time.Hour
	// usefulness is how long a message is tried that does not say.
	usefulness = 24 * time.Hour
	// maxQueued bounds what waits while the mail server is away.
	maxQueued = 10_000
)

// Config is what a Mailer needs. All fields without a stated default are required.
type Config struct {
	DB store.DB
	// Jobs sends what was queued; see Handle.
	Jobs *jobs.Queue
	// Box seals the messages.
	Box    *seal.Box
	Guard  *guard.Guard
	Events *event.Recorder
	// Person returns a user by id, for events; flow.ErrNoPerson for nobody.
	Person func(ctx context.Context, id int64) (*identity.Person, error)
	// Server is where mails are handed over. Nil refuses all mails.
	Server *config.MailServer
	// From is the sender; required with Server.
	From *mail.Address
	// Timeout bounds the conversation with the server. DefaultTimeout when 0.
	Timeout time.Duration
	// Roots are the authorities that the server's certificate is trusted for;
	// those of the system when nil.
	Roots *x509.CertPool
	// Pauses are those between the tries of a message; the last one is repeated.
	// Half a minute to an hour when nil.
	Pauses []time.Duration
	// Site is the address of the site, for Link.
	Site *url.URL
	// Measure is told about each try to send. Nil tells nobody.
	Measure func(p Purpose, s State, took time.Duration)
	// Now is the clock; time.Now when nil.
	Now func() time.Time
	Log *slog.Logger
}

// Mailer queues mails and sends them. It is safe for concurrent use.
type Mailer struct {
	c   Config
	log *slog.Logger
}

// New returns a mailer.
func New(c Config) *Mailer {
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Timeout == 0 {
		c.Timeout = DefaultTimeout
	}
	if c.Measure == nil {
		c.Measure = func(Purpose, State, time.Duration) {}
	}
	if len(c.Pauses) == 0 {
		c.Pauses = []time.Duration{30 * time.Second, 2 * time.Minute, 5 * time.Minute, 15 * time.Minute, time.Hour}
	}
	return &Mailer{c: c, log: c.Log.With(slog.String("component", "mail"))}
}

func (m *Mailer) now() time.Time { return m.c.Now().UTC().Truncate(time.Microsecond) }

// Configured tells whether there is a mail server.
func (m *Mailer) Configured() bool { return m.c.Server != nil }

// Link is an address of this site. Links in mails are made here alone, from the
// configured address and never from a request (rule 21).
func (m *Mailer) Link(path string, query url.Values) string {
	u := *m.c.Site
	u.Path, u.RawQuery = path, query.Encode()
	return u.String()
}

// Queue puts a message into the outbox with the transaction that makes it
// necessary. The error is ErrNotConfigured without a mail server, a
// *guard.LimitedError when there were too many mails already, ErrFull while very
// many wait, and wraps ErrMessage for a message that cannot be a mail; nothing is
// queued then and the transaction can go on.
//
// Strangers learn from a page whether an account exists if it tells of some of
// these errors (rule 18). So for an account that does not exist the caller calls
// Pretend, and for both it answers as if a mail had been sent, but for
// ErrNotConfigured and for a *guard.LimitedError of which Tell says that it may be
// told. Either way the transaction is committed, so that the client's attempt
// counts.
func (m *Mailer) Queue(ctx context.Context, tx store.Tx, message Message) error {
	return m.queue(ctx, tx, message, "")
}

// Pretend does what Queue does, for a name that nobody has, and nothing is sent: it
// takes as long, and ends the same way when it was asked for too often (rule 18).
func (m *Mailer) Pretend(ctx context.Context, tx store.Tx, message Message, name string) error {
	message.To, message.Account = []string{"nobody@localhost"}, 0
	return m.queue(ctx, tx, message, name)
}

// queue stores a message; nobody is the name that it is pretended for.
func (m *Mailer) queue(ctx context.Context, tx store.Tx, message Message, nobody string) error {
	if message.Via == nil && !m.Configured() {
		return ErrNotConfigured
	}
	l, err := message.check()
	if err != nil {
		return err
	}
	var waiting int
	err = tx.QueryRow(ctx, "select count(*) from (select 1 from mails where content is not null and state = 'queued' limit $1) q", maxQueued).Scan(&waiting)
	if err != nil {
		return fmt.Errorf("count waiting mails: %w", err)
	}
	if waiting >= maxQueued {
		return ErrFull
	}
	state, count := Queued, guard.Send{Account: message.Account, Recipients: l.addresses(), Client: message.Client, Notice: message.Purpose == Notice || message.Purpose == Test}
	if nobody != "" {
		state, count.Nobody, count.Recipients = Pretended, nobody, nil
	}
	if err := m.c.Guard.Send(ctx, tx, count); err != nil {
		return err
	}
	return m.insert(ctx, tx, &message, l, state)
}

func (m *Mailer) insert(ctx context.Context, tx store.Tx, message *Message, l *letter, state State) error {
	id, now := uuid.New(), m.now()
	m.date(l, id)
	plain, err := json.Marshal(l)
	if err != nil {
		return fmt.Errorf("encode mail: %w", err)
	}
	until := message.Until
	if until.IsZero() {
		until = now.Add(usefulness)
	}
	if last := now.Add(retention); until.After(last) {
		until = last
	}
	var account *int64
	if message.Account != 0 {
		account = &message.Account
	}
	_, err = tx.Exec(ctx, `insert into mails (id, state, purpose, recipient, user_id, attempts, last_error, content, created, next_try, locked_until, valid_until, expires)
		values ($1, $2, $3, $4, (select id from users where id = $5), 0, '', $6, $7, $7, $7, $8, $9)`,
		id, string(state), string(message.Purpose), strings.Join(l.addresses(), ", "), account, m.c.Box.Seal(plain, place(id)), now, until, now.Add(retention))
	if err != nil {
		return fmt.Errorf("queue mail: %w", err)
	}
	return m.c.Jobs.Insert(ctx, tx, sendArgs{ID: id}, queued)
}

// date gives a message what it keeps over all tries.
func (m *Mailer) date(l *letter, id uuid.UUID) {
	_, domain, _ := strings.Cut(m.dialer(l).from.Address, "@")
	l.ID, l.Date = id.String()+"@"+domain, m.now()
}

func place(id uuid.UUID) string { return "mail " + id.String() }

// sendArgs is the job that sends a message.
type sendArgs struct {
	ID uuid.UUID `json:"id"`
}

// Kind is the job's name in the queue.
func (sendArgs) Kind() string { return "send_mail" }

// queued are the options of the jobs. How often and when to try is decided by the
// message itself.
var queued = &river.InsertOpts{Queue: lane}

// Retry has a message that failed or was refused sent again, or one that waits
// sent at once. It tells whether there is such a message and it is still of use.
func (m *Mailer) Retry(ctx context.Context, tx store.Tx, id uuid.UUID) (bool, error) {
	if !m.Configured() {
		return false, ErrNotConfigured
	}
	now := m.now()
	n, err := tx.Exec(ctx, `update mails set state = $2, next_try = $3 where id = $1 and state not in ($4, $5) and content is not null and valid_until > $3`,
		id, string(Queued), now, string(Sent), string(Pretended))
	if err != nil {
		return false, fmt.Errorf("retry mail: %w", err)
	}
	if n == 0 {
		return false, nil
	}
	return true, m.c.Jobs.Insert(ctx, tx, sendArgs{ID: id}, queued)
}
