package directory

import (
	"context"
	"errors"
	"fmt"

	"github.com/weir-id/weir/field"
	"github.com/weir-id/weir/internal/directory/password"
	"github.com/weir-id/weir/internal/store"
)

// HashPassword makes the stored form of a password. Call it before a
// transaction begins: it takes tens of milliseconds, in which nobody else could
// write. An empty or overlong password is a field error; other errors wrap
// flow.ErrOverloaded or the cause of ctx.
func (d *Directory) HashPassword(ctx context.Context, plain string) (string, error) {
	if plain == "" {
		return "", field.Errors{"password": {{Code: field.CodeBlank, Message: "user.password.blank", String: "Enter a password."}}}
	}
	encoded, err := d.hasher.Hash(ctx, plain)
	if errors.Is(err, password.ErrTooLong) {
		return "", field.Errors{"password": {{Code: field.CodeMaxLength, Message: "user.password.long",
			String: fmt.Sprintf("Enter a password of at most %d bytes.", password.MaxPlainBytes)}}}
	}
	return encoded, err
}

// SetPassword hashes and stores a password. It keeps the transaction open while
// it hashes; where that matters use HashPassword and SetPasswordHash. The
// caller records the event password_set.
func (d *Directory) SetPassword(ctx context.Context, tx store.Tx, user int64, plain string) error {
	encoded, err := d.HashPassword(ctx, plain)
	if err != nil {
		return err
	}
	return d.SetPasswordHash(ctx, tx, user, encoded)
}

// SetPasswordHash stores an encoded hash and counts as a change of password, so
// that wrong guesses of the old one are forgotten. A hash of unknown format or with too high a cost is a field error (rule 44).
func (d *Directory) SetPasswordHash(ctx context.Context, tx store.Tx, user int64, encoded string) error {
	if err := checkHash(encoded); err != nil {
		return err
	}
	var username, email, upn string
	if err := tx.QueryRow(ctx, "select username, email, upn_key from users where id = $1", user).Scan(&username, &email, &upn); err != nil {
		if errors.Is(err, store.ErrNotFound) {
			return found(0, user)
		}
		return fmt.Errorf("read names of user %d: %w", user, err)
	}
	// First, so that rows are locked in the order in which a sign-in does.
	if err := d.guard.Forget(ctx, tx, username, email, upn); err != nil {
		return err
	}
	if err := d.remember(ctx, tx, user, encoded); err != nil {
		return err
	}
	n, err := tx.Exec(ctx, "update users set password_hash = $2, password_changed_at = $3, last_updated = $3 where id = $1", user, encoded, d.now())
	if err != nil {
		return fmt.Errorf("set password of user %d: %w", user, err)
	}
	return found(n, user)
}

func checkHash(encoded string) error {
	if err := password.Check(encoded); err != nil {
		return field.Errorf("password", field.CodeInvalid, "Give a password hash in a supported format: %v.", err)
	}
	return nil
}
