package notification

import (
	"context"
	"errors"
	"fmt"

	"github.com/weir-id/weir/internal/mail"
	"github.com/weir-id/weir/internal/notification/rule"
	"github.com/weir-id/weir/internal/store"
)

// Mailer sends mail; *mail.Mailer does.
type Mailer interface {
	Configured() bool
	Queue(ctx context.Context, tx store.Tx, m mail.Message) error
}

// Templates make mails; *mail.Templates do.
type Templates interface {
	Render(template, lang string, data map[string]any) (subject, body, page string, err error)
	Language(lang string) string
}

// sendsMail tells whether there is a mail server.
func (e *Engine) sendsMail() bool { return e.Mail != nil && e.Mail.Configured() }

// mail puts a notification into the outbox, which has its own attempts.
func (e *Engine) mail(ctx context.Context, t *rule.Transport, n *Notification) error {
	if n.User.Email == "" {
		return errSkipped
	}
	if !e.sendsMail() {
		return &permanentError{mail.ErrNotConfigured}
	}
	settings, _ := n.User.Attributes["settings"].(map[string]any)
	locale, _ := settings["locale"].(string)
	details := map[string]any{}
	for _, text := range n.texts() {
		if text.value != n.Body {
			details[text.name] = text.value
		}
	}
	data := map[string]any{"subject": t.EmailSubjectPrefix + n.title(), "title": n.title(), "body": n.Body, "key_value": details, "user": n.User}
	if n.Link != "" {
		data["link"], data["link_label"] = n.Link, n.LinkLabel
	}
	if n.Rule != "" {
		data["source"] = n.Rule
	}
	_, text, page, err := e.Templates.Render(t.EmailTemplate, locale, data)
	if err != nil {
		return permanent("make the mail: %w", err)
	}
	message := mail.Message{To: []string{n.User.Email}, Subject: t.EmailSubjectPrefix + n.title(), Text: text, HTML: page, Purpose: mail.Notice, Account: n.User.ID,
		Language: e.Templates.Language(locale)}
	err = e.DB.Write(silence(ctx), func(ctx context.Context, tx store.Tx) error { return e.Mail.Queue(ctx, tx, message) })
	if errors.Is(err, mail.ErrNotConfigured) || errors.Is(err, mail.ErrMessage) {
		return &permanentError{err}
	}
	if err != nil {
		return fmt.Errorf("queue mail: %w", err)
	}
	return nil
}
