// Package mail is the one door through which Weir sends mail. A message is put
// into the outbox with the transaction that makes it necessary, so that neither
// exists without the other, and sent afterwards by a job: nobody waits for a mail
// server. Package guard limits how many messages people can cause.
//
// A message is sent at least once, and as near to once as mail allows: the
// outbox remembers what the server accepted, and a message keeps its Message-ID
// and date over all tries. Only when the server accepts one and the program, the
// connection or the database dies before that is stored does a second copy
// follow; most mail programs show two copies with one Message-ID as one.
package mail

import (
	"errors"
	"fmt"
	"net/mail"
	"net/netip"
	"slices"
	"strings"
	"time"
	"unicode/utf8"
)

// Purpose says why a message is sent. It decides which limits hold for it.
type Purpose string

// The purposes.
const (
	// Confirmation, Recovery, Code and Invitation are mails of flows.
	Confirmation Purpose = "confirmation"
	Recovery     Purpose = "recovery"
	Code         Purpose = "code"
	Invitation   Purpose = "invitation"
	// Policy is a mail that an expression asks for.
	Policy Purpose = "policy"
	// Notice is what the installation tells its administrators and people by
	// itself. Strangers do not use up its limit.
	Notice Purpose = "notice"
	// Test is sent by an administrator to see whether mail works.
	Test Purpose = "test"
)

// Choices lists the purposes.
func (Purpose) Choices() []string {
	return []string{string(Confirmation), string(Recovery), string(Code), string(Invitation), string(Policy), string(Notice), string(Test)}
}

// Message is a mail to be sent.
type Message struct {
	// To, Cc and Bcc are addresses, with a name or without: "Ada
	// <ada@example.com>". To is not empty.
	To, Cc, Bcc []string
	Subject     string
	// Text is required; HTML may be empty.
	Text, HTML string
	Purpose    Purpose
	// Account is the id of the user whom the mail is about, 0 for nobody.
	Account int64
	// Client is the address of the machine that causes the mail; the zero Addr
	// for nobody in particular.
	Client netip.Addr
	// Language is that of the text, such as "de"; empty for unknown.
	Language string
	// Via is another server than that of the installation; nil for that one.
	Via *Via
	// Until is when the mail is of no use any more, because its link or code has
	// expired: it is not sent later. A day from now when zero.
	Until time.Time
}

// Via is a mail server that a stage has for itself.
type Via struct {
	Host     string `json:"host"`
	Port     int    `json:"port"`
	User     string `json:"user,omitempty"`
	Password string `json:"password,omitempty"`
	// Implicit is TLS from the first byte, Plain none at all; with neither the
	// server has to offer STARTTLS.
	Implicit bool `json:"implicit,omitempty"`
	Plain    bool `json:"plain,omitempty"`
	// From is the sender's address.
	From string `json:"from"`
	// Timeout bounds the conversation with the server; that of the installation
	// when 0.
	Timeout time.Duration `json:"timeout,omitempty"`
}

// Limits of one message.
const (
	maxRecipients = 50
	maxSubject    = 900 // characters
	maxContent    = 1 << 20
	maxAddress    = 254
)

// ErrNotConfigured says that no mail server is configured.
var ErrNotConfigured = errors.New("no mail server is configured (smtp_url)")

// ErrFull says that the outbox holds too many messages that wait to be sent.
var ErrFull = errors.New("too many mails wait to be sent")

// ErrMessage is wrapped by what is wrong with a message.
var ErrMessage = errors.New("mail cannot be sent")

func faulty(format string, args ...any) error {
	return fmt.Errorf("%w: %w", ErrMessage, fmt.Errorf(format, args...))
}

// letter is a checked message: what is sealed in the outbox.
type letter struct {
	To      []*mail.Address `json:"to"`
	Cc      []*mail.Address `json:"cc,omitempty"`
	Bcc     []*mail.Address `json:"bcc,omitempty"`
	Subject string          `json:"subject"`
	Text    string          `json:"text"`
	HTML    string          `json:"html,omitempty"`
	// Language, ID and Date are headers.
	Language string    `json:"language,omitempty"`
	ID       string    `json:"id"`
	Via      *Via      `json:"via,omitempty"`
	Date     time.Time `json:"date"`
}

// check parses the addresses and refuses what would end a header early (rule 48):
// the library encodes such characters, but nobody has a good reason for them.
func (m *Message) check() (*letter, error) {
	l := &letter{Subject: m.Subject, Text: m.Text, HTML: m.HTML, Language: m.Language, Via: m.Via}
	if m.Via != nil {
		if _, err := parseAddress(m.Via.From); err != nil {
			return nil, faulty("from: %w", err)
		}
	}
	for _, field := range []struct {
		name string
		from []string
		to   *[]*mail.Address
	}{{"to", m.To, &l.To}, {"cc", m.Cc, &l.Cc}, {"bcc", m.Bcc, &l.Bcc}} {
		for _, text := range field.from {
			address, err := parseAddress(text)
			if err != nil {
				return nil, faulty("%s: %w", field.name, err)
			}
			*field.to = append(*field.to, address)
		}
	}
	switch n := len(l.To) + len(l.Cc) + len(l.Bcc); {
	case len(l.To) == 0:
		return nil, faulty("to: nobody")
	case n > maxRecipients:
		return nil, faulty("more than %d recipients", maxRecipients)
	case !oneLine(m.Subject):
		return nil, faulty("subject: more than one line")
	case utf8.RuneCountInString(m.Subject) > maxSubject:
		return nil, faulty("subject: longer than %d characters", maxSubject)
	case !oneLine(m.Language) || len(m.Language) > 40:
		return nil, faulty("language: %q", m.Language)
	case m.Text == "":
		return nil, faulty("text: empty")
	case len(m.Text)+len(m.HTML) > maxContent:
		return nil, faulty("text: longer than %d bytes", maxContent)
	case !slices.Contains(Purpose("").Choices(), string(m.Purpose)):
		return nil, faulty("purpose: %q", m.Purpose)
	}
	return l, nil
}

// CheckAddress tells what is wrong with an address, with a name or without.
func CheckAddress(text string) error {
	_, err := parseAddress(text)
	return err
}

func parseAddress(text string) (*mail.Address, error) {
	if !oneLine(text) {
		return nil, errors.New("an address of more than one line")
	}
	a, err := mail.ParseAddress(text)
	if err != nil {
		return nil, fmt.Errorf("%q is no address: %w", text, err)
	}
	if !oneLine(a.Name) || !oneLine(a.Address) || len(a.Address) > maxAddress {
		return nil, fmt.Errorf("%q is no address", text)
	}
	return a, nil
}

// oneLine tells whether a text is valid and has no character that ends a line or
// controls anything.
func oneLine(s string) bool {
	return utf8.ValidString(s) && !strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r == 0x7f || r == 0x85 || r == 0x2028 || r == 0x2029 })
}

// addresses are those of all recipients.
func (l *letter) addresses() []string {
	var all []string
	for _, list := range [][]*mail.Address{l.To, l.Cc, l.Bcc} {
		for _, a := range list {
			all = append(all, a.Address)
		}
	}
	return all
}
