// Package password holds the stage that asks the pending user for a password.
// It counts the wrong answers of one session; limits for each account and
// address are the verifier's.
package password

import (
	"context"
	"embed"

	"github.com/google/uuid"

	"github.com/weir-id/weir/flow"
	"github.com/weir-id/weir/identity"
	"github.com/weir-id/weir/internal/directory"
	"github.com/weir-id/weir/internal/guard"
)

//go:embed *.html
var pages embed.FS

// Verifier checks passwords.
type Verifier interface {
	// Authenticate asks the back ends in order. The verdict is not OK for a
	// wrong password, an inactive user and a user without a row of their own,
	// after the same time in each case. An error is a *guard.LimitedError after
	// too many wrong guesses, and wraps flow.ErrOverloaded where the machine is
	// too busy.
	Authenticate(ctx context.Context, guess guard.Guess, backends []string, user *identity.Person, password string) (directory.Verdict, error)
}

// Backend names something that can check a password.
type Backend string

// The back ends on the wire. A back end that this installation does not have
// accepts nobody.
const (
	Inbuilt  Backend = "authentik.core.auth.InbuiltBackend"
	Token    Backend = "authentik.core.auth.TokenBackend"
	LDAP     Backend = "authentik.sources.ldap.auth.LDAPBackend"
	Kerberos Backend = "authentik.sources.kerberos.auth.KerberosBackend"
	// UserStore asks the program that embeds Weir.
	UserStore Backend = directory.StoreBackend
)

// Choices lists the back ends.
func (Backend) Choices() []string {
	return []string{string(Inbuilt), string(Token), string(LDAP), string(Kerberos), string(UserStore)}
}

// Config is the configuration of a password stage.
type Config struct {
	// Backends are asked in this order; the first that accepts wins.
	Backends []Backend `json:"backends" field:"required"`
	// ConfigureFlow lets a signed-in person change the password.
	ConfigureFlow *uuid.UUID `json:"configure_flow" field:"null,ref=flow"`
	// FailedAttemptsBeforeCancel is the wrong answer that ends the flow: with
	// 5 the fifth. 1 and less end it at the first.
	FailedAttemptsBeforeCancel int32 `json:"failed_attempts_before_cancel"`
	// AllowShowPassword offers to show what is typed.
	AllowShowPassword bool `json:"allow_show_password"`
}

// PasswordBackends and ShowsPassword are what an identification stage needs to
// know when it asks for the password itself.
func (c *Config) PasswordBackends() []string {
	names := make([]string, len(c.Backends))
	for i, b := range c.Backends {
		names[i] = string(b)
	}
	return names
}

// ShowsPassword tells whether the page offers to show what is typed.
func (c *Config) ShowsPassword() bool { return c.AllowShowPassword }

// Type returns the stage type that checks passwords with v.
func Type(v Verifier) flow.StageType {
	return flow.NewStageType(flow.StageType{
		Name:              "password",
		Path:              "password",
		Model:             "authentik_stages_password.passwordstage",
		Component:         "ak-stage-password-form",
		Label:             "Password Stage",
		Description:       "Asks the person for a password.",
		Filters:           []string{"allow_show_password", "configure_flow", "failed_attempts_before_cancel"},
		Exchanges:         []flow.Exchange{{Name: "Password", Challenge: &Challenge{}, Answer: answer{}}},
		Pages:             pages,
		SettingsComponent: "ak-user-settings-password",
	}, func() Config { return Config{FailedAttemptsBeforeCancel: 5} }, effects,
		func(_ string, c Config) flow.Stage { return &stage{c, v} })
}

func effects(Config) flow.Effects {
	return flow.Effects{Needs: []flow.Fact{flow.FactUser}, Always: []flow.Fact{flow.FactPassword}}
}

// Challenge asks for the password.
type Challenge struct {
	flow.UserInfo
	// RecoveryURL leads to the brand's recovery flow; left out without one.
	RecoveryURL       string `json:"recovery_url,omitempty"`
	AllowShowPassword bool   `json:"allow_show_password" field:"default"`
}

// Component implements flow.Challenge.
func (*Challenge) Component() string { return "ak-stage-password" }
