package mail

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/mail"
	"time"

	smtp "github.com/wneessen/go-mail"

	"github.com/weir-id/weir/internal/config"
)

// DefaultTimeout bounds the whole conversation with a mail server, twice: until
// it is ready, and until it has taken a message.
const DefaultTimeout = 15 * time.Second

// refusedError means that the server does not take the message, now or later.
type refusedError struct{ error }

// dialer speaks to a mail server.
type dialer struct {
	server  *config.MailServer
	roots   *x509.CertPool
	timeout time.Duration
	from    *mail.Address
}

// send hands the message over. A *refusedError is for good; whatever else went
// wrong, also with the way in, may go right later: a wrong password of ours is
// mended by an administrator, and the mail sent then.
func (d *dialer) send(ctx context.Context, l *letter) error {
	client, err := d.client()
	if err != nil {
		return err
	}
	connection, err := client.DialToSMTPClientWithContext(ctx)
	if err != nil {
		return fmt.Errorf("connect to %s: %w", d.server, err)
	}
	// What is over is not waited for: a server that is slow holds up nobody.
	stop := context.AfterFunc(ctx, func() { _ = connection.Close() })
	defer stop()
	m := d.message(l)
	err = client.SendWithSMTPClient(connection, m)
	// It is sent, whatever became of the connection afterwards.
	if m.IsDelivered() {
		_ = client.CloseWithSMTPClient(connection)
		return nil
	}
	_ = connection.Close()
	var sending *smtp.SendError
	if errors.As(err, &sending) && sending.ErrorCode() >= 500 {
		return &refusedError{err}
	}
	if end := ctx.Err(); end != nil {
		err = errors.Join(err, end)
	}
	return err
}

func (d *dialer) client() (*smtp.Client, error) {
	s := d.server
	options := []smtp.Option{
		smtp.WithPort(s.Port), smtp.WithTimeout(d.timeout),
		smtp.WithTLSConfig(&tls.Config{ServerName: s.Host, MinVersion: tls.VersionTLS12, RootCAs: d.roots}),
	}
	switch {
	case s.Implicit:
		options = append(options, smtp.WithSSL())
	case s.Plain:
		options = append(options, smtp.WithTLSPolicy(smtp.NoTLS))
	default:
		options = append(options, smtp.WithTLSPolicy(smtp.TLSMandatory))
	}
	if s.User != "" {
		// Without TLS it chooses none that shows the password.
		options = append(options, smtp.WithSMTPAuth(smtp.SMTPAuthAutoDiscover), smtp.WithUsername(s.User), smtp.WithPassword(s.Password.Reveal()))
	}
	return smtp.NewClient(s.Host, options...)
}

func (d *dialer) message(l *letter) *smtp.Msg {
	m := smtp.NewMsg(smtp.WithNoDefaultUserAgent())
	m.FromMailAddress(d.from)
	m.ToMailAddress(l.To...)
	m.CcMailAddress(l.Cc...)
	m.BccMailAddress(l.Bcc...)
	m.Subject(l.Subject)
	m.SetMessageIDWithValue(l.ID)
	m.SetDateWithValue(l.Date)
	// RFC 3834: nobody's machine answers.
	m.SetGenHeader("Auto-Submitted", "auto-generated")
	if l.Language != "" {
		m.SetGenHeader("Content-Language", l.Language)
	}
	m.SetBodyString(smtp.TypeTextPlain, l.Text)
	if l.HTML != "" {
		m.AddAlternativeString(smtp.TypeTextHTML, l.HTML)
	}
	return m
}

// check connects and authenticates, and sends nothing.
func (d *dialer) check(ctx context.Context) error {
	client, err := d.client()
	if err != nil {
		return err
	}
	connection, err := client.DialToSMTPClientWithContext(ctx)
	if err != nil {
		return fmt.Errorf("connect to %s: %w", d.server, err)
	}
	return client.CloseWithSMTPClient(connection)
}

// reason is what an administrator reads of an error: one line.
func reason(err error) string { return printable(err.Error()) }
