package postgres

import (
	"context"
	"errors"
	"fmt"
	"log/slog"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/jackc/pgx/v5/stdlib"

	"github.com/weir-id/weir/internal/store"
	"github.com/weir-id/weir/internal/store/migrate"
)

// migrationLock is the key of the advisory lock: "weir" in ASCII.
const migrationLock = 0x77656972

// upgrade migrates the database if it is behind. Nodes that start together take
// turns: the lock belongs to a session, so that a node that dies frees it.
func upgrade(ctx context.Context, pool *pgxpool.Pool, log *slog.Logger) (err error) {
	if pending, err := behind(ctx, pool); err != nil || !pending {
		return err
	}
	lock, err := pool.Acquire(ctx)
	if err != nil {
		return err
	}
	defer lock.Release()
	if _, err := lock.Exec(ctx, "select pg_advisory_lock($1)", migrationLock); err != nil {
		return fmt.Errorf("wait for the migration lock: %w", err)
	}
	defer func() {
		_, unlockErr := lock.Exec(context.WithoutCancel(ctx), "select pg_advisory_unlock($1)", migrationLock)
		err = errors.Join(err, unlockErr)
	}()
	if pending, err := behind(ctx, pool); err != nil || !pending {
		return err
	}
	db := stdlib.OpenDBFromPool(pool)
	return errors.Join(migrate.Up(ctx, store.Postgres, db, Migrations(), log), db.Close())
}

func behind(ctx context.Context, pool *pgxpool.Pool) (bool, error) {
	var exists bool
	var version int64
	err := pool.QueryRow(ctx, "select to_regclass($1) is not null", migrate.Table).Scan(&exists)
	if err == nil && exists {
		err = pool.QueryRow(ctx, "select coalesce(max(version_id), 0) from "+migrate.Table).Scan(&version)
	}
	if err != nil {
		return false, fmt.Errorf("read schema version: %w", err)
	}
	return migrate.Pending(version, Migrations())
}
