// Package resource says what the models of blueprints and of the API mean: one
// Kind for each, which finds, creates, changes, deletes and reads its objects
// within one write transaction. The configuration objects share one
// implementation over the catalog; users, groups and tokens have their own.
//
// The package checks no permissions and knows no file format.
package resource

import (
	"context"
	"errors"
	"fmt"

	"github.com/weir-id/weir/field"
	"github.com/weir-id/weir/internal/catalog"
	"github.com/weir-id/weir/internal/directory"
)

// Ref points to a stored object.
type Ref struct {
	// Model is the lower-case name of the object's own model, also when it was
	// found through a base class.
	Model string
	// Key is the primary key as the wire has it: a UUID as text, or an int64
	// for users.
	Key any
	// Name is what people call the object.
	Name string
	// PolicyTarget is the key under which policies are bound to the object;
	// empty when that is impossible.
	PolicyTarget string
}

// Kind is what one model can do. Problems with the data are field.Errors;
// problems with a look-up are errors of which Fault tells the text.
type Kind interface {
	// Model is the name, such as "authentik_flows.flow".
	Model() string
	// Find returns the first object, in the model's default order, that
	// agrees with all of match; nil when there is none. Keys are fields,
	// "pk", or look-up paths such as "name__iexact" and "flow__slug".
	Find(ctx context.Context, tx *catalog.Tx, match map[string]any) (*Ref, error)
	// Create makes an object. pk is the key it shall have; empty for a new
	// one. unknown lists the keys of data that are no fields.
	Create(ctx context.Context, tx *catalog.Tx, pk string, data map[string]any) (ref *Ref, unknown []string, err error)
	// Update changes the given fields and returns the names of those that
	// differ from before. The object is not written when none does.
	Update(ctx context.Context, tx *catalog.Tx, ref *Ref, data map[string]any) (changed, unknown []string, err error)
	// Check validates data as Update would and changes nothing.
	Check(ctx context.Context, tx *catalog.Tx, ref *Ref, data map[string]any) error
	// Delete removes the object with everything that cannot be without it.
	Delete(ctx context.Context, tx *catalog.Tx, ref *Ref) error
	// Read returns the object as the API shows it, without secrets.
	Read(ctx context.Context, tx *catalog.Tx, ref *Ref) (map[string]any, error)
}

// MatchError says that a look-up cannot be answered as it stands.
type MatchError struct{ Message string }

func (e *MatchError) Error() string { return e.Message }

// Fault returns what to tell the author of a blueprint when err is theirs to
// mend; false means that the program or the database has failed.
func Fault(err error) (string, bool) {
	var match *MatchError
	if errors.As(err, &match) {
		return match.Message, true
	}
	var unknown *UnknownModelError
	if errors.As(err, &unknown) {
		return unknown.Error(), true
	}
	var problems field.Errors
	if errors.As(err, &problems) {
		return problems.Error(), true
	}
	if errors.Is(err, catalog.ErrField) || errors.Is(err, directory.ErrField) {
		return err.Error(), true
	}
	return "", false
}

// noSuchField is the error of a look-up by a field that a model does not have.
func noSuchField(model, name string) error {
	return &MatchError{fmt.Sprintf("%s cannot be found by %q", model, name)}
}

// onlyFind is the answer of base classes to everything but look-ups.
func onlyFind(model string) error {
	return &MatchError{model + " is only a base class; name the model itself"}
}
