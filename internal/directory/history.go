package directory

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/weir-id/weir/identity"
	"github.com/weir-id/weir/internal/directory/password"
	"github.com/weir-id/weir/internal/guard"
	"github.com/weir-id/weir/internal/store"
)

// remember puts the present password of a user, which next is about to replace,
// into the history, as far as somebody wants one, and drops the oldest ones.
func (d *Directory) remember(ctx context.Context, tx store.Tx, user int64, next string) error {
	keep := d.history()
	if keep <= 0 {
		return nil
	}
	// Locked and then compared: a condition of the query would be asked of the
	// row as it was before a change under way.
	var hash string
	if err := tx.QueryRow(ctx, "select password_hash from users where id = $1"+tx.Dialect().ForUpdate(), user).Scan(&hash); err != nil {
		return fmt.Errorf("read password of user %d: %w", user, err)
	}
	if hash == next || strings.HasPrefix(hash, password.Unusable) {
		return nil
	}
	if _, err := tx.Exec(ctx, "insert into password_history (user_id, hash, created) values ($1, $2, $3)", user, hash, d.now()); err != nil {
		return fmt.Errorf("remember password of user %d: %w", user, err)
	}
	_, err := tx.Exec(ctx, `delete from password_history where user_id = $1 and id not in
		(select id from password_history where user_id = $1 order by id desc limit $2)`, user, keep)
	if err != nil {
		return fmt.Errorf("forget passwords of user %d: %w", user, err)
	}
	return nil
}

// PasswordUsed tells whether a password is the present one of a person or among
// the newest that they had before that. Stored passwords of an unknown format
// are passed over.
//
// Whoever asks learns whether they have guessed a password, so each question
// counts as a wrong guess, also when it was right; a new password forgets them
// (rule 31). The error is a *guard.LimitedError, for which nothing was hashed,
// wraps flow.ErrOverloaded or the cause of ctx, or comes from the database.
func (d *Directory) PasswordUsed(ctx context.Context, guess guard.Guess, p *identity.Person, plain string, newest int) (used bool, err error) {
	if len(plain) > password.MaxPlainBytes {
		return false, nil // nobody can have had it
	}
	hashes, err := d.passwordsOf(ctx, p.ID, newest)
	if err != nil || len(hashes) == 0 {
		return false, err
	}
	trial, err := d.guard.Begin(ctx, guess, p)
	if err != nil {
		return false, err
	}
	defer trial.End()
	for _, hash := range hashes {
		if err = context.Cause(ctx); err == nil {
			used, err = d.hasher.Verify(ctx, hash, plain)
		}
		if err != nil {
			return false, errors.Join(err, d.undo(ctx, trial))
		}
		if used {
			break
		}
	}
	return used, nil
}

// passwordsOf reads the hashes of a user that can be verified, the present one
// and the newest before that.
func (d *Directory) passwordsOf(ctx context.Context, user int64, newest int) ([]string, error) {
	hashes, err := store.Select(ctx, d.db, store.Column[string], `select hash from (
		select password_hash as hash, 1 as present, id from users where id = $1
		union all
		select * from (select hash, 0, id from password_history where user_id = $1 order by id desc limit $2) as earlier
		) as all_of_them order by present desc, id desc`, user, newest)
	if err != nil {
		return nil, fmt.Errorf("read passwords of user %d: %w", user, err)
	}
	return slices.DeleteFunc(hashes, func(hash string) bool {
		return strings.HasPrefix(hash, password.Unusable) || password.Check(hash) != nil
	}), nil
}

// historyBatch is how many rows one transaction of TrimHistory deletes.
const historyBatch = 2000

// TrimHistory deletes the earlier passwords that nobody wants to know of any
// more, and returns how many they were.
func (d *Directory) TrimHistory(ctx context.Context) (deleted int64, err error) {
	for {
		n, err := d.db.Exec(ctx, `delete from password_history where id in (select id from
			(select id, row_number() over (partition by user_id order by id desc) as place from password_history) as placed where place > $1 limit $2)`,
			max(d.history(), 0), historyBatch)
		deleted += n
		if err != nil {
			return deleted, fmt.Errorf("trim earlier passwords: %w", err)
		}
		if n == 0 {
			return deleted, nil
		}
	}
}
