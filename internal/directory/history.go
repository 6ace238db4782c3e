package directory

import (
	"context"
	"fmt"
	"strings"

	"github.com/weir-id/weir/internal/directory/password"
	"github.com/weir-id/weir/internal/store"
)

// remember puts the present password of a user, which next is about to replace,
// into the history, as far as somebody wants one, and drops the oldest ones.
func (d *Directory) remember(ctx context.Context, tx store.Tx, user int64, next string) error {
	keep := d.history()
	if keep <= 0 {
		return nil
	}
	n, err := tx.Exec(ctx, `insert into password_history (user_id, hash, created) select id, password_hash, $2 from users
		where id = $1 and password_hash <> $3 and substr(password_hash, 1, 1) <> $4`+tx.Dialect().ForUpdate(), user, d.now(), next, password.Unusable)
	if err != nil {
		return fmt.Errorf("remember password of user %d: %w", user, err)
	}
	if n == 0 {
		return nil
	}
	_, err = tx.Exec(ctx, `delete from password_history where user_id = $1 and id not in
		(select id from password_history where user_id = $1 order by id desc limit $2)`, user, keep)
	if err != nil {
		return fmt.Errorf("forget passwords of user %d: %w", user, err)
	}
	return nil
}

// PasswordUsed tells whether a password is the present one of a user or among
// the newest that they had before that. Stored passwords of an unknown format
// are passed over. Each comparison takes its turn among the passwords being
// hashed: the error wraps flow.ErrOverloaded where there are too many, or the
// cause of ctx.
func (d *Directory) PasswordUsed(ctx context.Context, user int64, plain string, newest int) (bool, error) {
	if len(plain) > password.MaxPlainBytes {
		return false, nil // nobody can have had it
	}
	hashes, err := store.Select(ctx, d.db, store.Column[string], `select hash from (
		select password_hash as hash, 1 as present, id from users where id = $1
		union all
		select * from (select hash, 0, id from password_history where user_id = $1 order by id desc limit $2) as earlier
		) as all_of_them order by present desc, id desc`, user, newest)
	if err != nil {
		return false, fmt.Errorf("read passwords of user %d: %w", user, err)
	}
	for _, hash := range hashes {
		if strings.HasPrefix(hash, password.Unusable) || password.Check(hash) != nil {
			continue
		}
		if err := ctx.Err(); err != nil {
			return false, context.Cause(ctx)
		}
		match, err := d.hasher.Verify(ctx, hash, plain)
		if err != nil || match {
			return match, err
		}
	}
	return false, nil
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
