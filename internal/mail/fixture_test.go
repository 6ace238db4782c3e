package mail_test

import (
	"context"
	"log/slog"
	netmail "net/mail"
	"net/netip"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/weir-id/weir/flow"
	"github.com/weir-id/weir/identity"
	"github.com/weir-id/weir/internal/config"
	"github.com/weir-id/weir/internal/event"
	"github.com/weir-id/weir/internal/guard"
	"github.com/weir-id/weir/internal/jobs"
	"github.com/weir-id/weir/internal/mail"
	"github.com/weir-id/weir/internal/mail/mailtest"
	"github.com/weir-id/weir/internal/seal"
	"github.com/weir-id/weir/internal/store"
)

// office is a mailer with what it needs.
type office struct {
	*testing.T
	db     store.DB
	server *mailtest.Server
	mail.Config
	mu     sync.Mutex
	states []string
	// passed is how far the clock is ahead.
	passed time.Duration
}

func newOffice(t *testing.T, db store.DB, c mailtest.Config) *office {
	t.Helper()
	o := &office{T: t, db: db, server: mailtest.New(t, c)}
	box, err := seal.NewBox(make([]byte, seal.KeyBytes))
	if err != nil {
		t.Fatal(err)
	}
	log := slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelWarn}))
	q, err := jobs.Open(t.Context(), db, log)
	if err != nil {
		t.Fatal(err)
	}
	o.Config = mail.Config{DB: db, Jobs: q, Box: box, Events: &event.Recorder{Now: o.now},
		Guard: guard.New(guard.Config{DB: db, Key: strings.ToLower, Now: o.now, Sends: guard.SendLimits{Address: 1000, Account: 1000, Window: time.Hour, Client: 1000,
			ClientWindow: time.Hour, Notices: 1000}}),
		Person: func(_ context.Context, id int64) (*identity.Person, error) {
			if id != 7 {
				return nil, flow.ErrNoPerson
			}
			return identity.NewPerson(identity.User{ID: 7, Username: "ada"}, nil), nil
		},
		Server: o.address("smtp://" + o.server.Addr), From: &netmail.Address{Name: "Acme", Address: "no-reply@acme.example"},
		Timeout: 20 * time.Second, Roots: o.server.Roots, Pauses: []time.Duration{10 * time.Millisecond},
		Site: &url.URL{Scheme: "https", Host: "id.example.org"}, Now: o.now, Log: log,
		Measure: func(p mail.Purpose, s mail.State, _ time.Duration) {
			o.mu.Lock()
			defer o.mu.Unlock()
			o.states = append(o.states, string(s))
		}}
	return o
}

func (o *office) now() time.Time {
	o.mu.Lock()
	defer o.mu.Unlock()
	return time.Now().Add(o.passed)
}

func (o *office) pass(d time.Duration) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.passed += d
}

func (o *office) address(text string) *config.MailServer {
	o.Helper()
	s, err := config.ParseMailServer(text)
	if err != nil {
		o.Fatal(err)
	}
	return s
}

// start has the mails sent; it is what another process is too.
func (o *office) start() *mail.Mailer {
	o.Helper()
	q, err := jobs.Open(o.Context(), o.db, o.Log)
	if err != nil {
		o.Fatal(err)
	}
	m := mail.New(o.Config)
	m.Handle(q)
	stop, err := q.Start(o.Context())
	if err != nil {
		o.Fatal(err)
	}
	o.Cleanup(func() {
		if err := stop(context.Background()); err != nil {
			o.Errorf("stop: %v", err)
		}
	})
	return m
}

// message is a mail of a flow.
func message() mail.Message {
	return mail.Message{To: []string{"Ada <ada@example.com>"}, Subject: "Grüße", Text: "Hello https://id.example.org/?flow_token=abc\n", HTML: "<p>Hello",
		Purpose: mail.Recovery, Client: netip.MustParseAddr("192.0.2.7"), Language: "de"}
}

// queue queues a message, which has to work.
func (o *office) queue(m mail.Message) uuid.UUID {
	o.Helper()
	if err := o.try(m); err != nil {
		o.Fatal(err)
	}
	ids, err := store.Select(o.Context(), o.db, store.Column[uuid.UUID], "select id from mails order by created desc, id limit 1")
	if err != nil || len(ids) != 1 {
		o.Fatal(ids, err)
	}
	return ids[0]
}

func (o *office) try(m mail.Message) error {
	o.Helper()
	return o.db.Write(o.Context(), func(ctx context.Context, tx store.Tx) error { return mail.New(o.Config).Queue(ctx, tx, m) })
}

// row is what the outbox says of a message.
type row struct {
	state, reason string
	attempts      int
	content       bool
}

func (o *office) row(id uuid.UUID) row {
	o.Helper()
	var r row
	err := o.db.QueryRow(o.Context(), "select state, last_error, attempts, content is not null from mails where id = $1", id).Scan(&r.state, &r.reason, &r.attempts, &r.content)
	if err != nil {
		o.Fatal(err)
	}
	return r
}

// until waits for a message to be in a state.
func (o *office) until(id uuid.UUID, state mail.State) row {
	o.Helper()
	return o.wait("the state "+string(state), id, func(r row) bool { return r.state == string(state) })
}

func (o *office) wait(what string, id uuid.UUID, done func(row) bool) row {
	o.Helper()
	deadline := time.Now().Add(30 * time.Second)
	for {
		r := o.row(id)
		if done(r) {
			return r
		}
		if time.Now().After(deadline) {
			o.Fatalf("%s did not come in time: %+v", what, r)
		}
		time.Sleep(5 * time.Millisecond)
	}
}
