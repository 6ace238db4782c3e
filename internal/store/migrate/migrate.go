// Package migrate brings a database to the schema of this program. Migrations
// are numbered SQL files, go forward only and run in one transaction each. The
// package does not lock: the database that calls Up sees to it that only one
// process does.
package migrate

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"

	"github.com/pressly/goose/v3"

	"github.com/weir-id/weir/internal/store"
)

// Table is where the applied versions are recorded, in version_id.
const Table = "weir_migrations"

// ErrNewer says that the database was written by a later version of Weir.
var ErrNewer = errors.New("database has a newer schema than this program knows")

// Latest returns the highest version among the migrations in fsys.
func Latest(fsys fs.FS) (int64, error) {
	names, err := fs.Glob(fsys, "*.sql")
	if err != nil {
		return 0, err
	}
	var latest int64
	for _, name := range names {
		v, err := goose.NumericComponent(name)
		if err != nil {
			return 0, fmt.Errorf("migration %s: %w", name, err)
		}
		latest = max(latest, v)
	}
	return latest, nil
}

// Pending compares the version of a database, 0 for an empty one, with the
// migrations in fsys. It returns ErrNewer rather than let an old program write
// into a schema that it does not know.
func Pending(current int64, fsys fs.FS) (bool, error) {
	latest, err := Latest(fsys)
	if err != nil {
		return false, err
	}
	if current > latest {
		return false, fmt.Errorf("%w: version %d, known up to %d", ErrNewer, current, latest)
	}
	return current < latest, nil
}

// Up applies the missing migrations.
func Up(ctx context.Context, dialect store.Dialect, db *sql.DB, fsys fs.FS, log *slog.Logger) error {
	name := goose.DialectSQLite3
	if dialect == store.Postgres {
		name = goose.DialectPostgres
	}
	p, err := goose.NewProvider(name, db, fsys, goose.WithTableName(Table), goose.WithDisableGlobalRegistry(true))
	if err != nil {
		return fmt.Errorf("read migrations: %w", err)
	}
	results, err := p.Up(ctx)
	if err != nil {
		return fmt.Errorf("migrate: %w", err)
	}
	for _, r := range results {
		log.InfoContext(ctx, "migrated", slog.Int64("version", r.Source.Version), slog.Duration("took", r.Duration))
	}
	return nil
}
