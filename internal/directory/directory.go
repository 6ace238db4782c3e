// Package directory owns people: users, groups, who belongs where, and which
// password is whose. It validates, stores, finds and authenticates them.
//
// Writes take a store.Tx, so that they can share a transaction with other
// changes; reads take a store.Querier, or read from the database directly where
// package flow asks. Problems with what somebody typed come back as
// field.Errors. Who may do any of it is package access; how passwords are
// hashed is package password.
package directory

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/google/uuid"

	"github.com/weir-id/weir/flow"
	"github.com/weir-id/weir/identity"
	"github.com/weir-id/weir/internal/directory/password"
	"github.com/weir-id/weir/internal/guard"
	"github.com/weir-id/weir/internal/store"
)

// AppPasswords knows the tokens that users made to sign in with.
type AppPasswords interface {
	// AppPassword returns the identifier of the user's unexpired token with
	// intent app_password and this key; ok is false when there is none.
	AppPassword(ctx context.Context, user int64, key string) (identifier string, ok bool, err error)
}

// Config is what a Directory needs.
type Config struct {
	DB     store.DB
	Hasher *password.Hasher
	// Guard limits guesses; one with the default limits when nil.
	Guard *guard.Guard
	// AppPasswords may be nil: then nobody has any.
	AppPasswords AppPasswords
	// Store is where an embedding program keeps people of its own; nil for none.
	Store identity.UserStore
	// Adopted is told, in the same transaction, of each of them who gets a row
	// here. Nil tells nobody.
	Adopted func(ctx context.Context, tx store.Tx, u identity.User) error
	// History tells how many earlier passwords of each user to keep, as hashes;
	// none when nil.
	History func() int
	// Now is the clock; time.Now when nil.
	Now func() time.Time
	// Logger is told about accounts that cannot sign in for a technical
	// reason. Nil discards.
	Logger *slog.Logger
}

// Directory reads and writes people. It is safe for concurrent use.
type Directory struct {
	db     store.DB
	hasher *password.Hasher
	guard  *guard.Guard
	tokens AppPasswords
	store  identity.UserStore
	// adopted is told of users of store who get a row.
	adopted func(ctx context.Context, tx store.Tx, u identity.User) error
	// history is how many earlier passwords are kept.
	history func() int
	clock   func() time.Time
	log     *slog.Logger
}

var _ flow.People = (*Directory)(nil)

// New returns a directory.
func New(c Config) *Directory {
	d := &Directory{db: c.DB, hasher: c.Hasher, guard: c.Guard, tokens: c.AppPasswords, store: c.Store, adopted: c.Adopted, history: c.History, clock: c.Now, log: c.Logger}
	if d.history == nil {
		d.history = func() int { return 0 }
	}
	if d.adopted == nil {
		d.adopted = func(context.Context, store.Tx, identity.User) error { return nil }
	}
	if d.clock == nil {
		d.clock = time.Now
	}
	if d.log == nil {
		d.log = slog.New(slog.DiscardHandler)
	}
	if d.guard == nil {
		d.guard = guard.New(guard.Config{DB: c.DB, Key: UsernameKey, Now: c.Now})
	}
	d.log = d.log.With(slog.String("component", "directory"))
	return d
}

// now is the time as the database keeps it.
func (d *Directory) now() time.Time { return d.clock().UTC().Truncate(time.Microsecond) }

// Person implements flow.People: the user as stored now, with groups read on
// demand. The error wraps flow.ErrNoPerson when there is none.
func (d *Directory) Person(ctx context.Context, id int64) (*identity.Person, error) {
	u, err := d.User(ctx, d.db, id)
	if err != nil {
		return nil, err
	}
	return d.NewPerson(u), nil
}

// PersonByUUID reads one user with groups that are read when asked for. The
// error wraps flow.ErrNoPerson when there is none.
func (d *Directory) PersonByUUID(ctx context.Context, id uuid.UUID) (*identity.Person, error) {
	u, err := scanUser(d.db.QueryRow(ctx, "select "+UserColumns("u")+" from users u where u.uuid = $1", id))
	if errors.Is(err, store.ErrNotFound) {
		return nil, fmt.Errorf("user %s: %w", id, flow.ErrNoPerson)
	}
	if err != nil {
		return nil, fmt.Errorf("read user %s: %w", id, err)
	}
	return d.NewPerson(u), nil
}

// NewPerson is the person of a user that was read already.
func (d *Directory) NewPerson(u identity.User) *identity.Person {
	return identity.NewPerson(u, func(ctx context.Context) ([]identity.Group, error) {
		return d.Groups(ctx, d.db, u.ID)
	})
}

// Active tells whether the user exists and is active, as the transaction of a
// step sees it. In PostgreSQL the row is locked until the transaction ends, so
// that the answer still holds when it commits.
func (d *Directory) Active(ctx context.Context, tx flow.Tx, user int64) (bool, error) {
	q, ok := tx.(store.Tx)
	if !ok {
		return false, fmt.Errorf("read user %d: %T is no store transaction", user, tx)
	}
	active, err := store.Select(ctx, q, store.Column[bool],
		"select is_active from users where id = $1"+q.Dialect().ForUpdate(), user)
	if err != nil {
		return false, fmt.Errorf("read user %d: %w", user, err)
	}
	return len(active) == 1 && active[0], nil
}
