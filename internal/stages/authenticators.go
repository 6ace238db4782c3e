package stages

import (
	"log/slog"

	"github.com/weir-id/weir/internal/authenticator"
	"github.com/weir-id/weir/internal/stages/authenticatorduo"
	"github.com/weir-id/weir/internal/stages/authenticatoremail"
	"github.com/weir-id/weir/internal/stages/authenticatorsms"
	"github.com/weir-id/weir/internal/stages/authenticatorstatic"
	"github.com/weir-id/weir/internal/stages/authenticatortotp"
	"github.com/weir-id/weir/internal/stages/authenticatorwebauthn"
)

// KindEnv is what the kinds need of the rest of the program.
type KindEnv struct {
	Devices *authenticator.Devices
	Letters authenticatoremail.Letters
	SMS     authenticatorsms.Env
	Duo     authenticatorduo.Env
	// Log takes why passkeys are refused.
	Log *slog.Logger
}

// Kinds lists the kinds of devices that people confirm with. A new one is one line
// here; see package authenticator.
func Kinds(env KindEnv) []authenticator.Kind {
	return []authenticator.Kind{
		authenticatorduo.Kind{Env: env.Duo},
		authenticatoremail.Kind{Devices: env.Devices, Letters: env.Letters},
		authenticatorsms.Kind{Env: env.SMS},
		authenticatorstatic.Kind{},
		authenticatortotp.Kind{},
		authenticatorwebauthn.Kind{Devices: env.Devices, Log: env.Log},
	}
}
