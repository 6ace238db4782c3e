package resource

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/weir-id/weir/internal/access"
	"github.com/weir-id/weir/internal/store"
)

// Version is a version of the program that has served a database, from when on.
type Version struct {
	ID      int64     `json:"id" field:"readonly"`
	Started time.Time `json:"timestamp" field:"required"`
	// Version is that of the API, Build which program it is.
	Version string `json:"version" field:"required"`
	Build   string `json:"build" field:"required"`
}

// VersionFilters are the parameters of the list of versions.
func VersionFilters() []Filter { return []Filter{{Name: "build"}, {Name: "version"}} }

// maxVersions is how many versions a list shows.
const maxVersions = 1000

var versions = &table[Version]{
	from: "version_history h", columns: "h.id, h.version, h.build, h.started", key: "h.id", numeric: true,
	scan: func(row store.Row) (Version, error) {
		var v Version
		err := row.Scan(&v.ID, &v.Version, &v.Build, &v.Started)
		return v, err
	},
	order:    map[string]string{"id": "h.id", "version": "h.version", "build": "h.build", "timestamp": "h.started"},
	fallback: "h.id desc",
	search:   mentions("h.version", "h.build"),
	filters:  map[string]func(*statement, any){"id": equals("h.id"), "version": equals("h.version"), "build": equals("h.build")},
}

// Versions returns the versions that q asks for, the latest first.
func Versions(ctx context.Context, v View, q *Query) ([]Version, error) {
	all := *q
	all.Page, all.Size, all.Scope = 1, maxVersions, access.Scope{All: true}
	found, _, err := versions.list(ctx, v, &all)
	return found, err
}

// RecordVersion notes the version that serves a database from now on, unless it
// is the same as before.
func RecordVersion(ctx context.Context, db store.DB, v Version) error {
	return db.Write(ctx, func(ctx context.Context, tx store.Tx) error {
		var last Version
		err := tx.QueryRow(ctx, "select id, version, build from version_history order by id desc limit 1").Scan(&last.ID, &last.Version, &last.Build)
		if err != nil && !errors.Is(err, store.ErrNotFound) {
			return fmt.Errorf("read version history: %w", err)
		}
		if last.Version == v.Version && last.Build == v.Build {
			return nil
		}
		// Of nodes that start at the same moment one is enough.
		_, err = tx.Exec(ctx, "insert into version_history (id, version, build, started) values ($1, $2, $3, $4) on conflict do nothing",
			last.ID+1, v.Version, v.Build, v.Started.UTC())
		if err != nil {
			return fmt.Errorf("record version: %w", err)
		}
		return nil
	})
}
