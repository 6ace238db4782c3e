package directory

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/weir-id/weir/internal/directory/password"
	"github.com/weir-id/weir/internal/store"
	"github.com/weir-id/weir/policy"
)

// CarryOut does to a person what a policy asked for, and tells whether that
// changed anything. A person who is gone, who has no password or who got
// another one since the policy judged stays as they are.
func (d *Directory) CarryOut(ctx context.Context, tx store.Tx, e policy.Effect) (changed bool, err error) {
	if e.Act != policy.EndPassword {
		return false, fmt.Errorf("effect %q is not known", e.Act)
	}
	var hash string
	err = tx.QueryRow(ctx, "select password_hash from users where id = $1 and password_changed_at <= $2"+tx.Dialect().ForUpdate(),
		e.Person.ID, e.Person.PasswordChangedAt.UTC()).Scan(&hash)
	switch {
	case errors.Is(err, store.ErrNotFound), err == nil && strings.HasPrefix(hash, password.Unusable):
		return false, nil
	case err != nil:
		return false, fmt.Errorf("read password of user %d: %w", e.Person.ID, err)
	}
	if err := d.remember(ctx, tx, e.Person.ID, password.Unusable); err != nil {
		return false, err
	}
	// When the password was changed stays: nobody has set another one.
	if _, err := tx.Exec(ctx, "update users set password_hash = $2, last_updated = $3 where id = $1", e.Person.ID, password.Unusable, d.now()); err != nil {
		return false, fmt.Errorf("end password of user %d: %w", e.Person.ID, err)
	}
	return true, nil
}
