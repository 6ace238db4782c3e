package stages

import (
	"github.com/weir-id/weir/internal/authenticator"
	"github.com/weir-id/weir/internal/stages/authenticatorstatic"
	"github.com/weir-id/weir/internal/stages/authenticatortotp"
)

// Kinds lists the kinds of devices that people confirm with. A new one is one line
// here; see package authenticator.
func Kinds() []authenticator.Kind {
	return []authenticator.Kind{
		authenticatorstatic.Kind{},
		authenticatortotp.Kind{},
	}
}
