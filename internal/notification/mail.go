package notification

import (
	"context"

	"github.com/weir-id/weir/internal/notification/rule"
	"github.com/weir-id/weir/internal/store"
)

// Mail is a notification on its way to a mailbox.
type Mail struct {
	Notification *Notification
	Subject      string
	// Template is filled in with Title, Body, the rows of Details, Link with
	// LinkLabel, and Source.
	Template        string
	Title, Body     string
	Details         [][2]string
	Link, LinkLabel string
	Source          string
}

// Mailer sends mail.
type Mailer interface {
	// Prepare fills the template in; the error is a fault of the template or of
	// the installation. What it returns puts the mail in with a transaction.
	Prepare(ctx context.Context, m *Mail) (queue func(ctx context.Context, tx store.Tx) error, err error)
}

// mail puts a notification into the outbox.
func (e *Engine) mail(ctx context.Context, t *rule.Transport, n *Notification) error {
	if n.User.Email == "" {
		return errSkipped
	}
	if e.Mail == nil {
		return permanent("no mail can be sent: no mail server is configured")
	}
	m := &Mail{Notification: n, Subject: t.EmailSubjectPrefix + n.title(), Template: t.EmailTemplate, Title: n.title(), Body: n.Body,
		Link: n.Link, LinkLabel: n.LinkLabel, Source: "Weir"}
	for _, text := range n.texts() {
		m.Details = append(m.Details, [2]string{text.name, text.value})
	}
	queue, err := e.Mail.Prepare(ctx, m)
	if err != nil {
		return &permanentError{err}
	}
	return e.DB.Write(silence(ctx), queue)
}
