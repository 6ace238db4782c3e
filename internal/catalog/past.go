package catalog

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/weir-id/weir/internal/store"
)

// ErrNoRevision means that there is no revision of a number, or not any more.
var ErrNoRevision = errors.New("no such revision")

// Past is a revision that has been made.
type Past struct {
	Number  int64
	Created time.Time
	// ActorID is the user who wrote; nil for the command and the program.
	ActorID *int64
	Actor   string
	Source  string
	Changes []Change
}

// Search narrows a list of revisions. Empty fields do not count.
type Search struct {
	// Object is the id of an object that the revision changed, Kind the kind of
	// one.
	Object, Kind string
	Actor        string
	// Source is where the change came from, or the beginning of that.
	Source       string
	Since, Until time.Time
	// Number is one revision.
	Number int64
}

// Revisions lists revisions, the newest first, and how many there are.
func (c *Catalog) Revisions(ctx context.Context, s Search, offset, limit int) (list []Past, total int, err error) {
	var args store.Args
	var where []string
	if s.Number != 0 {
		where = append(where, "r.revision = "+args.Add(s.Number))
	}
	for _, by := range []struct{ column, value string }{{"id", s.Object}, {"kind", s.Kind}} {
		if by.value != "" {
			where = append(where, "exists (select 1 from catalog_versions v where v.revision = r.revision and v."+by.column+" = "+args.Add(by.value)+")")
		}
	}
	if s.Actor != "" {
		where = append(where, "r.actor = "+args.Add(s.Actor))
	}
	if s.Source != "" {
		prefix := args.Add(s.Source)
		where = append(where, "substr(r.source, 1, length("+prefix+")) = "+prefix)
	}
	if !s.Since.IsZero() {
		where = append(where, "r.created >= "+args.Add(s.Since.UTC()))
	}
	if !s.Until.IsZero() {
		where = append(where, "r.created < "+args.Add(s.Until.UTC()))
	}
	from := " from catalog_revisions r"
	if len(where) > 0 {
		from += " where " + strings.Join(where, " and ")
	}
	if err := c.DB.QueryRow(ctx, "select count(*)"+from, args...).Scan(&total); err != nil {
		return nil, 0, fmt.Errorf("count revisions: %w", err)
	}
	sql := "select r.revision, r.created, r.actor_id, r.actor, r.source, cast(r.summary as text)" + from + " order by r.revision desc limit "
	sql += args.Add(limit)
	sql += " offset " + args.Add(offset)
	list, err = store.Select(ctx, c.DB, scanPast, sql, args...)
	if err != nil {
		return nil, 0, fmt.Errorf("list revisions: %w", err)
	}
	return list, total, nil
}

func scanPast(r store.Row) (p Past, err error) {
	var summary string
	if err := r.Scan(&p.Number, &p.Created, &p.ActorID, &p.Actor, &p.Source, &summary); err != nil {
		return p, err
	}
	p.Created = p.Created.UTC()
	if err := json.Unmarshal([]byte(summary), &p.Changes); err != nil {
		return p, fmt.Errorf("read changes of revision %d: %w", p.Number, err)
	}
	return p, nil
}

// oldest is the first revision of which the configuration is still known; 0 is
// that of an installation before its first write.
func oldest(ctx context.Context, q store.Querier) (int64, error) {
	var first int64
	if err := q.QueryRow(ctx, "select coalesce(min(revision), 1) from catalog_revisions").Scan(&first); err != nil {
		return 0, fmt.Errorf("read the oldest revision: %w", err)
	}
	if first == 1 {
		first = 0
	}
	return first, nil
}

// At returns the configuration as it was at a revision. The error wraps
// ErrNoRevision when it is not known.
func (c *Catalog) At(ctx context.Context, q store.Querier, revision int64) (*Snapshot, error) {
	head, err := headRevision(ctx, q, "")
	if err != nil {
		return nil, err
	}
	rows, err := store.Select(ctx, q, scanRow, `select `+versionColumns+` from catalog_versions v
		where revision <= $1 and not deleted and revision = (select max(w.revision) from catalog_versions w where w.id = v.id and w.revision <= $1)`, revision)
	if err != nil {
		return nil, fmt.Errorf("load the configuration of revision %d: %w", revision, err)
	}
	// After the versions, of which some may have been removed in between.
	first, err := oldest(ctx, q)
	if err != nil {
		return nil, err
	}
	if revision < first || revision > head {
		return nil, fmt.Errorf("revision %d; %d to %d are known: %w", revision, first, head, ErrNoRevision)
	}
	s := &Snapshot{catalog: c}
	for _, r := range rows {
		// What cannot be used was told when it was current.
		if o := c.decode(slog.New(slog.DiscardHandler), &r.object, []byte(r.doc)); o != nil {
			s = s.with(o)
		}
	}
	s.revision = revision
	return s, nil
}

// MinHistory is how long versions are kept at least: longer than an execution,
// which goes on with those that it was planned with.
const MinHistory = 48 * time.Hour

// Forget removes the versions that were replaced before a time, and the
// revisions from which nothing is left to go back to. It returns how many rows
// went. What is current stays, and so does everything since.
func (c *Catalog) Forget(ctx context.Context, before time.Time) (gone int64, err error) {
	before = before.UTC()
	if latest := c.Now().UTC().Add(-MinHistory); before.After(latest) {
		before = latest
	}
	err = c.DB.Write(ctx, func(ctx context.Context, tx store.Tx) error {
		gone = 0
		// Nobody may be going back meanwhile.
		if _, err := headRevision(ctx, tx, tx.Dialect().ForUpdate()); err != nil {
			return err
		}
		var first int64
		if err := tx.QueryRow(ctx, "select coalesce(max(revision), 0) from catalog_revisions where created < $1", before).Scan(&first); err != nil {
			return err
		}
		for _, sql := range []string{
			`delete from catalog_versions where not current and revision < $1 and exists (select 1 from catalog_versions n
				where n.id = catalog_versions.id and n.revision > catalog_versions.revision and n.revision <= $1)`,
			`delete from catalog_versions where deleted and revision <= $1`,
			`delete from catalog_revisions where revision < $1`,
		} {
			n, err := tx.Exec(ctx, sql, first)
			if err != nil {
				return err
			}
			gone += n
		}
		return nil
	})
	if err != nil {
		return 0, fmt.Errorf("remove old versions of the configuration: %w", err)
	}
	return gone, nil
}
