package weir

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	"github.com/weir-id/weir/identity"
	"github.com/weir-id/weir/internal/event"
	"github.com/weir-id/weir/internal/session/token"
	"github.com/weir-id/weir/internal/store"
)

// The first administrator and its group, under the names that existing
// blueprints and clients use.
const (
	adminName      = "akadmin"
	adminGroup     = "authentik Admins"
	bootstrapToken = "authentik-bootstrap-token"
)

// latch names something that happens once in the life of an installation. A
// latch never opens again: deleting the first administrator does not bring the
// initial set-up back (rule 17).
type latch string

const (
	latchDefaults latch = "defaults"
	latchAdmin    latch = "admin"
	// latchSetup is noted as open when akadmin is made without a password. An
	// installation that says nothing about it has no set-up to do.
	latchSetup latch = "setup"
)

// latches reads which events have happened.
func (in *Installation) latches(ctx context.Context, q store.Querier, lock string) (map[latch]bool, error) {
	out := map[latch]bool{}
	if err := q.QueryRow(ctx, "select latches from install where id = 1"+lock).Scan(store.JSON(&out)); err != nil {
		return nil, fmt.Errorf("read latches: %w", err)
	}
	return out, nil
}

// closed tells whether the latch's event has happened.
func (in *Installation) closed(ctx context.Context, q store.Querier, l latch, lock string) (bool, error) {
	latches, err := in.latches(ctx, q, lock)
	return latches[l], err
}

// shut notes that it has.
func (in *Installation) shut(ctx context.Context, tx store.Tx, l latch) error {
	return in.note(ctx, tx, l, true)
}

func (in *Installation) note(ctx context.Context, tx store.Tx, l latch, happened bool) error {
	latches, err := in.latches(ctx, tx, tx.Dialect().ForUpdate())
	if err != nil {
		return err
	}
	latches[l] = happened
	if _, err := tx.Exec(ctx, "update install set latches = $1 where id = 1", store.JSON(latches)); err != nil {
		return fmt.Errorf("set latch %s: %w", l, err)
	}
	return nil
}

// setUp gives a new installation its flows and its first administrator: with
// the password and the token of the settings, or else without a way in, which
// opens the initial set-up.
func (s *Server) setUp(ctx context.Context) error {
	if err := s.installDefaults(ctx); err != nil {
		return err
	}
	done, err := s.closed(ctx, s.db, latchAdmin, "")
	if err != nil || done {
		return err
	}
	b, hash := s.config.Bootstrap, ""
	if b.Password != "" {
		// Before the transaction: hashing takes long.
		if hash, err = s.people.HashPassword(ctx, b.Password.Reveal()); err != nil {
			return fmt.Errorf("hash password of %s: %w", adminName, err)
		}
	}
	err = s.db.Write(ctx, func(ctx context.Context, tx store.Tx) error {
		// Nodes that start together: the lock lets one of them through.
		if done, err := s.closed(ctx, tx, latchAdmin, tx.Dialect().ForUpdate()); err != nil || done {
			return err
		}
		made, err := s.createAdmin(ctx, tx, hash)
		if err != nil {
			return err
		}
		if made && b.Password == "" && b.Token == "" {
			if err := s.note(ctx, tx, latchSetup, false); err != nil {
				return err
			}
		}
		return s.shut(ctx, tx, latchAdmin)
	})
	if err != nil {
		return fmt.Errorf("create %s: %w", adminName, err)
	}
	return nil
}

// createAdmin makes akadmin. One that is there already was made by hand and
// stays as it is.
func (in *Installation) createAdmin(ctx context.Context, tx store.Tx, hash string) (bool, error) {
	existing, err := in.people.FindUsers(ctx, tx, map[string]any{"username": adminName})
	if err != nil || len(existing) > 0 {
		return false, err
	}
	u := identity.User{Username: adminName, Name: "Administrator", Email: in.config.Bootstrap.Email, Active: true, PasswordHash: hash}
	if err := in.createUser(ctx, tx, &u, true); err != nil {
		return false, err
	}
	if in.config.Bootstrap.Token == "" {
		return true, nil
	}
	tok := token.Token{Identifier: bootstrapToken, Intent: token.API, UserID: u.ID, Description: "Made at the first start."}
	_, err = in.tokens.Create(ctx, tx, &tok, in.config.Bootstrap.Token.Reveal())
	return true, err
}

// createUser stores a user with its password hash, in the group of
// administrators if asked, and records that.
func (in *Installation) createUser(ctx context.Context, tx store.Tx, u *identity.User, admin bool) error {
	hash := u.PasswordHash
	if err := in.people.CreateUser(ctx, tx, u); err != nil {
		return err
	}
	if hash != "" {
		if err := in.people.SetPasswordHash(ctx, tx, u.ID, hash); err != nil {
			return err
		}
	}
	if admin {
		g, err := in.admins(ctx, tx)
		if err != nil {
			return err
		}
		if err := in.people.AddMember(ctx, tx, g.ID, u.ID); err != nil {
			return err
		}
	}
	model := event.Model{App: "authentik_core", Model: "user", PK: strconv.FormatInt(u.ID, 10), Name: u.Username}
	return in.events.RecordModel(ctx, tx, event.ModelCreated, model, event.By{})
}

// errNotAdmins keeps a group of the same name from being taken for the
// administrators.
var errNotAdmins = errors.New("the group " + adminGroup + " exists but does not make superusers")

// admins returns the group of administrators and makes it if need be.
func (in *Installation) admins(ctx context.Context, tx store.Tx) (identity.Group, error) {
	found, err := in.people.FindGroups(ctx, tx, map[string]any{"name": adminGroup})
	if err != nil {
		return identity.Group{}, err
	}
	if len(found) > 0 {
		if !found[0].Superuser {
			return identity.Group{}, errNotAdmins
		}
		return found[0], nil
	}
	g := identity.Group{Name: adminGroup, Superuser: true}
	return g, in.people.CreateGroup(ctx, tx, &g)
}
