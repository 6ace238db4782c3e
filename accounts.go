package weir

import (
	"context"
	"errors"
	"fmt"

	"github.com/google/uuid"

	"github.com/weir-id/weir/identity"
	"github.com/weir-id/weir/internal/api"
	"github.com/weir-id/weir/internal/event"
	"github.com/weir-id/weir/internal/store"
)

// NewUser describes an account to create.
type NewUser struct {
	Username string
	// Name is shown to people; Email may be empty.
	Name, Email string
	// Password may be empty: the account then has no password to sign in with.
	Password string
	// Superuser puts the account into the group of administrators.
	Superuser bool
}

// ErrNoUser means that no account has the name.
var ErrNoUser = errors.New("no such user")

// CreateUser creates an active account and returns its id. Problems with the
// data are field.Errors.
func (in *Installation) CreateUser(ctx context.Context, n NewUser) (int64, error) {
	u := identity.User{Username: n.Username, Name: n.Name, Email: n.Email, Active: true}
	if n.Password != "" {
		hash, err := in.people.HashPassword(ctx, n.Password)
		if err != nil {
			return 0, err
		}
		u.PasswordHash = hash
	}
	created := u
	err := in.db.Write(ctx, func(ctx context.Context, tx store.Tx) error {
		created = u // the transaction may run again
		return in.createUser(ctx, tx, &created, n.Superuser)
	})
	if err != nil {
		return 0, fmt.Errorf("create user %q: %w", n.Username, err)
	}
	return created.ID, in.settleSetup(ctx)
}

// SetPassword gives an account a password and ends its sessions. The error
// wraps ErrNoUser when there is no such account.
func (in *Installation) SetPassword(ctx context.Context, username, plain string) error {
	hash, err := in.people.HashPassword(ctx, plain)
	if err != nil {
		return err
	}
	var id int64
	err = in.db.Write(ctx, func(ctx context.Context, tx store.Tx) error {
		found, err := in.people.FindUsers(ctx, tx, map[string]any{"username": username})
		if err != nil {
			return err
		}
		if len(found) == 0 {
			return ErrNoUser
		}
		id = found[0].ID
		if err := in.people.SetPasswordHash(ctx, tx, id, hash); err != nil {
			return err
		}
		return in.events.Record(ctx, tx, event.Event{Action: event.PasswordSet, App: "authentik.commands", User: identity.NewPerson(found[0], nil)})
	})
	if err != nil {
		return fmt.Errorf("set password of %q: %w", username, err)
	}
	// Whoever is signed in may be why the password is changed.
	_, err = in.sessions.RevokeOthers(ctx, id, "")
	return errors.Join(err, in.settleSetup(ctx))
}

// rolesOf returns the roles of a user, those of all their groups included.
func (in *Installation) rolesOf(ctx context.Context, user int64) ([]api.Role, error) {
	groups, err := in.people.Groups(ctx, in.db, user)
	if err != nil {
		return nil, err
	}
	ids := make([]uuid.UUID, len(groups))
	for i, g := range groups {
		ids[i] = g.ID
	}
	var args store.Args
	sql := `select r.id, r.name from roles r where exists (select 1 from role_users u where u.role_id = r.id and u.user_id = ` + args.Add(user) + `)
		or exists (select 1 from role_groups g where g.role_id = r.id and g.group_id in ` + store.In(&args, ids) + `) order by r.name`
	roles, err := store.Select(ctx, in.db, func(row store.Row) (api.Role, error) {
		var role api.Role
		err := row.Scan(&role.ID, &role.Name)
		return role, err
	}, sql, args...)
	if err != nil {
		return nil, fmt.Errorf("read roles of user %d: %w", user, err)
	}
	return roles, nil
}

// CountSessions returns in how many browsers a user is signed in.
func (in *Installation) CountSessions(ctx context.Context, user int64) (int, error) {
	devices, err := in.sessions.Devices(ctx, user, "")
	if err != nil {
		return 0, fmt.Errorf("count sessions of user %d: %w", user, err)
	}
	return len(devices), nil
}
