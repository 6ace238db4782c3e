package authenticatorwebauthn

import (
	"log/slog"
	"slices"

	"github.com/google/uuid"

	"github.com/weir-id/weir/field"
	"github.com/weir-id/weir/flow"
	"github.com/weir-id/weir/internal/authenticator"
	"github.com/weir-id/weir/internal/passkey"
)

// Config is the configuration of a stage that makes passkeys.
type Config struct {
	authenticator.SetupConfig
	// UserVerification is whether the passkey has to make sure of its owner,
	// ResidentKey whether it can be found without a name.
	UserVerification passkey.UserVerification `json:"user_verification"`
	ResidentKey      passkey.UserVerification `json:"resident_key_requirement"`
	// Attachment is where the passkey has to be; nil for anywhere.
	Attachment *passkey.Attachment `json:"authenticator_attachment" field:"null"`
	Hints      []passkey.Hint      `json:"hints"`
	// Restrictions are the makes that are allowed, by AAGUID; none for all. Zeros
	// stand for makes that are not known by name. A make that is listed has to be
	// vouched for by a certificate.
	Restrictions []uuid.UUID `json:"device_type_restrictions"`
	// RestrictionsNamed describes them.
	RestrictionsNamed []passkey.DeviceType `json:"device_type_restrictions_obj" field:"readonly"`
	// MaxAttempts is how many refused passkeys end the flow; 0 for no limit.
	MaxAttempts int32 `json:"max_attempts" field:"min=0"`
}

func defaults() Config {
	return Config{UserVerification: passkey.Preferred, ResidentKey: passkey.Preferred, Hints: []passkey.Hint{}, Restrictions: []uuid.UUID{}}
}

// Validate names the makes.
func (c *Config) Validate() field.Errors {
	c.RestrictionsNamed = passkey.Named(c.Restrictions)
	return nil
}

func (c *Config) wanted() passkey.Wanted {
	return passkey.Wanted{UserVerification: c.UserVerification, ResidentKey: c.ResidentKey, Attachment: c.Attachment, Hints: c.Hints}
}

// allowed are the names of the makes that are allowed; nil for all.
func (c *Config) allowed() []string {
	var out []string
	for _, m := range passkey.Named(c.Restrictions) {
		if m.AAGUID != uuid.Nil {
			out = append(out, m.Description)
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// Devices stores devices and finds them; it is authenticator.Devices.
type Devices interface {
	Judges
	// Enrol adds a device with the step that out is about.
	Enrol(out flow.Outcome, t authenticator.Type, d *authenticator.Device) flow.Outcome
}

// Type returns the stage type. The log takes why passkeys are refused.
func Type(devices Devices, log *slog.Logger) flow.StageType {
	return flow.NewStageType(flow.StageType{
		Name:        "authenticator_webauthn",
		Path:        "authenticator/webauthn",
		Model:       "authentik_stages_authenticator_webauthn.authenticatorwebauthnstage",
		Component:   "ak-stage-authenticator-webauthn-form",
		Label:       "WebAuthn Authenticator Setup Stage",
		Description: "Makes a passkey.",
		Schema:      "AuthenticatorWebAuthnStage",
		Filters: []string{"authenticator_attachment", "configure_flow", "device_type_restrictions", "max_attempts", "resident_key_requirement",
			"user_verification"},
		Exchanges:         []flow.Exchange{{Name: "AuthenticatorWebAuthn", Challenge: &Challenge{}, Answer: answer{}}},
		Pages:             pages,
		SettingsComponent: "ak-user-settings-authenticator-webauthn",
	}, defaults, func(Config) flow.Effects { return flow.Effects{Needs: []flow.Fact{flow.FactPerson}} },
		func(_ string, c Config) flow.Stage { return &stage{c, devices, log} })
}

// Challenge asks the browser to make a passkey.
type Challenge struct {
	flow.UserInfo
	Registration map[string]any `json:"registration" field:"required"`
	// Allowed are the names of the makes that are allowed, for pages; none for all.
	Allowed []string `json:"-"`
}

// Component implements flow.Challenge.
func (*Challenge) Component() string { return "ak-stage-authenticator-webauthn" }

type answer struct {
	Response map[string]any `json:"response" field:"required"`
}
