package session

import (
	"context"
	"fmt"
	"time"

	"github.com/weir-id/weir/internal/store"
)

// counterLimit forgets a count that long after its last failure.
const counterLimit = 24 * time.Hour

// Count implements flow.Counter: one more, atomically, in a transaction of its
// own, whether or not the session has a row (rule 32).
func (m *Manager) Count(ctx context.Context, sessionKey, name string) (int, error) {
	now := m.now()
	var n int
	err := m.db.Write(ctx, func(ctx context.Context, tx store.Tx) error {
		return tx.QueryRow(ctx, `insert into session_counters (session_key, name, n, expires) values ($1, $2, 1, $3)
			on conflict (session_key, name) do update set expires = excluded.expires,
				n = case when session_counters.expires > $4 then session_counters.n + 1 else 1 end
			returning n`, sessionKey, name, now.Add(counterLimit), now).Scan(&n)
	})
	if err != nil {
		return 0, fmt.Errorf("count %s: %w", name, err)
	}
	return n, nil
}

// Reset implements flow.Counter.
func (m *Manager) Reset(ctx context.Context, sessionKey, name string) error {
	if _, err := m.db.Exec(ctx, "delete from session_counters where session_key = $1 and name = $2", sessionKey, name); err != nil {
		return fmt.Errorf("reset %s: %w", name, err)
	}
	return nil
}
