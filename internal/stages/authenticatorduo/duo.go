// Package authenticatorduo holds the stage that sets Duo up, and the kind of these
// devices: a phone with Duo's app, on which people say yes or no to a push.
package authenticatorduo

import (
	"context"
	"embed"
	"net/http"
	"time"

	"github.com/weir-id/weir/field"
	"github.com/weir-id/weir/flow"
	"github.com/weir-id/weir/internal/authenticator"
	"github.com/weir-id/weir/internal/duo"
	"github.com/weir-id/weir/internal/guard"
)

//go:embed *.html
var pages embed.FS

// kindType describes the devices. The handle of one is the id of the user at Duo.
var kindType = authenticator.Type{Class: "duo", Model: "authentik_stages_authenticator_duo.duodevice", Label: "Duo Device", Plural: "Duo Devices", Schema: "DuoDevice",
	Methods: []string{flow.MethodOtherChannel}, Imported: true}

// Devices stores devices; it is authenticator.Devices.
type Devices interface {
	// Enrol adds a device with the step that out is about.
	Enrol(out flow.Outcome, t authenticator.Type, d *authenticator.Device) flow.Outcome
	// Judge has check look at devices, one answer at a time.
	Judge(ctx context.Context, ids []int64, factor func(class string) float64, check func(d *authenticator.Device, now time.Time) (bool, error)) (authenticator.Judgement, error)
}

// House is the rest of the program.
type House interface {
	// CountMessage counts a push that is about to be sent, at once and for good. The
	// error is a *guard.LimitedError when it may not be sent now.
	CountMessage(ctx context.Context, s guard.Send) error
	// UncountMessage takes that back for a push that was wanted.
	UncountMessage(ctx context.Context, s guard.Send) error
}

// Env is what the stage and its kind need.
type Env struct {
	Devices Devices
	House   House
	// Client is made by duo.HTTP.
	Client *http.Client
	Now    func() time.Time
	// Waiting are the calls that people wait for; stage and kind have the same.
	Waiting *Waiting
}

// Config is the configuration of a stage that sets Duo up.
type Config struct {
	authenticator.SetupConfig
	// ClientID is the integration key of an application of type Auth API.
	ClientID string `json:"client_id" field:"required,max=255"`
	// ClientSecret may be missing, since exports leave it out and have to be imported.
	ClientSecret string `json:"client_secret" field:"secret,blank,notrim,max=1024"`
	APIHostname  string `json:"api_hostname" field:"required,max=255"`
	// AdminKey and AdminSecret are those of an application of type Admin API, for
	// importing devices.
	AdminKey    string `json:"admin_integration_key" field:"blank,max=255"`
	AdminSecret string `json:"admin_secret_key" field:"secret,blank,notrim,max=1024"`
}

// Validate refuses what is no host.
func (c *Config) Validate() field.Errors {
	if !duo.ValidHost(c.APIHostname) {
		return field.Errorf("api_hostname", field.CodeInvalid, "Enter the API hostname alone, like api-12345678.duosecurity.com.")
	}
	return nil
}

// auth is the Auth API of the account.
func (e *Env) auth(c *Config) *duo.Client {
	return &duo.Client{HTTP: e.Client, Host: c.APIHostname, Key: c.ClientID, Secret: c.ClientSecret, Now: e.Now}
}

// Type returns the stage type.
func Type(env Env) flow.StageType {
	return flow.NewStageType(flow.StageType{
		Name:              "authenticator_duo",
		Path:              "authenticator/duo",
		Model:             "authentik_stages_authenticator_duo.authenticatorduostage",
		Component:         "ak-stage-authenticator-duo-form",
		Label:             "Duo Authenticator Setup Stage",
		Description:       "Sets Duo up, with pushes to a phone.",
		Schema:            "AuthenticatorDuoStage",
		Filters:           []string{"api_hostname", "client_id", "configure_flow"},
		Exchanges:         []flow.Exchange{{Name: "AuthenticatorDuo", Challenge: &Challenge{}, Answer: answer{}}},
		Pages:             pages,
		SettingsComponent: "ak-user-settings-authenticator-duo",
	}, func() Config { return Config{} },
		func(Config) flow.Effects { return flow.Effects{Needs: []flow.Fact{flow.FactPerson}} },
		func(_ string, c Config) flow.Stage { return &stage{c, env} })
}

// Challenge shows what the phone opens.
type Challenge struct {
	flow.UserInfo
	// Barcode is the address of a picture at Duo. Pages draw their own.
	Barcode string `json:"activation_barcode" field:"required"`
	Code    string `json:"activation_code" field:"required"`
	StageID string `json:"stage_uuid" field:"required"`
}

// Component implements flow.Challenge.
func (*Challenge) Component() string { return "ak-stage-authenticator-duo" }

// Polls implements flow.Poller.
func (*Challenge) Polls() {}

// answer says nothing: Duo is asked.
type answer struct{}
