package directory

import (
	"context"
	"errors"
	"log/slog"

	"github.com/weir-id/weir/identity"
	"github.com/weir-id/weir/internal/directory/password"
)

// The back ends on the wire that check a password here.
const (
	InbuiltBackend = "authentik.core.auth.InbuiltBackend"
	TokenBackend   = "authentik.core.auth.TokenBackend"
)

// Authenticate asks the back ends in order whether the password is the
// person's. It returns the one that accepted, the authentication method it
// stands for and details for the audit trail.
//
// ok is false for a wrong password, an inactive user, a user without a password
// and a person who is nil or was only typed, after the time of one hash in each
// case (rule 18). Back ends of other systems are passed over. An error wraps
// flow.ErrOverloaded or comes from the database.
func (d *Directory) Authenticate(ctx context.Context, backends []string, p *identity.Person, plain string) (
	backend, method string, args map[string]any, ok bool, err error) {
	known := p != nil && p.Saved()
	hashed := false
	for _, name := range backends {
		switch name {
		case InbuiltBackend:
			if hashed {
				continue // named twice
			}
			hashed = true
			if ok, err = d.verify(ctx, p, plain); err != nil {
				return "", "", nil, false, err
			}
			if ok {
				return name, "password", nil, true, nil
			}
		case TokenBackend:
			if !known || !p.Active || d.tokens == nil {
				continue
			}
			identifier, match, err := d.tokens.AppPassword(ctx, p.ID, plain)
			if err != nil {
				return "", "", nil, false, err
			}
			if !match {
				continue
			}
			if !hashed {
				if err := d.hasher.VerifyDummy(ctx, plain); err != nil {
					return "", "", nil, false, err
				}
			}
			return name, "token", map[string]any{"token": identifier}, true, nil
		default:
			d.log.DebugContext(ctx, "password back end is not available here", slog.String("backend", name))
		}
	}
	if !hashed {
		err = d.hasher.VerifyDummy(ctx, plain)
	}
	return "", "", nil, false, err
}

// Burn takes as long as Authenticate, for accounts that do not exist.
func (d *Directory) Burn(ctx context.Context) error { return d.hasher.VerifyDummy(ctx, "") }

// verify checks the local hash. An inactive user costs the same and is refused
// like a wrong password.
func (d *Directory) verify(ctx context.Context, p *identity.Person, plain string) (bool, error) {
	if p == nil || !p.Saved() {
		return false, d.hasher.VerifyDummy(ctx, plain)
	}
	match, err := d.hasher.Verify(ctx, p.PasswordHash, plain)
	if errors.Is(err, password.ErrFormat) || errors.Is(err, password.ErrCost) {
		d.log.WarnContext(ctx, "stored password cannot be verified", slog.Int64("user", p.ID), slog.Any("error", err))
		return false, nil
	}
	if err != nil || !match || !p.Active {
		return false, err
	}
	if d.hasher.NeedsRehash(p.PasswordHash) {
		d.rehash(ctx, p, plain)
	}
	return true, nil
}

// rehash stores the password with current parameters. It is no change of
// password and no reason to refuse anybody when it does not work out.
func (d *Directory) rehash(ctx context.Context, p *identity.Person, plain string) {
	encoded, err := d.hasher.Hash(ctx, plain)
	if err == nil {
		// Only over the hash that was verified: a password set meanwhile stays.
		_, err = d.db.Exec(ctx, "update users set password_hash = $2 where id = $1 and password_hash = $3", p.ID, encoded, p.PasswordHash)
	}
	if err != nil {
		d.log.WarnContext(ctx, "rehash password", slog.Int64("user", p.ID), slog.Any("error", err))
	}
}
