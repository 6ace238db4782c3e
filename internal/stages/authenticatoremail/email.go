// Package authenticatoremail holds the stage that sets codes by mail up, and the
// kind of these devices: a mailbox that a code is sent to.
package authenticatoremail

import (
	"context"
	"embed"
	"net/netip"
	"time"

	"github.com/weir-id/weir/field"
	"github.com/weir-id/weir/flow"
	"github.com/weir-id/weir/identity"
	"github.com/weir-id/weir/internal/authenticator"
	"github.com/weir-id/weir/internal/mail"
)

//go:embed *.html
var pages embed.FS

// kindType describes the devices.
var kindType = authenticator.Type{Class: "email", Model: "authentik_stages_authenticator_email.emaildevice", Label: "Email Device", Plural: "Email Devices", Schema: "EmailDevice",
	Methods: []string{flow.MethodCode}}

// Letter is a mail with a code.
type Letter struct {
	Person *identity.Person
	To     string
	// Code is good until Expires.
	Code    string
	Expires time.Time
	// Subject is empty for the one of the template.
	Subject  string
	Template string
	Client   netip.Addr
	// Language is what the person or their browser asks for.
	Language string
	Via      *mail.Via
}

// Letters sends mails with codes.
type Letters interface {
	// Write makes a mail, outside of the transaction that sends it, and returns what
	// queues it in that one. The error of Write is that of a template; the other is
	// mail.ErrNotConfigured, mail.ErrFull, a *guard.LimitedError or wraps
	// mail.ErrMessage when nothing is sent, and the transaction can go on then.
	Write(ctx context.Context, l *Letter) (send func(ctx context.Context, tx flow.Tx) error, err error)
}

// Devices stores devices; it is authenticator.Devices.
type Devices interface {
	// Confirmed returns the devices of the user that were set up to the end.
	Confirmed(ctx context.Context, user int64) ([]authenticator.Device, error)
	// Enrol adds a device with the step that out is about.
	Enrol(out flow.Outcome, t authenticator.Type, d *authenticator.Device) flow.Outcome
	// Change lets change edit what is kept with a device.
	Change(ctx context.Context, tx flow.Tx, id int64, change func(d *authenticator.Device) error) error
}

// Config is the configuration of a stage that sets codes by mail up.
type Config struct {
	authenticator.SetupConfig
	mail.StageConfig
}

// Validate refuses what no mail can be sent with, and codes that can be guessed at
// for very long.
func (c *Config) Validate() field.Errors {
	if c.TokenExpiry.Duration() > maxExpiry {
		return field.Errorf("token_expiry", field.CodeInvalid, "Enter a duration of at most one day, like minutes=30.")
	}
	return c.StageConfig.Validate()
}

// maxExpiry bounds how long a code holds.
const maxExpiry = 24 * time.Hour

// defaultSubject is that of a stage that has no subject of its own: the template
// has one then, in the language of the person.
const defaultSubject = "authentik Sign-in code"

func defaults() Config {
	return Config{StageConfig: mail.NewStageConfig(defaultSubject, "email/email_otp.html")}
}

// Type returns the stage type.
func Type(devices Devices, letters Letters) flow.StageType {
	return flow.NewStageType(flow.StageType{
		Name:        "authenticator_email",
		Path:        "authenticator/email",
		Model:       "authentik_stages_authenticator_email.authenticatoremailstage",
		Component:   "ak-stage-authenticator-email-form",
		Label:       "Email Authenticator Setup Stage",
		Description: "Sets up codes by mail.",
		Schema:      "AuthenticatorEmailStage",
		Filters: []string{"configure_flow", "friendly_name", "from_address", "host", "port", "stage_uuid", "subject", "template", "timeout", "token_expiry",
			"use_global_settings", "use_ssl", "use_tls", "username"},
		Exchanges:         []flow.Exchange{{Name: "AuthenticatorEmail", Challenge: &Challenge{}, Answer: answer{}}},
		Pages:             pages,
		SettingsComponent: "ak-user-settings-authenticator-email",
	}, defaults, func(Config) flow.Effects { return flow.Effects{Needs: []flow.Fact{flow.FactPerson}} },
		func(_ string, c Config) flow.Stage { return &stage{c, devices, letters} })
}

// Challenge asks for the address, or for the code that was sent there.
type Challenge struct {
	flow.UserInfo
	// Email is the address, masked; nil as long as there is none.
	Email    *string `json:"email" field:"null"`
	Required bool    `json:"email_required"`
	// Typed tells that the person typed the address here, and may type another one.
	Typed bool `json:"-"`
	// Problem says why no code was sent; nil when one was.
	Problem *field.Error `json:"-"`
}

// Component implements flow.Challenge.
func (*Challenge) Component() string { return "ak-stage-authenticator-email" }

// Target is where the code went, masked.
func (c *Challenge) Target() string {
	if c.Email == nil {
		return ""
	}
	return *c.Email
}

// answer is a code, or an address; with neither another code is asked for.
type answer struct {
	Code string `json:"code" field:"blank"`
	// Email may be empty, which takes a typed address back.
	Email *string `json:"email" field:"blank,max=254"`
}

// letter is a mail with a code of this configuration.
func (c *Config) letter(x *flow.Exec, p *identity.Person, to string, code authenticator.Code) *Letter {
	l := &Letter{Person: p, To: to, Code: code.Text, Expires: code.Until, Subject: c.Subject, Template: c.Template,
		Client: x.ClientIP(), Language: mail.Wanted(p, x.HTTP()), Via: c.Via()}
	if l.Subject == defaultSubject {
		l.Subject = ""
	}
	return l
}
