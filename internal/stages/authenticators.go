package stages

import (
	"log/slog"

	"github.com/weir-id/weir/internal/authenticator"
	"github.com/weir-id/weir/internal/stages/authenticatorstatic"
	"github.com/weir-id/weir/internal/stages/authenticatortotp"
	"github.com/weir-id/weir/internal/stages/authenticatorwebauthn"
)

// Kinds lists the kinds of devices that people confirm with. A new one is one line
// here; see package authenticator. The log takes why passkeys are refused.
func Kinds(devices *authenticator.Devices, log *slog.Logger) []authenticator.Kind {
	return []authenticator.Kind{
		authenticatorstatic.Kind{},
		authenticatortotp.Kind{},
		authenticatorwebauthn.Kind{Devices: devices, Log: log},
	}
}
