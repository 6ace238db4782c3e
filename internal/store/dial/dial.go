// Package dial opens the database that the settings name. It stands apart from
// package store because the two databases import that one.
package dial

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"strings"

	"github.com/weir-id/weir/internal/store"
	"github.com/weir-id/weir/internal/store/postgres"
	"github.com/weir-id/weir/internal/store/sqlite"
)

// Options say which database to open.
type Options struct {
	// URL of a PostgreSQL database (postgres:// or postgresql://). Empty means
	// the SQLite file weir.db in DataDir.
	URL string
	// DataDir is made with mode 0700 if it is missing. Needed for SQLite only.
	DataDir string
	// Logger is told about migrations and lost connections. Nil discards.
	Logger *slog.Logger
}

// Open opens the database and brings its schema up to date. The caller closes it.
func Open(ctx context.Context, o Options) (store.DB, error) {
	log := o.Logger
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	log = log.With(slog.String("component", "store"))
	switch scheme, _, _ := strings.Cut(o.URL, "://"); {
	case o.URL == "":
		if o.DataDir == "" {
			return nil, errors.New("open store: neither a database URL nor a data folder is set")
		}
		return as(sqlite.Open(ctx, filepath.Join(o.DataDir, "weir.db"), log))
	case scheme == "postgres" || scheme == "postgresql":
		return as(postgres.Open(ctx, o.URL, log))
	}
	// The URL may hold a password, so the error does not repeat it.
	return nil, fmt.Errorf("open store: the database URL must begin with postgres://")
}

// as keeps a nil *DB from becoming a store.DB that is not nil.
func as[D store.DB](db D, err error) (store.DB, error) {
	if err != nil {
		return nil, err
	}
	return db, nil
}
