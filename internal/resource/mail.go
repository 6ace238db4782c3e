package resource

import (
	"context"
	"errors"
	"time"

	"github.com/google/uuid"

	"github.com/weir-id/weir/field"
	"github.com/weir-id/weir/internal/access"
	"github.com/weir-id/weir/internal/event"
	"github.com/weir-id/weir/internal/mail"
	"github.com/weir-id/weir/internal/store"
)

const messageModel = "weir_mail.message"

// RetryMail is the permission to have a mail sent again.
const RetryMail access.Verb = "retry"

// messageRow is a mail, and what the API shows of it: never its text, which may
// hold links and codes.
type messageRow struct {
	PK      uuid.UUID    `json:"pk"`
	State   mail.State   `json:"state" field:"readonly"`
	Purpose mail.Purpose `json:"purpose" field:"readonly"`
	// Recipient are all addresses, with commas between them.
	Recipient string `json:"recipient" field:"readonly"`
	// User is whom the mail is about; null for nobody.
	User     *int64 `json:"user" field:"readonly,null"`
	Attempts int    `json:"attempts" field:"readonly"`
	// LastError is what the server said last, empty once a mail was sent.
	LastError string    `json:"last_error" field:"readonly"`
	Created   time.Time `json:"created" field:"readonly"`
	// NextTry is when a mail is tried again that waits; null for others.
	NextTry *time.Time `json:"next_try" field:"readonly,null"`
	// Sent is when the server accepted the mail.
	Sent *time.Time `json:"sent" field:"readonly,null"`
	// Expires is when the mail is forgotten.
	Expires time.Time `json:"expires" field:"readonly"`
}

// messages is weir_mail.message: the mails in the outbox. The program makes them;
// here they are seen without what they say, and forgotten: one that waits is not
// sent then.
func messages(p people) *made[messageRow] {
	return &made[messageRow]{people: p, model: messageModel, what: "mail", rows: messagesTable(p.now), keys: []string{"pk"},
		remove: "delete from mails where id = $1", members: new(messageRow), show: func(_ View, r *messageRow) map[string]any { return field.Encode(r, field.Public) },
		ref: func(r *messageRow) *Ref {
			return &Ref{Key: r.PK.String(), Name: string(r.Purpose) + " to " + r.Recipient}
		}}
}

func messagesTable(now func() time.Time) *table[messageRow] {
	return &table[messageRow]{
		from: "mails m", key: "m.id",
		columns: "m.id, m.state, m.purpose, m.recipient, m.user_id, m.attempts, m.last_error, m.created, m.next_try, m.sent, m.expires",
		scan: func(row store.Row) (messageRow, error) {
			var r messageRow
			var next time.Time
			err := row.Scan(&r.PK, (*string)(&r.State), (*string)(&r.Purpose), &r.Recipient, &r.User, &r.Attempts, &r.LastError, &r.Created, &next, &r.Sent, &r.Expires)
			if r.State == mail.Queued {
				r.NextTry = &next
			}
			return r, err
		},
		always: func(s *statement) { s.where("m.expires > ? and m.state <> 'pretended'", now()) },
		order: map[string]string{"pk": "m.id", "state": "m.state", "purpose": "m.purpose", "recipient": "m.recipient", "user": "m.user_id", "attempts": "m.attempts",
			"created": "m.created", "next_try": "m.next_try", "sent": "m.sent", "expires": "m.expires"},
		fallback: "m.created desc, m.id",
		search:   mentions("m.recipient", "m.last_error"),
		filters:  map[string]func(*statement, any){"state": equals("m.state"), "purpose": equals("m.purpose"), "user": equals("m.user_id"), "recipient": equals("m.recipient")},
	}
}

func messageFilters() []Filter {
	specs := field.Describe(new(messageRow))
	return []Filter{filterOf(specs, "purpose"), {Name: "recipient"}, filterOf(specs, "state"), {Name: "user", Type: "integer"}}
}

// RetryMail has a mail sent again that was not, or at once if it waits.
func (r *Registry) RetryMail(ctx context.Context, w *Write, ref *Ref) error {
	id, err := uuid.Parse(ref.ID())
	if err != nil {
		return err
	}
	done, err := r.mailer.Retry(ctx, w.Store(), id)
	switch {
	case errors.Is(err, mail.ErrNotConfigured):
		return field.Errorf(field.NonField, field.CodeInvalid, "No mail server is configured.")
	case err != nil:
		return err
	case !done:
		return field.Errorf(field.NonField, field.CodeInvalid, "This mail was sent, or is of no use any more.")
	}
	return r.user.record(ctx, w, event.ModelUpdated, ref)
}
