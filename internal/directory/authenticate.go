package directory

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"

	"github.com/weir-id/weir/flow"
	"github.com/weir-id/weir/identity"
	"github.com/weir-id/weir/internal/directory/password"
	"github.com/weir-id/weir/internal/guard"
	"github.com/weir-id/weir/internal/store"
)

// The back ends on the wire that check a password here.
const (
	InbuiltBackend = "authentik.core.auth.InbuiltBackend"
	TokenBackend   = "authentik.core.auth.TokenBackend"
)

// The methods on the wire by which people sign in with what is checked here.
const (
	MethodPassword = "password"
	MethodToken    = "token"
)

// Verdict is the result of a credential check. The zero value refuses.
type Verdict struct {
	OK bool
	// Backend is the one that accepted, Method what it stands for, Args are
	// details for the audit trail.
	Backend, Method string
	Args            map[string]any
	// Settle takes the counted guess back. It belongs into the transaction
	// that acts on an accepted secret; without it the guess stays a wrong one.
	Settle func(ctx context.Context, tx flow.Tx) error
}

// Accept puts an accepted password of p into the execution and the outcome.
func (v *Verdict) Accept(x *flow.Exec, out flow.Outcome, p *identity.Person) flow.Outcome {
	flow.KeyAuthMethod.Set(x.Context, v.Method)
	known, _ := flow.KeyAuthMethodArgs.Get(x.Context)
	args := map[string]any{}
	maps.Copy(args, known)
	maps.Copy(args, v.Args)
	flow.KeyAuthMethodArgs.Set(x.Context, args)
	out.Apply = v.Settle
	return out.Prove(flow.Proof{Fact: flow.FactPassword, User: p.ID, Channel: v.Backend, Methods: []string{flow.MethodPassword}, At: x.Now})
}

// Authenticate asks the back ends in order whether the password is the
// person's.
//
// The verdict is OK neither for a wrong password nor for an inactive user, a
// user without a password, nor a person who is nil or was only typed, after the
// time of one hash in each case (rule 18). Back ends of other systems are
// passed over. An error is a *guard.LimitedError, for which nothing was hashed,
// wraps flow.ErrOverloaded, or comes from the database.
func (d *Directory) Authenticate(ctx context.Context, guess guard.Guess, backends []string, p *identity.Person, plain string) (Verdict, error) {
	var known *identity.Person
	if p != nil && p.Saved() {
		known = p
	}
	trial, err := d.guard.Begin(ctx, guess, known)
	if err != nil {
		return Verdict{}, err
	}
	v, err := d.ask(ctx, backends, known, plain)
	if err != nil {
		err = errors.Join(err, d.undo(ctx, trial))
	}
	if !v.OK {
		trial.End()
	} else {
		// Whoever waits for it finds the count locked until the transaction that
		// settles it is over. A caller that never does ends it with the request.
		context.AfterFunc(ctx, trial.End)
		v.Settle = func(ctx context.Context, tx flow.Tx) error {
			q, ok := tx.(store.Tx)
			if !ok {
				return fmt.Errorf("settle guess: %T is no store transaction", tx)
			}
			defer trial.End()
			return trial.Right(ctx, q)
		}
	}
	return v, err
}

// undo uncounts a guess that nobody judged, such as one for which no core
// became free: the person is told to try again.
func (d *Directory) undo(ctx context.Context, t *guard.Trial) error {
	return d.db.Write(context.WithoutCancel(ctx), t.Undo)
}

func (d *Directory) ask(ctx context.Context, backends []string, p *identity.Person, plain string) (Verdict, error) {
	hashed := false
	for _, name := range backends {
		switch name {
		case InbuiltBackend:
			if hashed {
				continue // named twice
			}
			hashed = true
			switch ok, err := d.verify(ctx, p, plain); {
			case err != nil:
				return Verdict{}, err
			case ok:
				return Verdict{OK: true, Backend: name, Method: MethodPassword}, nil
			}
		case TokenBackend:
			if p == nil || !p.Active || d.tokens == nil {
				continue
			}
			identifier, match, err := d.tokens.AppPassword(ctx, p.ID, plain)
			if err != nil {
				return Verdict{}, err
			}
			if !match {
				continue
			}
			if !hashed {
				if err := d.hasher.VerifyDummy(ctx, plain); err != nil {
					return Verdict{}, err
				}
			}
			return Verdict{OK: true, Backend: name, Method: MethodToken, Args: map[string]any{"token": identifier}}, nil
		default:
			d.log.DebugContext(ctx, "password back end is not available here", slog.String("backend", name))
		}
	}
	if !hashed {
		return Verdict{}, d.hasher.VerifyDummy(ctx, plain)
	}
	return Verdict{}, nil
}

// verify checks the local hash. An inactive user costs the same and is refused
// like a wrong password.
func (d *Directory) verify(ctx context.Context, p *identity.Person, plain string) (bool, error) {
	if p == nil {
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
