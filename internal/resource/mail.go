package resource

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/weir-id/weir/field"
	"github.com/weir-id/weir/internal/access"
	"github.com/weir-id/weir/internal/event"
	"github.com/weir-id/weir/internal/mail"
	"github.com/weir-id/weir/internal/store"
)

// message is weir_mail.message: a mail in the outbox. The program makes them; here
// they are seen without what they say, tried again, and forgotten.
type message struct {
	people
	mailer *mail.Mailer
	rows   *table[messageRow]
}

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

// Fields implements Objects.
func (k *message) Fields() []field.Spec { return field.Describe(new(messageRow)) }

func messageRef(r *messageRow) *Ref {
	return &Ref{Model: messageModel, Key: r.PK.String(), Name: string(r.Purpose) + " to " + r.Recipient, loaded: r}
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
		always: func(s *statement) { s.where("m.expires > ?", now()) },
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

// Find implements Objects.
func (k *message) Find(ctx context.Context, v View, match map[string]any) (*Ref, error) {
	match, ok, err := lookup(messageModel, match, map[string]matchType{"pk": matchUUID})
	if err != nil || !ok {
		return nil, err
	}
	s := &statement{dialect: v.Dialect}
	k.rows.always(s)
	s.where("m.id = ?", fmt.Sprint(match["pk"]))
	found, err := store.Select(ctx, v.DB, k.rows.scan, "select "+k.rows.columns+" from "+k.rows.from+s.condition(), s.args...)
	if err != nil {
		return nil, fmt.Errorf("find mail: %w", err)
	}
	if len(found) == 0 {
		return nil, nil
	}
	return messageRef(&found[0]), nil
}

// List implements Objects.
func (k *message) List(ctx context.Context, v View, q *Query) ([]*Ref, int, error) {
	rows, total, err := k.rows.list(ctx, v, q)
	refs := make([]*Ref, len(rows))
	for i := range rows {
		refs[i] = messageRef(&rows[i])
	}
	return refs, total, err
}

// Read implements Objects.
func (k *message) Read(ctx context.Context, v View, refs ...*Ref) ([]map[string]any, error) {
	out := make([]map[string]any, len(refs))
	for i, ref := range refs {
		row, ok := ref.loaded.(*messageRow)
		if !ok {
			now, err := k.Find(ctx, v, map[string]any{"pk": ref.ID()})
			if err != nil {
				return nil, err
			}
			if now == nil {
				return nil, fmt.Errorf("read mail %s: %w", ref.ID(), ErrGone)
			}
			row = now.loaded.(*messageRow)
		}
		out[i] = field.Encode(row, field.Public)
	}
	return out, nil
}

// Create implements Objects.
func (k *message) Create(context.Context, *Write, string, map[string]any) (*Ref, []string, error) {
	return nil, nil, never(messageModel)
}

// Update implements Objects.
func (k *message) Update(context.Context, *Write, *Ref, map[string]any, field.Mode) (changed, unknown []string, err error) {
	return nil, nil, never(messageModel)
}

// Check implements Objects.
func (k *message) Check(context.Context, *Write, *Ref, map[string]any) error {
	return never(messageModel)
}

// Delete forgets a mail; one that waits is not sent.
func (k *message) Delete(ctx context.Context, w *Write, ref *Ref) error {
	n, err := w.Store().Exec(ctx, "delete from mails where id = $1", ref.ID())
	if err == nil && n == 0 {
		err = ErrGone
	}
	if err != nil {
		return fmt.Errorf("delete mail %s: %w", ref.ID(), err)
	}
	return k.record(ctx, w, event.ModelDeleted, ref)
}

// UsedBy implements Objects.
func (k *message) UsedBy(context.Context, View, *Ref) ([]Use, error) { return []Use{}, nil }

// RetryMail has a mail sent again that was not, or at once if it waits.
func (r *Registry) RetryMail(ctx context.Context, w *Write, ref *Ref) error {
	id, err := uuid.Parse(ref.ID())
	if err != nil {
		return err
	}
	done, err := r.message.mailer.Retry(ctx, w.Store(), id)
	switch {
	case errors.Is(err, mail.ErrNotConfigured):
		return field.Errorf(field.NonField, field.CodeInvalid, "No mail server is configured.")
	case err != nil:
		return err
	case !done:
		return field.Errorf(field.NonField, field.CodeInvalid, "This mail was sent, or is of no use any more.")
	}
	return r.message.record(ctx, w, event.ModelUpdated, ref)
}
