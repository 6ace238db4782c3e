package catalog

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/google/uuid"

	"github.com/weir-id/weir/flow"
	"github.com/weir-id/weir/identity"
	"github.com/weir-id/weir/internal/store"
	"github.com/weir-id/weir/policy"
)

// Meta says who writes, and whether it counts.
type Meta struct {
	// ActorID is the user who writes, nil for the command and the program
	// itself; Actor names them.
	ActorID *int64
	Actor   string
	// Person, HTTP and Brand are of the request that writes; nil for all others.
	Person *identity.Person
	HTTP   *policy.HTTPRequest
	Brand  *flow.Brand
	// Stale tells that Person is known by a session in which they must sign in
	// again before they get a way in to their own account (rule 39).
	Stale bool
	// Source is where the change comes from: "api", "file login.yaml".
	Source string
	// Reason goes into the audit trail; empty for none.
	Reason string
	// DryRun runs everything and keeps nothing.
	DryRun bool
	// Force has a write stored that would lock everybody out.
	Force bool
}

// Op is what happened to an object.
type Op string

// The operations, with the signs that people know from diffs.
const (
	Created Op = "+"
	Changed Op = "~"
	Deleted Op = "-"
)

// Change is one object that a write changed.
type Change struct {
	Op   Op        `json:"op"`
	Kind string    `json:"kind"`
	Type string    `json:"type,omitempty"`
	ID   uuid.UUID `json:"id"`
	Name string    `json:"name"`
	// Fields are the names of the fields that differ; for Changed only.
	Fields []string `json:"fields,omitempty"`
}

// Revision is what a write made.
type Revision struct {
	// Number is the new revision; the old one when nothing changed or the
	// write was a dry run.
	Number  int64
	Changes []Change
}

// errDryRun rolls a dry run back.
var errDryRun = errors.New("dry run")

// Update runs fn over the newest configuration and stores what it changed, all
// or nothing. fn may be called more than once and must have no effect outside
// its Tx. Errors of fn come back as they are.
func (c *Catalog) Update(ctx context.Context, meta Meta, fn func(ctx context.Context, tx *Tx) error) (Revision, error) {
	var out Revision
	err := c.DB.Write(ctx, func(ctx context.Context, tx store.Tx) (err error) {
		out, err = c.UpdateIn(ctx, tx, meta, fn)
		return err
	})
	if errors.Is(err, errDryRun) {
		return out, nil
	}
	if err != nil {
		return Revision{}, err
	}
	return out, nil
}

// UpdateIn is Update as a part of somebody else's transaction, which has to be
// rolled back when it returns an error. A dry run is such an error.
func (c *Catalog) UpdateIn(ctx context.Context, stx store.Tx, meta Meta, fn func(ctx context.Context, tx *Tx) error) (Revision, error) {
	head, err := headRevision(ctx, stx, stx.Dialect().ForUpdate())
	if err != nil {
		return Revision{}, err
	}
	known := c.Snapshot() // nobody makes a newer one while the head is locked
	base, err := c.follow(ctx, stx, known, head)
	if err != nil {
		return Revision{}, err
	}
	tx := &Tx{ctx: ctx, catalog: c, base: base, staged: base, store: stx, now: c.Now().UTC().Truncate(time.Microsecond),
		revision: head + 1, touched: map[uuid.UUID]bool{}}
	if err := fn(ctx, tx); err != nil {
		return Revision{}, err
	}
	out := Revision{Number: head, Changes: tx.changes()}
	if c.Guard != nil {
		if err := c.Guard(ctx, stx, meta, base, tx.staged, out.Changes); err != nil {
			return Revision{}, err
		}
	}
	switch {
	case meta.DryRun:
		return out, errDryRun
	case len(out.Changes) == 0:
		return out, nil
	}
	out.Number = tx.revision
	if err := tx.save(ctx, meta, out.Changes); err != nil {
		return Revision{}, err
	}
	staged := *tx.staged
	staged.revision = tx.revision
	stx.AfterCommit(func() { c.publish(known, &staged) })
	return out, nil
}

// save stores the versions, references and the revision.
func (tx *Tx) save(ctx context.Context, meta Meta, changes []Change) error {
	for _, ch := range changes {
		if err := tx.saveVersion(ctx, ch); err != nil {
			return fmt.Errorf("store %s %q: %w", ch.Kind, ch.Name, err)
		}
	}
	_, err := tx.store.Exec(ctx, `insert into catalog_revisions (revision, created, actor_id, actor, source, summary) values ($1, $2, $3, $4, $5, $6)`,
		tx.revision, tx.now, meta.ActorID, meta.Actor, meta.Source, store.JSON(changes))
	if err != nil {
		return fmt.Errorf("store revision %d: %w", tx.revision, err)
	}
	if _, err := tx.store.Exec(ctx, `update catalog_head set revision = $1 where id = 1`, tx.revision); err != nil {
		return fmt.Errorf("store the catalog's revision: %w", err)
	}
	if record := tx.catalog.Record; record != nil {
		if err := record(ctx, tx.store, meta, changes); err != nil {
			return fmt.Errorf("record changes: %w", err)
		}
	}
	return tx.catalog.DB.Notify(ctx, tx.store, channel, strconv.FormatInt(tx.revision, 10))
}

func (tx *Tx) saveVersion(ctx context.Context, ch Change) error {
	if _, err := tx.store.Exec(ctx, `update catalog_versions set current = false where id = $1 and current`, ch.ID); err != nil {
		return err
	}
	if _, err := tx.store.Exec(ctx, `delete from catalog_refs where from_id = $1`, ch.ID); err != nil {
		return err
	}
	doc := "{}"
	o, alive := tx.staged.Get(ch.ID)
	if alive {
		data, err := tx.catalog.encode(tx.kind(o.Kind), o)
		if err != nil {
			return err
		}
		doc = string(data)
	}
	_, err := tx.store.Exec(ctx, `insert into catalog_versions (id, kind, type, revision, doc, deleted, current) values ($1, $2, $3, $4, $5, $6, $7)`,
		ch.ID, ch.Kind, ch.Type, tx.revision, doc, !alive, true)
	if err != nil || !alive {
		return err
	}
	for _, part := range tx.kind(o.Kind).parts(o.Doc) {
		for _, ref := range partReferences(part) {
			if _, err := tx.store.Exec(ctx, `insert into catalog_refs (from_id, field, to_kind, to_id) values ($1, $2, $3, $4) on conflict do nothing`,
				ch.ID, ref.Field, ref.Kind, ref.ID); err != nil {
				return err
			}
		}
	}
	return nil
}
