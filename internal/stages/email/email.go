// Package email holds the stage that sends a link by mail, and goes on when somebody
// comes back by it: it proves that the person reads the mail of their address.
package email

import (
	"context"
	"embed"
	"strings"
	"time"

	"github.com/weir-id/weir/field"
	"github.com/weir-id/weir/flow"
	"github.com/weir-id/weir/identity"
	"github.com/weir-id/weir/internal/directory"
	"github.com/weir-id/weir/internal/mail"
	"github.com/weir-id/weir/policy"
)

//go:embed *.html
var pages embed.FS

// Links sends links that lead back to a plan.
type Links interface {
	// Write makes the mail of a letter, outside of the transaction that sends
	// it. The error is mail.ErrNotConfigured where there is no server for it, or
	// that of a template.
	Write(ctx context.Context, l *Letter) (Sendable, error)
}

// Sendable is a mail that is ready.
type Sendable interface {
	// Send queues it in the transaction of a step. The error is mail.ErrFull, a *guard.LimitedError or wraps
	// mail.ErrMessage when nothing is sent; the transaction can go on then.
	Send(ctx context.Context, tx flow.Tx) error
}

// Accounts stores users.
type Accounts interface {
	// WriteUser changes a user in the transaction of the step.
	WriteUser(ctx context.Context, tx flow.Tx, u identity.User, c directory.Change) (identity.User, error)
}

// Config is the configuration of an e-mail stage.
type Config struct {
	// UseGlobalSettings sends through the mail server of the installation; else
	// through the one of the next fields.
	UseGlobalSettings bool   `json:"use_global_settings"`
	Host              string `json:"host" field:"max=255"`
	Port              int32  `json:"port" field:"min=1,max=65535"`
	Username          string `json:"username" field:"blank,max=1024"`
	Password          string `json:"password" field:"secret,blank,notrim,max=1024"`
	// UseTLS asks for STARTTLS, UseSSL is TLS from the first byte.
	UseTLS bool `json:"use_tls"`
	UseSSL bool `json:"use_ssl"`
	// Timeout bounds the conversation with the server, in seconds.
	Timeout     int32  `json:"timeout" field:"min=1,max=60"`
	FromAddress string `json:"from_address" field:"format=email,max=254"`

	// TokenExpiry is how long the link holds.
	TokenExpiry field.Duration `json:"token_expiry"`
	Subject     string         `json:"subject" field:"max=900"`
	// Template is the name of a template, such as email/password_reset.html.
	Template string `json:"template" field:"max=1024"`
	// ActivateUserOnSuccess lets the account of whoever comes back sign in.
	ActivateUserOnSuccess bool `json:"activate_user_on_success"`
	// RecoveryMaxAttempts is how often the mail may be asked for again within
	// RecoveryCacheTimeout, by whoever it is for.
	RecoveryMaxAttempts  int32          `json:"recovery_max_attempts" field:"min=0"`
	RecoveryCacheTimeout field.Duration `json:"recovery_cache_timeout"`
}

// defaultSubject is that of a stage that has no subject of its own: the template
// has one then, in the language of the person.
const defaultSubject = "authentik"

func defaults() Config {
	return Config{Host: "localhost", Port: 25, Timeout: 10, FromAddress: "system@authentik.local", TokenExpiry: "minutes=30", Subject: defaultSubject,
		Template: "email/password_reset.html", RecoveryMaxAttempts: 5, RecoveryCacheTimeout: "minutes=5"}
}

// The bounds of durations: a link in a mail is as good as a password.
const (
	maxExpiry = 30 * 24 * time.Hour
	maxWindow = 7 * 24 * time.Hour
)

// Validate refuses what no mail can be sent with.
func (c *Config) Validate() field.Errors {
	switch {
	case c.UseTLS && c.UseSSL:
		return field.Errorf("use_ssl", field.CodeInvalid, "Choose one of use_tls (STARTTLS) and use_ssl (TLS from the first byte).")
	case c.TokenExpiry.Duration() <= 0 || c.TokenExpiry.Duration() > maxExpiry:
		return field.Errorf("token_expiry", field.CodeInvalid, "Enter a duration of at most 30 days, like minutes=30.")
	case c.RecoveryCacheTimeout.Duration() <= 0 || c.RecoveryCacheTimeout.Duration() > maxWindow:
		return field.Errorf("recovery_cache_timeout", field.CodeInvalid, "Enter a duration of at most 7 days, like minutes=5.")
	case !directory.ValidEmail(c.FromAddress):
		return field.Errorf("from_address", field.CodeInvalid, "Enter an e-mail address, like name@example.com.")
	case strings.ContainsAny(c.Subject, "\r\n"):
		return field.Errorf("subject", field.CodeInvalid, "Enter a subject of one line.")
	}
	return nil
}

// via is the stage's own mail server, nil for that of the installation.
func (c *Config) via() *mail.Via {
	if c.UseGlobalSettings {
		return nil
	}
	return &mail.Via{Host: c.Host, Port: int(c.Port), User: c.Username, Password: c.Password, Implicit: c.UseSSL, Plain: !c.UseSSL && !c.UseTLS,
		From: c.FromAddress, Timeout: time.Duration(c.Timeout) * time.Second}
}

// Letter begins a letter to a person as the stage writes them.
func (c *Config) Letter(p *identity.Person, to string, h *policy.HTTPRequest) *Letter {
	l := &Letter{To: to, Person: p, Subject: c.Subject, Template: c.Template, Purpose: mail.Confirmation, Language: mail.Wanted(p, h), Via: c.via()}
	if c.Subject == defaultSubject {
		l.Subject = ""
	}
	if h != nil {
		l.Client = h.ClientIP
	}
	return l
}

// Type returns the stage type.
func Type(links Links, accounts Accounts) flow.StageType {
	return flow.NewStageType(flow.StageType{
		Name:        "email",
		Path:        "email",
		Model:       "authentik_stages_email.emailstage",
		Component:   "ak-stage-email-form",
		Label:       "Email Stage",
		Description: "Sends a link by mail, and goes on when somebody comes back by it.",
		Filters: []string{"activate_user_on_success", "from_address", "host", "port", "subject", "template", "timeout", "token_expiry", "use_global_settings",
			"use_ssl", "use_tls", "username"},
		Exchanges: []flow.Exchange{{Name: "Email", Challenge: &Challenge{}, Answer: answer{}}},
		Pages:     pages,
	}, defaults, func(Config) flow.Effects {
		return flow.Effects{Needs: []flow.Fact{flow.FactUser}, Always: []flow.Fact{flow.FactMailbox}}
	}, func(_ string, c Config) flow.Stage { return &stage{c, links, accounts} })
}

// Challenge says that a mail is on its way. It says so, too, where there is nobody
// to send one to, and whenever the opposite would tell who has an account here
// (rule 18).
type Challenge struct {
	flow.UserInfo
	// Secret tells that the page must not tell whether there is an account.
	Secret bool `json:"-"`
	// State is how sending went, as far as it may be told.
	State State `json:"-"`
}

// State is how sending a mail went.
type State struct {
	// Wait is the number of minutes for which nothing more is sent; 0 for none.
	Wait int
	// Problem says why nothing was sent: "off", "address" or "send"; empty for none.
	Problem string
}

// Component implements flow.Challenge.
func (*Challenge) Component() string { return "ak-stage-email" }

// TextSent is the id of the text that the mail was sent once more: clients get it as
// an error, pages show it as what it is.
const TextSent = "email.again"

// answer asks for another mail.
type answer struct{}
