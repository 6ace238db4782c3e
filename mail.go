package weir

import (
	"errors"
	"time"

	"github.com/weir-id/weir/internal/guard"
	"github.com/weir-id/weir/internal/mail"
	"github.com/weir-id/weir/internal/seal"
	"github.com/weir-id/weir/internal/web"
)

// openMail makes what sends mail. Without a mail server everything that would
// send one is told so.
func (in *Installation) openMail(keys *seal.Keys, limits *guard.Guard) error {
	c := in.config.Mail
	if c.Server != nil && c.From == nil {
		return errors.New("set WEIR_MAIL_FROM: mails need a sender")
	}
	folder, done, err := in.customPages()
	if err != nil {
		return err
	}
	defer done()
	texts, own, err := web.LoadTexts(folder)
	if err != nil {
		return err
	}
	site := in.config.Site()
	in.mails, err = mail.NewTemplates(mail.TemplatesConfig{Texts: texts, Own: own, Site: site, Brand: in.brandName})
	if err != nil {
		return err
	}
	in.mailer = mail.New(mail.Config{DB: in.db, Jobs: in.jobs, Box: keys.Box("mail"), Guard: limits, Events: in.events, Person: in.people.Person,
		Server: c.Server, From: c.From, Timeout: c.Timeout, Site: site, Now: in.now, Log: in.log,
		Measure: func(p mail.Purpose, s mail.State, took time.Duration) {
			in.metrics.Mails.WithLabelValues(string(p), string(s)).Observe(took.Seconds())
		}})
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
