// Package resource says what the models of blueprints and of the API mean: one
// Kind for each, which declares the address, the fields and the filters of its
// objects, and finds, lists, creates, changes, reads and deletes them. The API,
// its OpenAPI description and the importer all speak through the same Kinds, so
// a field means the same and fails with the same words everywhere.
//
// The configuration objects share one implementation over the catalog (object);
// users, groups, roles, tokens and sessions stand in tables (table, and a file
// for each).
//
// Who may call a Kind at all is asked before, by package api. What a write may
// do for whom it is made is asked here, where the write is understood: nobody
// hands out what they do not hold (rule 46).
package resource

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/weir-id/weir/field"
	"github.com/weir-id/weir/flow"
	"github.com/weir-id/weir/identity"
	"github.com/weir-id/weir/internal/access"
	"github.com/weir-id/weir/internal/catalog"
	"github.com/weir-id/weir/internal/directory"
	"github.com/weir-id/weir/internal/session/token"
	"github.com/weir-id/weir/internal/store"
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

	// loaded is the object, where finding it has read it.
	loaded any
}

// ID is the key as text, as grants name it.
func (r *Ref) ID() string { return fmt.Sprint(r.Key) }

// View is what reading sees: the configuration and the database, as they are
// or as a write under way has made them.
type View struct {
	Config  *catalog.Snapshot
	DB      store.Querier
	Dialect store.Dialect
	// Include says which optional members the reader wants or does not want;
	// the declaration of the kind says what holds for the others.
	Include map[string]bool
	// Session is the key of the reader's own session; empty for none.
	Session string
	// Reader is the person who reads; nil for the program itself.
	Reader *identity.Person
}

// Write is one write under way.
type Write struct {
	*catalog.Tx
	// By is who writes; its Person is nil for the program itself and for the
	// command, which may do everything.
	By catalog.Meta
	// Access decides what By may hand out.
	Access *access.Access
	// Authors are people whose authority bounds the write as well as that of
	// By: those who wrote down what is being carried out. The program itself
	// is bounded by them too.
	Authors []*identity.Person
}

// Authorities are the people who must all be allowed to do what the write does;
// none for a write that may do everything.
func (w *Write) Authorities() []*identity.Person {
	if w.By.Person == nil {
		return w.Authors
	}
	return append([]*identity.Person{w.By.Person}, w.Authors...)
}

// With is the same write, bounded by the authority of further people.
func (w *Write) With(authors []*identity.Person) *Write {
	bounded := *w
	bounded.Authors = slices.Concat(w.Authors, authors)
	return &bounded
}

// View is what the write has made so far.
func (w *Write) View() View {
	return View{Config: w.Snapshot(), DB: w.Store(), Dialect: w.Store().Dialect(), Reader: w.By.Person}
}

// may asks about each of the authorities; all must be allowed.
func (w *Write) may(ask func(a *access.Access, p *identity.Person) (bool, error)) (bool, error) {
	for _, p := range w.Authorities() {
		if ok, err := ask(w.Access.In(w.Store()), p); err != nil || !ok {
			return false, err
		}
	}
	return true, nil
}

// ErrSignInAgain refuses somebody a way in to their own account who has not
// signed in of late.
var ErrSignInAgain error = &ForbiddenError{"Sign in again first, without an app password: this needs a sign-in of the last 15 minutes. Open /if/flow/default-reauthentication-flow/ in the browser, or sign out and in."}

// proven refuses to give or show the author of a stale write a way in to the
// account of user, when that is their own (rule 39).
func (w *Write) proven(user int64) error {
	if w.By.Stale && w.By.Person != nil && w.By.Person.ID == user {
		return ErrSignInAgain
	}
	return nil
}

// ForbiddenError refuses a write that would hand out what its author does not
// hold.
type ForbiddenError struct{ Message string }

func (e *ForbiddenError) Error() string { return e.Message }

// Objects are the operations of one model. Problems with the data are
// field.Errors; problems with a look-up are errors of which Fault tells the
// text; ErrGone tells that an object has been deleted since it was found.
type Objects interface {
	// Fields describes the members of an object: those that are written with
	// their defaults, and the read-only ones.
	Fields() []field.Spec
	// Find returns the first object, in the model's default order, that
	// agrees with all of match; nil when there is none. Keys are fields,
	// "pk", or look-up paths such as "name__iexact" and "flow__slug".
	Find(ctx context.Context, v View, match map[string]any) (*Ref, error)
	// List returns one page of the objects that agree with the query, and how
	// many agree.
	List(ctx context.Context, v View, q *Query) (page []*Ref, total int, err error)
	// Read returns objects as the API shows them, without secrets.
	Read(ctx context.Context, v View, refs ...*Ref) ([]map[string]any, error)
	// UsedBy returns what refers to an object, and what would become of it.
	UsedBy(ctx context.Context, v View, ref *Ref) ([]Use, error)
	// Create makes an object. pk is the key it shall have; empty for a new
	// one. unknown lists the keys of data that are no fields.
	Create(ctx context.Context, w *Write, pk string, data map[string]any) (ref *Ref, unknown []string, err error)
	// Update changes the given fields and returns the names of those that
	// differ from before. The object is not written when none does. The mode
	// is field.Update, or field.Replace to demand the required fields.
	Update(ctx context.Context, w *Write, ref *Ref, data map[string]any, mode field.Mode) (changed, unknown []string, err error)
	// Check validates data as Update would and changes nothing.
	Check(ctx context.Context, w *Write, ref *Ref, data map[string]any) error
	// Delete removes the object with everything that cannot be without it.
	Delete(ctx context.Context, w *Write, ref *Ref) error
}

// Use is an object that refers to another one.
type Use struct {
	Model string
	Key   string
	Name  string
	// Action is what becomes of it when the other one is deleted: cascade,
	// cascade_many (it leaves a list), set_null.
	Action string
}

// ErrGone means that the object does not exist any more.
var ErrGone = errors.New("no such object")

// gone turns the errors of the stores for a missing object into ErrGone.
func gone(err error) error {
	for _, none := range []error{catalog.ErrNotFound, flow.ErrNoPerson, directory.ErrNoGroup, token.ErrNone, store.ErrNotFound} {
		if errors.Is(err, none) {
			return fmt.Errorf("%w: %w", ErrGone, err)
		}
	}
	return err
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
	var forbidden *ForbiddenError
	if errors.As(err, &forbidden) {
		return forbidden.Message, true
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

// never is the answer of kinds that are made by the program only.
func never(model string) error {
	return &MatchError{model + " is made by the program and cannot be written"}
}
