// Package authenticatortotp holds the stage that sets up an app that shows codes
// which change with the time (TOTP, RFC 6238), and the kind of these devices.
package authenticatortotp

import (
	"context"
	"embed"
	"encoding/base64"
	"fmt"
	"time"

	"github.com/weir-id/weir/field"
	"github.com/weir-id/weir/flow"
	"github.com/weir-id/weir/identity"
	"github.com/weir-id/weir/internal/authenticator"
)

//go:embed *.html
var pages embed.FS

// kindType describes the devices.
var kindType = authenticator.Type{Class: "totp", Model: "authentik_stages_authenticator_totp.totpdevice", Label: "TOTP Device", Plural: "TOTP Devices", Schema: "TOTPDevice",
	Methods: []string{flow.MethodCode}}

// Kind is the kind of TOTP devices.
type Kind struct{}

var _ authenticator.Coder = Kind{}

// Type implements authenticator.Kind.
func (Kind) Type() authenticator.Type { return kindType }

// Offer implements authenticator.Kind.
func (Kind) Offer(_ context.Context, v *authenticator.Validation) ([]authenticator.Offer, error) {
	return authenticator.First(v.Devices), nil
}

// Check implements authenticator.Coder.
func (Kind) Check(d *authenticator.Device, code string, now time.Time) (bool, error) {
	return check(d, code, now)
}

// Digits is how long codes are.
type Digits string

// The lengths on the wire.
const (
	Six   Digits = "6"
	Eight Digits = "8"
)

// Choices lists the lengths.
func (Digits) Choices() []string { return []string{string(Six), string(Eight)} }

// Number is the length as a number.
func (d Digits) Number() int {
	if d == Eight {
		return 8
	}
	return 6
}

// Config is the configuration of a TOTP set-up stage.
type Config struct {
	authenticator.SetupConfig
	Digits Digits `json:"digits" field:"required"`
}

// Devices stores devices; it is authenticator.Devices.
type Devices interface {
	// Enrol adds a device with the step that out is about.
	Enrol(out flow.Outcome, t authenticator.Type, d *authenticator.Device) flow.Outcome
}

// Type returns the stage type.
func Type(devices Devices) flow.StageType {
	return flow.NewStageType(flow.StageType{
		Name:              "authenticator_totp",
		Path:              "authenticator/totp",
		Model:             "authentik_stages_authenticator_totp.authenticatortotpstage",
		Component:         "ak-stage-authenticator-totp-form",
		Label:             "TOTP Authenticator Setup Stage",
		Description:       "Sets up an app that shows codes.",
		Schema:            "AuthenticatorTOTPStage",
		Filters:           []string{"configure_flow", "digits", "friendly_name", "stage_uuid"},
		Exchanges:         []flow.Exchange{{Name: "AuthenticatorTOTP", Challenge: &Challenge{}, Answer: answer{}}},
		Pages:             pages,
		SettingsComponent: "ak-user-settings-authenticator-totp",
	}, func() Config { return Config{Digits: Six} },
		func(Config) flow.Effects { return flow.Effects{Needs: []flow.Fact{flow.FactPerson}} },
		func(_ string, c Config) flow.Stage { return &stage{c, devices} })
}

// Challenge shows the key, and asks for the first code.
type Challenge struct {
	flow.UserInfo
	ConfigURL string `json:"config_url" field:"required"`
	// Key is the key as text, Digits how long codes are; both for pages.
	Key    string `json:"-"`
	Digits int    `json:"-"`
}

// Component implements flow.Challenge.
func (*Challenge) Component() string { return "ak-stage-authenticator-totp" }

type answer struct {
	Code string `json:"code" field:"required"`
}

type stage struct {
	config  Config
	devices Devices
}

var _ flow.Stage = (*stage)(nil)

// Challenge implements flow.Stage.
func (s *stage) Challenge(ctx context.Context, x *flow.Exec) (flow.Outcome, error) {
	p, out, err := authenticator.Owner(ctx, x)
	if p == nil || err != nil {
		return out, err
	}
	key, err := s.pending(x, p)
	if err != nil {
		return flow.Outcome{}, err
	}
	return flow.Ask(&Challenge{ConfigURL: key.address(issuer(x), p.Username), Key: key.text(), Digits: key.Digits}), nil
}

// Respond implements flow.Stage: a code shows that the app has the key.
func (s *stage) Respond(ctx context.Context, x *flow.Exec, r flow.Response) (flow.Outcome, error) {
	p, out, err := authenticator.Owner(ctx, x)
	if p == nil || err != nil {
		return out, err
	}
	var a answer
	if errs := r.Decode(&a); errs != nil {
		return flow.AskAgain(errs), nil
	}
	key, err := s.pending(x, p)
	if err != nil {
		return flow.Outcome{}, err
	}
	used, ok := key.accept(authenticator.Spelled(a.Code), x.Now, 0)
	if !ok {
		return flow.AskAgain(field.Errors{"code": {{Code: field.CodeInvalid, Message: "totp.error.code",
			String: "That code did not work. Use the newest one; it changes every 30 seconds."}}}), nil
	}
	// The code that was just typed has been used.
	d := &authenticator.Device{User: p.ID, Class: kindType.Class, Name: "TOTP Authenticator", Stage: x.StageID, Confirmed: true, Counter: used}
	if err := d.Write(key); err != nil {
		return flow.Outcome{}, err
	}
	s.key(x, p).Delete(x.Context)
	return s.devices.Enrol(flow.Done(), kindType, d), nil
}

// key is where the plan keeps the key of the device to be. A plan is stored sealed.
func (s *stage) key(x *flow.Exec, p *identity.Person) flow.Key[string] {
	return flow.Key[string](fmt.Sprintf("weir_totp_secret_%s_%d", x.StageID, p.ID))
}

// pending is the key of the device to be, the same each time the page is shown.
func (s *stage) pending(x *flow.Exec, p *identity.Person) (*secret, error) {
	if text, ok := s.key(x, p).Get(x.Context); ok {
		key, err := base64.StdEncoding.DecodeString(text)
		if err != nil || len(key) != keyBytes {
			return nil, fmt.Errorf("the plan holds a key that is none: %w", err)
		}
		return &secret{Key: key, Digits: s.config.Digits.Number()}, nil
	}
	made := newSecret(s.config.Digits.Number())
	s.key(x, p).Set(x.Context, base64.StdEncoding.EncodeToString(made.Key))
	return &made, nil
}

// issuer is who the account is with.
func issuer(x *flow.Exec) string {
	if x.Brand == nil || x.Brand.Title == "" {
		return "Weir"
	}
	return x.Brand.Title
}
