package authenticatorvalidate

import (
	"math"

	"github.com/google/uuid"

	"github.com/weir-id/weir/field"
	"github.com/weir-id/weir/internal/authenticator"
	"github.com/weir-id/weir/internal/passkey"
)

// NotConfigured says what happens to a person without an allowed device.
type NotConfigured string

// The actions on the wire.
const (
	Skip      NotConfigured = "skip"
	Deny      NotConfigured = "deny"
	Configure NotConfigured = "configure"
)

// Choices lists the actions.
func (NotConfigured) Choices() []string {
	return []string{string(Skip), string(Deny), string(Configure)}
}

// Class is a kind of device.
type Class string

// The device classes on the wire.
const (
	Static   Class = "static"
	TOTP     Class = "totp"
	WebAuthn Class = "webauthn"
	Duo      Class = "duo"
	SMS      Class = "sms"
	Email    Class = "email"
)

// Choices lists the classes.
func (Class) Choices() []string {
	return []string{string(Static), string(TOTP), string(WebAuthn), string(Duo), string(SMS), string(Email)}
}

// Config is the configuration of an authenticator validation stage.
type Config struct {
	NotConfiguredAction NotConfigured `json:"not_configured_action"`
	DeviceClasses       []Class       `json:"device_classes"`
	// ConfigurationStages set a device up where the action is configure. With
	// several the person chooses.
	ConfigurationStages []uuid.UUID `json:"configuration_stages" field:"ref=stage"`
	// LastAuthThreshold is for how long a browser need not ask again; 0 asks
	// every time.
	LastAuthThreshold          field.Duration           `json:"last_auth_threshold"`
	WebAuthnUserVerification   passkey.UserVerification `json:"webauthn_user_verification"`
	WebAuthnHints              []passkey.Hint           `json:"webauthn_hints"`
	WebAuthnAllowedDeviceTypes []uuid.UUID              `json:"webauthn_allowed_device_types"`
	// AllowedDeviceTypes describes the allowed types.
	AllowedDeviceTypes []passkey.DeviceType `json:"webauthn_allowed_device_types_obj" field:"readonly"`
	// The throttling factors multiply the wait after a wrong code, in seconds;
	// 0 turns the wait off.
	EmailThrottling  float64 `json:"email_otp_throttling_factor"`
	SMSThrottling    float64 `json:"sms_otp_throttling_factor"`
	TOTPThrottling   float64 `json:"totp_otp_throttling_factor"`
	StaticThrottling float64 `json:"static_otp_throttling_factor"`
}

func defaults() Config {
	return Config{NotConfiguredAction: Skip, DeviceClasses: []Class{Static, TOTP, WebAuthn, Duo, SMS, Email},
		ConfigurationStages: []uuid.UUID{}, LastAuthThreshold: "seconds=0", WebAuthnUserVerification: passkey.Preferred,
		WebAuthnHints: []passkey.Hint{}, WebAuthnAllowedDeviceTypes: []uuid.UUID{},
		EmailThrottling: 1, SMSThrottling: 1, TOTPThrottling: 1, StaticThrottling: 1}
}

// Demand implements authenticator.Demanding.
func (c *Config) Demand() authenticator.Demand {
	d := authenticator.Demand{Options: c.options(), Without: authenticator.ShutOut}
	for _, class := range c.DeviceClasses {
		d.Classes = append(d.Classes, string(class))
	}
	switch c.NotConfiguredAction {
	case Skip:
		d.Without = authenticator.Spared
	case Configure:
		d.Without = authenticator.Due
	}
	return d
}

// Validate refuses a set-up that could never be offered, and factors that
// would shorten the wait. It names the allowed types.
func (c *Config) Validate() field.Errors {
	var errs field.Errors
	c.AllowedDeviceTypes = passkey.Named(c.WebAuthnAllowedDeviceTypes)
	if c.NotConfiguredAction == Configure && len(c.ConfigurationStages) == 0 {
		errs = errs.Merge(field.Errorf("not_configured_action", field.CodeInvalid,
			"Name at least one of configuration_stages, or choose another action."))
	}
	if c.LastAuthThreshold.Duration() < 0 {
		errs = errs.Merge(field.Errorf("last_auth_threshold", field.CodeInvalid,
			"Enter a duration that is not negative, like hours=8."))
	}
	for name, factor := range map[string]float64{
		"email_otp_throttling_factor": c.EmailThrottling, "sms_otp_throttling_factor": c.SMSThrottling,
		"totp_otp_throttling_factor": c.TOTPThrottling, "static_otp_throttling_factor": c.StaticThrottling,
	} {
		if factor < 0 || math.IsNaN(factor) || math.IsInf(factor, 0) {
			errs = errs.Merge(field.Errorf(name, field.CodeInvalid, "Enter a number that is 0 or more."))
		}
	}
	return errs
}
