// Package system holds the documents of the installation itself that are
// neither flows nor what flows are made of: the system settings and the
// blueprints that are applied again when they change. It only describes them.
package system

import (
	"time"

	"github.com/weir-id/weir/field"
)

// Status is what came of applying a blueprint the last time.
type Status string

// The states on the wire; Warning and Orphaned are never set.
const (
	Successful Status = "successful"
	Warning    Status = "warning"
	Failed     Status = "error"
	Orphaned   Status = "orphaned"
	Unknown    Status = "unknown"
)

// Choices lists the states.
func (Status) Choices() []string {
	return []string{string(Successful), string(Warning), string(Failed), string(Orphaned), string(Unknown)}
}

// Blueprint is a blueprint that is kept: a file by its path, or its text.
type Blueprint struct {
	field.Identity
	Name string `json:"name" field:"required,unique"`
	// Path names a file of the blueprint folder; Content is used without one.
	Path    string `json:"path" field:"blank,default,max=1024"`
	Content string `json:"content" field:"blank,notrim"`
	// Context wins over the context of the document.
	Context map[string]any `json:"context"`
	// Enabled false keeps the blueprint from being applied.
	Enabled bool `json:"enabled"`

	// What applying made of it; written by the program only.
	Status Status `json:"status" field:"readonly"`
	// LastApplied is when it was tried last; the zero time for never.
	LastApplied time.Time `json:"last_applied" field:"readonly"`
	// LastAppliedHash is the SHA-512 hex of the text that was applied last.
	LastAppliedHash string         `json:"last_applied_hash" field:"readonly,blank"`
	ManagedModels   []string       `json:"managed_models" field:"readonly"`
	Metadata        map[string]any `json:"metadata" field:"readonly"`
	// Authors are the users who gave path, content and context, and whose
	// authority bounds what applying it does; none for the program itself. One
	// who is gone or inactive may nothing, so it can no longer be applied until
	// somebody else gives its source.
	Authors []int64 `json:"authors" field:"hidden"`
}

// GivesSource tells whether data says what is applied.
func GivesSource(data map[string]any) bool {
	for _, name := range []string{"path", "content", "context"} {
		if _, given := data[name]; given {
			return true
		}
	}
	return false
}

// NewBlueprint returns a blueprint with its defaults.
func NewBlueprint() Blueprint {
	return Blueprint{Context: map[string]any{}, Enabled: true, Status: Unknown, ManagedModels: []string{}, Metadata: map[string]any{}, Authors: []int64{}}
}

// Validate demands a source.
func (b *Blueprint) Validate() field.Errors {
	if b.Path == "" && b.Content == "" {
		return field.Errorf(field.NonField, field.CodeInvalid, "Give a path or content.")
	}
	return nil
}
