// Package email holds the stage that sends a link by mail, and goes on when somebody
// comes back by it: it proves that the person reads the mail of their address.
package email

import (
	"context"
	"embed"
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
	mail.StageConfig
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
	return Config{StageConfig: mail.NewStageConfig(defaultSubject, "email/password_reset.html"), RecoveryMaxAttempts: 5, RecoveryCacheTimeout: "minutes=5"}
}

// maxWindow bounds the time that mails are counted in.
const maxWindow = 7 * 24 * time.Hour

// Validate refuses what no mail can be sent with.
func (c *Config) Validate() field.Errors {
	if c.RecoveryCacheTimeout.Duration() <= 0 || c.RecoveryCacheTimeout.Duration() > maxWindow {
		return field.Errorf("recovery_cache_timeout", field.CodeInvalid, "Enter a duration of at most 7 days, like minutes=5.")
	}
	return c.StageConfig.Validate()
}

// Letter begins a letter to a person as the stage writes them.
func (c *Config) Letter(p *identity.Person, to string, h *policy.HTTPRequest) *Letter {
	l := &Letter{To: to, Person: p, Subject: c.Subject, Template: c.Template, Purpose: mail.Confirmation, Language: mail.Wanted(p, h), Via: c.Via()}
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
