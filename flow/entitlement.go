package flow

import (
	"github.com/google/uuid"

	"github.com/weir-id/weir/field"
)

// Entitlement is something that people may have in an application, such as being
// an editor there. Groups and users are bound to it; no policy decides.
type Entitlement struct {
	field.Identity
	Name string `json:"name" field:"required"`
	// App is the application.
	App uuid.UUID `json:"app" field:"required,ref=application,delete=cascade"`
	// Attributes say what the entitlement means, to expressions.
	Attributes map[string]any `json:"attributes"`
}

// NewEntitlement returns an entitlement with its defaults.
func NewEntitlement() Entitlement { return Entitlement{Attributes: map[string]any{}} }
