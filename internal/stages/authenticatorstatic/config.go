package authenticatorstatic

import (
	"github.com/weir-id/weir/field"
	"github.com/weir-id/weir/flow"
	"github.com/weir-id/weir/internal/authenticator"
)

// Config is the configuration of a stage that gives out recovery codes.
type Config struct {
	authenticator.SetupConfig
	// TokenCount is how many codes there are, TokenLength how many letters each has.
	TokenCount  int32 `json:"token_count" field:"min=0"`
	TokenLength int32 `json:"token_length" field:"min=0,max=100"`
}

// The bounds: five bits for each letter, and a list that fits on a sheet.
const (
	minLength = 8
	maxCount  = 100
)

// Validate refuses codes that can be guessed.
func (c *Config) Validate() field.Errors {
	var errs field.Errors
	if c.TokenLength < minLength {
		errs = errs.Merge(field.Errorf("token_length", field.CodeInvalid, "Enter a number of at least %d, so that nobody can guess a code.", minLength))
	}
	if c.TokenCount < 1 || c.TokenCount > maxCount {
		errs = errs.Merge(field.Errorf("token_count", field.CodeInvalid, "Enter a number from 1 to %d.", maxCount))
	}
	return errs
}

// Devices stores devices; it is authenticator.Devices.
type Devices interface {
	// Enrol adds a device with the step that out is about.
	Enrol(out flow.Outcome, t authenticator.Type, d *authenticator.Device) flow.Outcome
}

// Type returns the stage type.
func Type(devices Devices) flow.StageType {
	return flow.NewStageType(flow.StageType{
		Name:              "authenticator_static",
		Path:              "authenticator/static",
		Model:             "authentik_stages_authenticator_static.authenticatorstaticstage",
		Component:         "ak-stage-authenticator-static-form",
		Label:             "Static Authenticator Setup Stage",
		Description:       "Gives out recovery codes.",
		Schema:            "AuthenticatorStaticStage",
		Filters:           []string{"configure_flow", "friendly_name", "stage_uuid", "token_count", "token_length"},
		Exchanges:         []flow.Exchange{{Name: "AuthenticatorStatic", Challenge: &Challenge{}, Answer: answer{}}},
		Pages:             pages,
		SettingsComponent: "ak-user-settings-authenticator-static",
	}, func() Config { return Config{TokenCount: 6, TokenLength: 12} },
		func(Config) flow.Effects { return flow.Effects{Needs: []flow.Fact{flow.FactPerson}} },
		func(_ string, c Config) flow.Stage { return &stage{c, devices} })
}

// Challenge shows the codes.
type Challenge struct {
	flow.UserInfo
	Codes []string `json:"codes" field:"required"`
}

// Component implements flow.Challenge.
func (*Challenge) Component() string { return "ak-stage-authenticator-static" }

// answer says that the codes have been saved.
type answer struct{}

func unseen() field.Errors {
	return field.Errors{field.NonField: {{Code: field.CodeInvalid, Message: "static.error.unseen", String: "Save these codes, then go on."}}}
}
