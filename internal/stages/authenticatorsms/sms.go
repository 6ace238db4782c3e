// Package authenticatorsms holds the stage that sets codes by text message up, and
// the kind of these devices: a phone that a code is sent to.
package authenticatorsms

import (
	"context"
	"embed"
	"net/http"
	"net/url"
	"regexp"

	"github.com/google/uuid"

	"github.com/weir-id/weir/field"
	"github.com/weir-id/weir/flow"
	"github.com/weir-id/weir/identity"
	"github.com/weir-id/weir/internal/authenticator"
	"github.com/weir-id/weir/internal/guard"
)

//go:embed *.html
var pages embed.FS

// kindType describes the devices.
var kindType = authenticator.Type{Class: "sms", Model: "authentik_stages_authenticator_sms.smsdevice", Label: "SMS Device", Plural: "SMS Devices", Schema: "SMSDevice",
	Methods: []string{flow.MethodCode, flow.MethodTextMessage}}

// Devices stores devices; it is authenticator.Devices.
type Devices interface {
	// ByHandle returns the device of a kind with the handle, nil for none.
	ByHandle(ctx context.Context, class, handle string) (*authenticator.Device, error)
	// Enrol adds a device with the step that out is about.
	Enrol(out flow.Outcome, t authenticator.Type, d *authenticator.Device) flow.Outcome
	// Change lets change edit what is kept with a device.
	Change(ctx context.Context, tx flow.Tx, id int64, change func(d *authenticator.Device) error) error
}

// House is the rest of the program.
type House interface {
	// CountMessage counts a message that is about to be sent, at once and for good.
	// The error is a *guard.LimitedError when it may not be sent now.
	CountMessage(ctx context.Context, s guard.Send) error
	// CodeText is the text of a message with a code, in the language that suits best.
	CodeText(language, code string) (string, error)
	// MapMessage is what a webhook mapping makes of variables.
	MapMessage(ctx context.Context, id uuid.UUID, p *identity.Person, variables map[string]any) (any, error)
}

// Env is what the stage and its kind need.
type Env struct {
	Devices Devices
	House   House
	Client  *http.Client
	// Twilio is the address of Twilio's API; the real one when empty.
	Twilio string
}

// Provider is who sends the messages.
type Provider string

// The providers on the wire.
const (
	Twilio  Provider = "twilio"
	Generic Provider = "generic"
)

// Choices lists the providers.
func (Provider) Choices() []string { return []string{string(Twilio), string(Generic)} }

// AuthType is how a generic provider knows us.
type AuthType string

// The ways on the wire.
const (
	Basic  AuthType = "basic"
	Bearer AuthType = "bearer"
)

// Choices lists the ways.
func (AuthType) Choices() []string { return []string{string(Basic), string(Bearer)} }

// Config is the configuration of a stage that sets codes by text message up.
type Config struct {
	authenticator.SetupConfig
	Provider   Provider `json:"provider" field:"required"`
	FromNumber string   `json:"from_number" field:"required,max=255"`
	// AccountSID is the account at Twilio, or the address of a generic provider.
	AccountSID string `json:"account_sid" field:"required,max=2048"`
	// Auth is the token, or for AuthType Basic the name that belongs to AuthPassword.
	// It may be missing, since exports leave it out and have to be imported.
	Auth         string   `json:"auth" field:"secret,blank,notrim,max=1024"`
	AuthPassword string   `json:"auth_password" field:"secret,blank,notrim,max=1024"`
	AuthType     AuthType `json:"auth_type"`
	// VerifyOnly keeps of the number only its hash: it has been verified, and no code
	// is ever sent there again.
	VerifyOnly bool `json:"verify_only"`
	// Mapping makes what is sent.
	Mapping *uuid.UUID `json:"mapping" field:"null,ref=notificationwebhookmapping"`
}

// account is what accounts at Twilio look like: they stand in its addresses.
var account = regexp.MustCompile(`^[A-Za-z0-9]{1,64}$`)

// Validate refuses accounts and addresses that cannot be called.
func (c *Config) Validate() field.Errors {
	if c.Provider == Twilio {
		if !account.MatchString(c.AccountSID) {
			return field.Errorf("account_sid", field.CodeInvalid, "Enter the account at Twilio, which begins with AC.")
		}
		return nil
	}
	u, err := url.Parse(c.AccountSID)
	if err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Hostname() == "" || u.User != nil {
		return field.Errorf("account_sid", field.CodeInvalid, "Enter the address of the provider, which begins with https://.")
	}
	return nil
}

// Type returns the stage type.
func Type(env Env) flow.StageType {
	return flow.NewStageType(flow.StageType{
		Name:              "authenticator_sms",
		Path:              "authenticator/sms",
		Model:             "authentik_stages_authenticator_sms.authenticatorsmsstage",
		Component:         "ak-stage-authenticator-sms-form",
		Label:             "SMS Authenticator Setup Stage",
		Description:       "Sets up codes by text message.",
		Schema:            "AuthenticatorSMSStage",
		Filters:           []string{"account_sid", "auth_type", "configure_flow", "friendly_name", "from_number", "mapping", "provider", "stage_uuid", "verify_only"},
		Exchanges:         []flow.Exchange{{Name: "AuthenticatorSMS", Challenge: &Challenge{}, Answer: answer{}}},
		Pages:             pages,
		SettingsComponent: "ak-user-settings-authenticator-sms",
	}, func() Config { return Config{AuthType: Basic} },
		func(Config) flow.Effects { return flow.Effects{Needs: []flow.Fact{flow.FactPerson}} },
		func(_ string, c Config) flow.Stage { return &stage{c, env} })
}

// Challenge asks for the number, or for the code that was sent there.
type Challenge struct {
	flow.UserInfo
	Required bool `json:"phone_number_required"`
	// Target is the number, most of it hidden.
	Target string `json:"-"`
	// Typed tells that the person typed the number here, and may type another one.
	Typed bool `json:"-"`
	// Problem says why no code was sent; nil when one was.
	Problem *field.Error `json:"-"`
}

// Component implements flow.Challenge.
func (*Challenge) Component() string { return "ak-stage-authenticator-sms" }

// answer is a code, or a number; with neither another code is asked for.
type answer struct {
	Code string `json:"code" field:"blank"`
	// Number may be empty, which takes a typed number back.
	Number *string `json:"phone_number" field:"blank,max=64"`
}
