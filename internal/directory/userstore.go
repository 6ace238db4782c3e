package directory

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"strings"

	"github.com/google/uuid"

	"github.com/weir-id/weir/field"
	"github.com/weir-id/weir/flow"
	"github.com/weir-id/weir/identity"
	"github.com/weir-id/weir/internal/directory/password"
	"github.com/weir-id/weir/internal/store"
)

// StoreBackend is the back end on the wire that asks the user store of an
// embedding program.
const StoreBackend = "weir.userstore"

// storeAttribute keeps the id that the store has for a user.
const storeAttribute = "weir.id/user-store"

var storeNamespace = uuid.MustParse("5f0d9c34-0f0b-4c43-9c0a-0d5b9d2f6f0e")

// storeVersion is that of UUIDs which an application defines (RFC 9562, section
// 5.8). Users of other origin never have it.
const storeVersion = 8

// storeUUID is the UUID of a user of the store. Nobody can choose the UUID of a
// user, so it proves, as no name and no attribute could, whose row it is.
func storeUUID(id string) uuid.UUID {
	return uuid.NewHash(sha256.New(), storeNamespace, []byte(id), storeVersion)
}

// fromStore tells whether the user came from a user store.
func fromStore(u *identity.User) bool { return u.UUID.Version() == storeVersion }

// storeID is the id by which the store knows the user; empty for users of other
// origin, and where somebody has written another one into the attributes.
func storeID(u *identity.User) string {
	if id, _ := u.Attributes[storeAttribute].(string); id != "" && storeUUID(id) == u.UUID {
		return id
	}
	return ""
}

// Identify is Lookup for whoever is about to sign in: where there is a user store
// it is asked first, for every name, and whom it knows gets a row here. Users who
// came from it and whom it knows no more are nobody.
func (d *Directory) Identify(ctx context.Context, fields []string, typed string, caseInsensitive bool) (*identity.Person, error) {
	typed = strings.TrimSpace(typed)
	if d.store == nil || len(fields) == 0 || !nameable(typed) {
		return d.Lookup(ctx, fields, typed, caseInsensitive)
	}
	found, err := guarded(func() (*identity.StoreUser, error) { return d.store.Find(ctx, typed) })
	if err != nil {
		return nil, fmt.Errorf("find user in the user store: %w", err)
	}
	if found != nil {
		if p, err := d.adopt(ctx, *found); p != nil || err != nil {
			return p, err
		}
	}
	p, err := d.Lookup(ctx, fields, typed, caseInsensitive)
	if err != nil || p == nil || fromStore(&p.User) {
		return nil, err
	}
	return p, nil
}

// adopt makes or updates the row of a user of the store. It returns nil for one
// whose name cannot be used, such as that of somebody else: nobody becomes another
// person by what the store says.
func (d *Directory) adopt(ctx context.Context, found identity.StoreUser) (*identity.Person, error) {
	if found.ID == "" {
		return nil, errors.New("the user store returned a user without an id")
	}
	id := storeUUID(found.ID)
	p, err := d.PersonByUUID(ctx, id)
	if err == nil && !follow(&p.User, found) {
		return p, nil
	}
	if err != nil && !errors.Is(err, flow.ErrNoPerson) {
		return nil, err
	}
	var u identity.User
	err = d.db.Write(ctx, func(ctx context.Context, tx store.Tx) error {
		var err error
		u, err = scanUser(tx.QueryRow(ctx, "select "+UserColumns("u")+" from users u where u.uuid = $1"+tx.Dialect().ForUpdate(), id))
		if errors.Is(err, store.ErrNotFound) {
			u = identity.User{UUID: id, Active: true}
			follow(&u, found)
			if err := d.CreateUser(ctx, tx, &u); err != nil {
				return err
			}
			return d.adopted(ctx, tx, u)
		}
		if err != nil {
			return fmt.Errorf("read user %s: %w", id, err)
		}
		follow(&u, found)
		return d.UpdateUser(ctx, tx, &u)
	})
	var problems field.Errors
	if errors.As(err, &problems) {
		// Somebody else may have made the same row meanwhile.
		if p, err := d.PersonByUUID(ctx, id); err == nil && !follow(&p.User, found) {
			return p, nil
		}
		d.log.WarnContext(ctx, "a user of the user store cannot sign in", slog.String("id", found.ID), slog.Any("error", problems))
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("keep user of the user store: %w", err)
	}
	return d.NewPerson(u), nil
}

// follow gives the user what the store says, and tells whether that is new.
func follow(u *identity.User, found identity.StoreUser) bool {
	attribute, _ := u.Attributes[storeAttribute].(string)
	if u.Username == found.Username && u.Name == found.Name && u.Email == found.Email && attribute == found.ID {
		return false
	}
	u.Username, u.Name, u.Email, u.Attributes = found.Username, found.Name, found.Email, maps.Clone(u.Attributes)
	if u.Attributes == nil {
		u.Attributes = map[string]any{}
	}
	u.Attributes[storeAttribute] = found.ID
	return true
}

// askStore asks the store about a password, for people whom it does not know, too,
// which takes as long (rule 18). An empty password is nobody's: some directories
// take it for a wish to be anonymous.
func (d *Directory) askStore(ctx context.Context, p *identity.Person, plain string) (bool, error) {
	id := ""
	if p != nil && p.Active && plain != "" && len(plain) <= password.MaxPlainBytes {
		id = storeID(&p.User)
	}
	ok, err := guarded(func() (bool, error) { return d.store.CheckPassword(ctx, id, plain) })
	if err != nil {
		return false, fmt.Errorf("check password in the user store: %w", err)
	}
	return ok && id != "", nil
}

// guarded makes a panic of the program's code an error: the count of a guess that
// is being judged has to be settled.
func guarded[T any](f func() (T, error)) (v T, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v", p)
		}
	}()
	return f()
}
