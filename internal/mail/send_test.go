package mail_test

import (
	"context"
	"encoding/json"
	"errors"
	"mime"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/emersion/go-smtp"

	"github.com/weir-id/weir/internal/event"
	"github.com/weir-id/weir/internal/mail"
	"github.com/weir-id/weir/internal/mail/mailtest"
	"github.com/weir-id/weir/internal/store"
	"github.com/weir-id/weir/internal/store/storetest"
)

func TestAMailIsSentWithItsTransaction(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db store.DB) {
		o := newOffice(t, db, mailtest.Config{})
		m := message()
		m.Cc, m.Bcc = []string{"bob@example.com"}, []string{"carol@example.com"}
		undone := errors.New("undone")
		err := db.Write(t.Context(), func(ctx context.Context, tx store.Tx) error {
			return errors.Join(mail.New(o.Config).Queue(ctx, tx, m), undone)
		})
		if !errors.Is(err, undone) {
			t.Fatal(err)
		}
		id := o.queue(m)
		var sealed []byte
		if err := db.QueryRow(t.Context(), "select content from mails where id = $1", id).Scan(&sealed); err != nil || strings.Contains(string(sealed), "flow_token") {
			t.Errorf("the message lies open in the outbox: %q, %v", sealed, err)
		}
		o.start()
		if r := o.until(id, mail.Sent); r != (row{state: "sent", attempts: 1}) {
			t.Errorf("the outbox says %+v", r)
		}
		got := o.server.Mails()
		if len(got) != 1 {
			t.Fatalf("%d mails came", len(got))
		}
		if got[0].From != "no-reply@acme.example" || !slices.Equal(got[0].To, []string{"ada@example.com", "bob@example.com", "carol@example.com"}) {
			t.Errorf("envelope: from %s to %v", got[0].From, got[0].To)
		}
		for name, want := range map[string]string{"From": `"Acme" <no-reply@acme.example>`, "To": `"Ada" <ada@example.com>`, "Cc": "<bob@example.com>", "Bcc": "",
			"Subject": "Grüße", "Auto-Submitted": "auto-generated", "Content-Language": "de", "Message-Id": "<" + id.String() + "@acme.example>", "User-Agent": ""} {
			text, err := new(mime.WordDecoder).DecodeHeader(got[0].Header.Get(name))
			if err != nil || text != want {
				t.Errorf("%s: %q, %v, want %q", name, text, err, want)
			}
		}
		if body := string(got[0].Body); !strings.Contains(body, "text/plain") || !strings.Contains(body, "text/html") || !strings.Contains(got[0].Header.Get("Content-Type"), "multipart/alternative") {
			t.Errorf("body:\n%s", body)
		}
		events, err := o.Events.List(t.Context(), db, event.Filter{Actions: []event.Action{event.EmailSent}})
		if err != nil || len(events) != 1 {
			t.Fatal(events, err)
		}
		told, _ := json.Marshal(events[0].Context)
		if text := string(told); strings.Contains(text, "flow_token") || !strings.Contains(text, `"to_email":"ada@example.com, bob@example.com, carol@example.com"`) || !strings.Contains(text, `"subject":"Grüße"`) {
			t.Errorf("the event says %s", text)
		}
	})
}

func TestWhatIsToBeTriedAgain(t *testing.T) {
	t.Parallel()
	busy := &smtp.SMTPError{Code: 451, EnhancedCode: smtp.EnhancedCode{4, 3, 0}, Message: "try\rlater"}
	full := &smtp.SMTPError{Code: 550, EnhancedCode: smtp.EnhancedCode{5, 1, 1}, Message: "nobody here"}
	times := func(n int, err error) func(string) error {
		return func(string) error {
			if n--; n >= 0 {
				return err
			}
			return nil
		}
	}
	storetest.Each(t, func(t *testing.T, db store.DB) {
		for name, tt := range map[string]struct {
			rcpt func(string) error
			data func(n int, c net.Conn) error
			want row
			// mails is how many the server has, copies of one message.
			mails int
			text  string
		}{
			"a recipient whom the server does not want now": {times(2, busy), nil, row{state: "sent", attempts: 3}, 1, ""},
			"a recipient whom the server never wants":       {times(2, full), nil, row{state: "refused", attempts: 1, content: true}, 0, "nobody here"},
			"a message that the server does not want now": {nil, func(n int, _ net.Conn) error {
				if n == 1 {
					return busy
				}
				return nil
			}, row{state: "sent", attempts: 2}, 2, ""},
			"a message that the server never wants": {nil, func(int, net.Conn) error { return full }, row{state: "refused", attempts: 1, content: true}, 1, "nobody here"},
			"the connection is cut before the server says that it has the message": {nil, func(n int, c net.Conn) error {
				if n == 1 {
					return c.Close()
				}
				return nil
			}, row{state: "sent", attempts: 2}, 2, ""},
		} {
			t.Run(name, func(t *testing.T) {
				o := newOffice(t, db, mailtest.Config{})
				o.server.OnRecipient(tt.rcpt)
				o.server.OnData(tt.data)
				id := o.queue(message())
				o.start()
				got := o.until(id, mail.State(tt.want.state))
				if !strings.Contains(got.reason, tt.text) || strings.ContainsAny(got.reason, "\r\n") {
					t.Errorf("the reason is %q", got.reason)
				}
				if got.reason = ""; got != tt.want {
					t.Errorf("the outbox says %+v, want %+v", got, tt.want)
				}
				mails := o.server.Mails()
				if len(mails) != tt.mails {
					t.Fatalf("%d mails came, want %d", len(mails), tt.mails)
				}
				for _, m := range mails {
					for _, header := range []string{"Message-Id", "Date"} {
						if m.Header.Get(header) == "" || m.Header.Get(header) != mails[0].Header.Get(header) {
							t.Errorf("a copy has another %s: %q", header, m.Header.Get(header))
						}
					}
				}
			})
		}
	})
}

func TestASlowServerIsGivenUpOn(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db store.DB) {
		o := newOffice(t, db, mailtest.Config{})
		o.Timeout = 300 * time.Millisecond
		release := make(chan struct{})
		o.server.OnRecipient(func(string) error { <-release; return nil })
		id := o.queue(message())
		o.start()
		o.wait("a second try", id, func(r row) bool { return r.attempts > 1 && strings.Contains(r.reason, "timeout") })
		close(release)
		o.until(id, mail.Sent)
	})
}

// What the server has accepted is not sent again because the database is away.
func TestAnAcceptedMailIsNotSentAgain(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db store.DB) {
		watched := &failing{DB: db}
		o := newOffice(t, db, mailtest.Config{})
		o.Config.DB = watched
		o.server.OnData(func(int, net.Conn) error {
			watched.fail(3) // the database is away when that is to be stored
			return nil
		})
		id := o.queue(message())
		o.start()
		if r := o.until(id, mail.Sent); r.attempts != 1 || len(o.server.Mails()) != 1 || watched.left() != 0 {
			t.Errorf("%d tries, %d mails, %d failures to come", r.attempts, len(o.server.Mails()), watched.left())
		}
	})
}

// failing is a database that is away for some writes.
type failing struct {
	store.DB
	mu sync.Mutex
	n  int
}

func (f *failing) fail(n int) { f.mu.Lock(); defer f.mu.Unlock(); f.n = n }
func (f *failing) left() int  { f.mu.Lock(); defer f.mu.Unlock(); return f.n }

func (f *failing) Write(ctx context.Context, fn func(context.Context, store.Tx) error) error {
	f.mu.Lock()
	away := f.n > 0
	if away {
		f.n--
	}
	f.mu.Unlock()
	if away {
		return store.ErrUnavailable
	}
	return f.DB.Write(ctx, fn)
}

func TestAConnectionThatEndsAfterwardsIsNoFailure(t *testing.T) {
	t.Parallel()
	o := newOffice(t, storetest.SQLite(t), mailtest.Config{})
	o.server.CutAfterwards()
	id := o.queue(message())
	o.start()
	if r := o.until(id, mail.Sent); r.attempts != 1 || len(o.server.Mails()) != 1 {
		t.Errorf("%d tries, %d mails", r.attempts, len(o.server.Mails()))
	}
}

// Two nodes, and an administrator who is impatient, send one mail.
func TestRule32OneMailForManyJobs(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db store.DB) {
		o := newOffice(t, db, mailtest.Config{})
		id := o.queue(message())
		m := mail.New(o.Config)
		for range 10 {
			err := db.Write(t.Context(), func(ctx context.Context, tx store.Tx) error {
				ok, err := m.Retry(ctx, tx, id)
				if !ok {
					t.Error("the message cannot be retried")
				}
				return err
			})
			if err != nil {
				t.Fatal(err)
			}
		}
		o.start()
		o.start()
		o.until(id, mail.Sent)
		deadline := time.Now().Add(30 * time.Second)
		for n := -1; n != 0; {
			if err := db.QueryRow(t.Context(), "select count(*) from river_job where kind = 'send_mail' and finalized_at is null").Scan(&n); err != nil {
				t.Fatal(err)
			}
			if time.Now().After(deadline) {
				t.Fatalf("%d jobs are left", n)
			}
			time.Sleep(5 * time.Millisecond)
		}
		if n := len(o.server.Mails()); n != 1 {
			t.Errorf("%d mails came", n)
		}
		err := db.Write(t.Context(), func(ctx context.Context, tx store.Tx) error {
			if ok, err := m.Retry(ctx, tx, id); ok || err != nil {
				t.Errorf("a sent mail can be sent again: %v, %v", ok, err)
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	})
}

// What a process was sending when it died is sent by the next one, and only once the
// first cannot be at it any more.
func TestAMailIsNotLostWithItsProcess(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db store.DB) {
		o := newOffice(t, db, mailtest.Config{})
		id := o.queue(message())
		lost := o.now().Add(time.Minute)
		if _, err := db.Exec(t.Context(), "update mails set attempts = 1, locked_until = $1", lost); err != nil {
			t.Fatal(err)
		}
		if _, err := db.Exec(t.Context(), "delete from river_job"); err != nil {
			t.Fatal(err)
		}
		m := o.start()
		if err := m.Tend(t.Context()); err != nil {
			t.Fatal(err)
		}
		var n int
		if err := db.QueryRow(t.Context(), "select count(*) from river_job where kind = 'send_mail'").Scan(&n); err != nil || n != 0 {
			t.Errorf("%d jobs, %v, for a mail that somebody may be sending", n, err)
		}
		o.pass(2 * time.Minute)
		if err := m.Tend(t.Context()); err != nil {
			t.Fatal(err)
		}
		o.until(id, mail.Sent)
		if n := len(o.server.Mails()); n != 1 {
			t.Errorf("%d mails came", n)
		}
		// It may have died before it began, too.
		if err := db.Write(t.Context(), func(ctx context.Context, tx store.Tx) error {
			if err := m.Queue(ctx, tx, message()); err != nil {
				return err
			}
			_, err := tx.Exec(ctx, "delete from river_job where kind = 'send_mail' and finalized_at is null")
			return err
		}); err != nil {
			t.Fatal(err)
		}
		o.pass(4 * time.Minute)
		for _, want := range []int{0, 1} {
			if err := m.Tend(t.Context()); err != nil {
				t.Fatal(err)
			}
			var n int
			if err := db.QueryRow(t.Context(), "select count(*) from mails where state = 'queued' and next_try > created").Scan(&n); err != nil || n > want || want == 1 && n == 0 && len(o.server.Mails()) < 2 {
				t.Errorf("%d mails are taken up, %v, want %d", n, err, want)
			}
			o.pass(2 * time.Minute)
		}
		o.server.Wait(t, 2)
	})
}

func TestAMailOfNoUseIsNotSent(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db store.DB) {
		o := newOffice(t, db, mailtest.Config{})
		m := message()
		m.Until = o.now().Add(time.Hour)
		late, lost := o.queue(m), o.queue(m)
		m.Until = time.Time{}
		kept := o.queue(m)
		if _, err := db.Exec(t.Context(), "update mails set state = 'refused' where id in ($1, $2)", lost, kept); err != nil {
			t.Fatal(err)
		}
		o.pass(time.Hour)
		o.start()
		if r := o.until(late, mail.Failed); r.content || r.attempts != 0 || r.reason == "" {
			t.Errorf("a mail whose link has expired: %+v", r)
		}
		if r := o.wait("an empty message", lost, func(r row) bool { return !r.content }); r.state != "refused" {
			t.Errorf("a refused mail whose link has expired: %+v", r)
		}
		if r := o.row(kept); !r.content {
			t.Error("a message that may be retried is empty")
		}
		if n := len(o.server.Mails()); n != 0 {
			t.Errorf("%d mails came", n)
		}
	})
}

func TestAMailIsGivenUpWhenItsTimeIsOver(t *testing.T) {
	t.Parallel()
	storetest.Each(t, func(t *testing.T, db store.DB) {
		o := newOffice(t, db, mailtest.Config{})
		o.Pauses = []time.Duration{time.Hour}
		o.server.OnRecipient(func(string) error { return &smtp.SMTPError{Code: 421, Message: "no"} })
		m := message()
		m.Until = o.now().Add(30 * time.Minute)
		id := o.queue(m)
		o.start()
		if r := o.until(id, mail.Failed); r.attempts != 1 || !strings.Contains(r.reason, "421") {
			t.Errorf("given up with %+v", r)
		}
	})
}
