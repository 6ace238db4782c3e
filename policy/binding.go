package policy

import (
	"time"

	"github.com/google/uuid"

	"github.com/weir-id/weir/field"
)

// Mode says how the results of several bindings become one.
type Mode string

const (
	// All passes when every result passes.
	All Mode = "all"
	// Any passes when at least one result passes. It is the default.
	Any Mode = "any"
)

// Choices lists the modes.
func (Mode) Choices() []string { return []string{string(All), string(Any)} }

// DefaultTimeout bounds one evaluation when a binding names no timeout.
const DefaultTimeout = 30 * time.Second

// Binding attaches exactly one of a policy, a group or a user to a target.
type Binding struct {
	field.Identity
	Policy *uuid.UUID `json:"policy" field:"null,ref=policy,delete=cascade"`
	Group  *uuid.UUID `json:"group" field:"null,ref=group,delete=cascade"`
	User   *int64     `json:"user" field:"null,ref=user,delete=cascade"`
	// Target is the flow or stage binding; it is stored as the object's own
	// id, whichever of its two ids was given.
	Target uuid.UUID `json:"target" field:"required,ref=target,delete=cascade"`
	// Negate flips pass and fail, never an error.
	Negate  bool  `json:"negate"`
	Enabled bool  `json:"enabled"`
	Order   int32 `json:"order" field:"required"`
	// Timeout bounds the evaluation, in seconds. 0 means DefaultTimeout.
	Timeout uint32 `json:"timeout" field:"max=2147483647"`
	// FailureResult true turns an error into a pass; false leaves it an error.
	FailureResult bool `json:"failure_result"`
	// Expires ends a time-limited grant; nil means never.
	Expires *time.Time `json:"expires" field:"readonly,null"`
}

// NewBinding returns a binding with its defaults.
func NewBinding() Binding { return Binding{Enabled: true, Timeout: 30} }

// Validate demands exactly one subject.
func (b *Binding) Validate() field.Errors {
	n := 0
	for _, set := range []bool{b.Policy != nil, b.Group != nil, b.User != nil} {
		if set {
			n++
		}
	}
	switch n {
	case 1:
		return nil
	case 0:
		return field.Errorf(field.NonField, field.CodeInvalid, "Name one of policy, group or user.")
	}
	return field.Errorf(field.NonField, field.CodeInvalid, "Name only one of policy, group or user, not %d.", n)
}

// applies tells whether the binding counts at that time.
func (b *Binding) applies(now time.Time) bool {
	return b.Enabled && (b.Expires == nil || now.Before(*b.Expires))
}
