package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"

	"github.com/weir-id/weir/internal/store"
	"github.com/weir-id/weir/internal/store/migrate"
	"github.com/weir-id/weir/internal/store/txn"
)

// upgrade migrates the file at path if it is behind. Without anything to do it
// costs one small read.
func upgrade(ctx context.Context, path string, log *slog.Logger) error {
	if pending, err := behind(ctx, path); err != nil || !pending {
		return err
	}
	unlock, err := lock(ctx, path+"-migrating")
	if err != nil {
		return fmt.Errorf("wait for the migration lock: %w", err)
	}
	return errors.Join(upgradeLocked(ctx, path, log), unlock())
}

func upgradeLocked(ctx context.Context, path string, log *slog.Logger) error {
	if pending, err := behind(ctx, path); err != nil || !pending {
		return err
	}
	db, err := pool(path, "_pragma=journal_mode(wal)&_txlock=immediate", 1)
	if err != nil {
		return err
	}
	// The change to WAL, made as the connection opens, needs the file for itself
	// and does not wait for the process that looks at it in this moment.
	err = txn.Retry(ctx, transient, func() error { return db.PingContext(ctx) })
	if err == nil {
		err = migrate.Up(ctx, store.SQLite, db, Migrations(), log)
	}
	return errors.Join(err, db.Close())
}

// lock makes processes that start together take turns. It is an open write
// transaction on an empty database beside the real one: it ends with the process
// that holds it, on every operating system. The file stays, because a process
// may be waiting for it.
func lock(ctx context.Context, path string) (unlock func() error, err error) {
	if err := create(path); err != nil {
		return nil, err
	}
	db, err := pool(path, "_pragma=busy_timeout(60000)&_txlock=immediate", 1)
	if err != nil {
		return nil, err
	}
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return func() error { return errors.Join(tx.Rollback(), db.Close()) }, nil
}

func behind(ctx context.Context, path string) (bool, error) {
	db, err := pool(path, "", 1)
	if err != nil {
		return false, err
	}
	version, err := version(ctx, db)
	if err := errors.Join(err, db.Close()); err != nil {
		return false, err
	}
	return migrate.Pending(version, Migrations())
}

func version(ctx context.Context, db *sql.DB) (version int64, err error) {
	var tables int
	err = db.QueryRowContext(ctx, "select count(*) from sqlite_master where type = 'table' and name = $1", migrate.Table).Scan(&tables)
	if err == nil && tables > 0 {
		err = db.QueryRowContext(ctx, "select coalesce(max(version_id), 0) from "+migrate.Table).Scan(&version)
	}
	return version, err
}
