// Package stages lists the stage types. A new type is one folder below this
// one and one line in All.
package stages

import (
	"log/slog"

	"github.com/weir-id/weir/flow"
	"github.com/weir-id/weir/internal/authenticator"
	"github.com/weir-id/weir/internal/device"
	"github.com/weir-id/weir/internal/expression"
	"github.com/weir-id/weir/internal/stages/accountlockdown"
	"github.com/weir-id/weir/internal/stages/authenticatorduo"
	"github.com/weir-id/weir/internal/stages/authenticatoremail"
	"github.com/weir-id/weir/internal/stages/authenticatorsms"
	"github.com/weir-id/weir/internal/stages/authenticatorstatic"
	"github.com/weir-id/weir/internal/stages/authenticatortotp"
	"github.com/weir-id/weir/internal/stages/authenticatorvalidate"
	"github.com/weir-id/weir/internal/stages/authenticatorwebauthn"
	"github.com/weir-id/weir/internal/stages/captcha"
	"github.com/weir-id/weir/internal/stages/consent"
	"github.com/weir-id/weir/internal/stages/deny"
	"github.com/weir-id/weir/internal/stages/dummy"
	"github.com/weir-id/weir/internal/stages/email"
	"github.com/weir-id/weir/internal/stages/identification"
	"github.com/weir-id/weir/internal/stages/invitation"
	"github.com/weir-id/weir/internal/stages/mtls"
	"github.com/weir-id/weir/internal/stages/password"
	"github.com/weir-id/weir/internal/stages/prompt"
	"github.com/weir-id/weir/internal/stages/redirect"
	"github.com/weir-id/weir/internal/stages/userdelete"
	"github.com/weir-id/weir/internal/stages/userlogin"
	"github.com/weir-id/weir/internal/stages/userlogout"
	"github.com/weir-id/weir/internal/stages/userwrite"
)

// Env is what stage types need of the rest of the program. All fields are
// required.
type Env struct {
	Users       identification.Users
	Reputation  identification.Reputation
	Sessions    userlogin.Sessions
	Accounts    userlogin.Accounts
	Writer      userwrite.Accounts
	Invitations invitation.Invitations
	Remover     userdelete.Accounts
	Ends        userwrite.Sessions
	Tokens      accountlockdown.Tokens
	Links       email.Links
	Letters     authenticatoremail.Letters
	SMS         authenticatorsms.Env
	Duo         authenticatorduo.Env
	Consent     consent.Env
	Sealer      device.Sealer
	Captcha     captcha.Env
	// Certificates is what the mutual TLS stage needs.
	Certificates mtls.Env
	// Compiler compiles the expressions of prompts.
	Compiler *expression.Compiler
	Devices  Devices
	// Kinds are those of the devices; see Kinds.
	Kinds []authenticator.Kind
	Log   *slog.Logger
}

// Devices reads and writes devices; it is authenticator.Devices.
type Devices interface {
	authenticatorvalidate.Devices
	authenticatortotp.Devices
	authenticatorwebauthn.Devices
	authenticatoremail.Devices
}

// All returns the stage types in alphabetical order.
func All(env Env) []flow.StageType {
	return []flow.StageType{
		accountlockdown.Type(env.Writer, env.Ends, env.Tokens),
		authenticatorduo.Type(env.Duo),
		authenticatoremail.Type(env.Devices, env.Letters),
		authenticatorsms.Type(env.SMS),
		authenticatorstatic.Type(env.Devices),
		authenticatortotp.Type(env.Devices),
		authenticatorvalidate.Type(authenticatorvalidate.Env{Devices: env.Devices, Kinds: env.Kinds, Sealer: env.Sealer}),
		authenticatorwebauthn.Type(env.Devices, env.Log),
		captcha.Type(env.Captcha),
		consent.Type(env.Consent),
		deny.Type(),
		dummy.Type(),
		email.Type(env.Links, env.Writer),
		identification.Type(env.Users, env.Reputation),
		invitation.Type(env.Invitations),
		mtls.Type(env.Certificates),
		password.Type(env.Users),
		prompt.Type(env.Users, env.Compiler),
		redirect.Type(),
		userdelete.Type(env.Remover),
		userlogin.Type(env.Sessions, env.Accounts, env.Sealer),
		userlogout.Type(),
		userwrite.Type(env.Writer, env.Ends),
	}
}
