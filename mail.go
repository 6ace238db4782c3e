package weir

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/weir-id/weir/identity"
	"github.com/weir-id/weir/internal/event"
	"github.com/weir-id/weir/internal/guard"
	"github.com/weir-id/weir/internal/mail"
	"github.com/weir-id/weir/internal/seal"
	"github.com/weir-id/weir/internal/store"
	"github.com/weir-id/weir/policy"
)

// openMail makes what sends mail. Without a mail server everything that would
// send one is told so.
func (in *Installation) openMail(keys *seal.Keys) error {
	c := in.config.Mail
	if c.Server != nil && c.From == nil {
		return errors.New("set WEIR_MAIL_FROM: mails need a sender")
	}
	err := in.loadTexts()
	if err != nil {
		return err
	}
	site := in.config.Site()
	if in.mails, err = mail.NewTemplates(mail.TemplatesConfig{Texts: in.texts, Own: in.texts.Mails(), Site: site, Brand: in.brandName}); err != nil {
		return err
	}
	in.mailer = mail.New(mail.Config{DB: in.db, Jobs: in.jobs, Box: keys.Box("mail"), Guard: in.limits, Events: in.events, Person: in.people.Person,
		Server: c.Server, From: c.From, Timeout: c.Timeout, Site: site, Now: in.now, Log: in.log,
		Measure: func(p mail.Purpose, s mail.State, took time.Duration) {
			in.metrics.Mails.WithLabelValues(string(p), string(s)).Observe(took.Seconds())
		}})
	return nil
}

// checkMail tells the log whether the mail server can be used. A site without one
// that answers works, but for mail.
func (in *Installation) checkMail(ctx context.Context) {
	if !in.mailer.Configured() {
		in.log.InfoContext(ctx, "no mail server is configured: mails are refused")
		return
	}
	if err := in.mailer.Check(ctx); err != nil && ctx.Err() == nil {
		in.log.WarnContext(ctx, "the mail server cannot be used; mails wait", slog.Any("error", err))
	}
}

// SendTestMail sends a mail to an address at once, to see whether that works. Nothing
// of it is stored.
func (in *Installation) SendTestMail(ctx context.Context, to string) error {
	data := map[string]any{}
	for name, id := range map[string]string{"title": "mail.test.title", "body": "mail.test.text"} {
		said, err := in.mails.Text("en", id, "Brand", in.brandName())
		if err != nil {
			return err
		}
		data[name] = said
	}
	subject, text, page, err := in.mails.Render(mail.Notification, "en", data)
	if err != nil {
		return err
	}
	if err := in.mailer.Try(ctx, mail.Message{To: []string{to}, Subject: subject, Text: text, HTML: page, Purpose: mail.Test, Language: "en"}); err != nil {
		return fmt.Errorf("send a test mail: %w", err)
	}
	return nil
}

// brandName is the name that mails are sent in: that of the site.
func (in *Installation) brandName() string {
	return in.catalog.Snapshot().BrandFor(in.config.Site().Host).Title
}

// refused counts what a limit refused.
func (in *Installation) refused(k guard.Kind) {
	counter := in.metrics.GuessesRefused
	if k.Sends() {
		counter = in.metrics.MailsRefused
	}
	counter.WithLabelValues(string(k)).Inc()
}

// queuePolicyMail queues a mail that a policy asks for, about a person who may be
// nil. A mail that cannot be sent keeps nobody from signing in: it is logged, and
// what an administrator can mend becomes an event. Limits are no such thing, since
// strangers reach them. An error is one of the database.
func (in *Installation) queuePolicyMail(ctx context.Context, tx store.Tx, p *identity.Person, h *policy.HTTPRequest, m policy.Mail) error {
	message := mail.Message{To: m.To, Cc: m.Cc, Bcc: m.Bcc, Subject: m.Subject, Text: m.Body, Purpose: mail.Policy, Language: in.mails.Language(mail.Wanted(p, h))}
	if p != nil {
		message.Account = p.ID
	}
	if h != nil {
		message.Client = h.ClientIP
	}
	var err error
	if m.Template != "" {
		var subject string
		if subject, message.Text, message.HTML, err = in.mails.Render(m.Template, message.Language, withUser(m.Context, p)); message.Subject == "" {
			message.Subject = subject
		}
		if err != nil {
			return in.complain(ctx, tx, "template", err)
		}
	}
	err = in.mailer.Queue(ctx, tx, message)
	var limited *guard.LimitedError
	switch {
	case errors.As(err, &limited), errors.Is(err, mail.ErrFull):
		in.log.WarnContext(ctx, "mail of a policy not queued", slog.Any("error", err))
		return nil
	case errors.Is(err, mail.ErrNotConfigured):
		return in.complain(ctx, tx, "server", err)
	case errors.Is(err, mail.ErrMessage):
		return in.complain(ctx, tx, "message", err)
	}
	return err
}

// MailTemplates lists the names of the templates of mails, own ones among them.
func (in *Installation) MailTemplates() []string { return in.mails.Names() }

// PreviewMail shows a mail of a template in both of its forms, with values that stand
// for real ones. The error is that of the template.
func (in *Installation) PreviewMail(template, language string) (subject, text, html string, err error) {
	return in.mails.Preview(template, language, nil)
}

// withUser are the values of a template, with the person where they name none.
func withUser(values map[string]any, p *identity.Person) map[string]any {
	all := map[string]any{"user": p}
	for name, v := range values {
		all[name] = v
	}
	return all
}

// complainEvery is how often an event says what keeps mails from being sent, for
// each reason and node.
const complainEvery = time.Hour

// complaints remember when each was made; there are few.
type complaints struct {
	mu   sync.Mutex
	made map[string]time.Time
}

// due tells whether it is time for another one.
func (c *complaints) due(reason string, now time.Time) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	at, made := c.made[reason]
	return !made || now.Sub(at) >= complainEvery
}

func (c *complaints) make(reason string, now time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.made == nil {
		c.made = map[string]time.Time{}
	}
	c.made[reason] = now
}

// complain records what is to be mended, not more often than people read it.
func (in *Installation) complain(ctx context.Context, tx store.Tx, reason string, err error) error {
	in.log.WarnContext(ctx, "mail of a policy not queued", slog.Any("error", err))
	now := in.now()
	if !in.complained.due(reason, now) {
		return nil
	}
	tx.AfterCommit(func() { in.complained.make(reason, now) })
	return in.events.Record(ctx, tx, event.Event{Action: event.ConfigurationError, App: "weir.mail", Context: map[string]any{
		"message": "A mail that a policy asks for cannot be sent: " + err.Error()}})
}
