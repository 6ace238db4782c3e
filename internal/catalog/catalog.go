// Package catalog holds the configuration: flows, stages, bindings, policies,
// brands. Every node has all of it in memory as one immutable Snapshot; a write
// makes new versions of the objects it changes and one revision, in one
// transaction that can hold other rows too.
//
//	Update: lock the head row -> catch up -> change a staged snapshot -> store
//	versions, references and the revision -> commit -> swap the snapshot -> announce
//
// Writers wait for each other at the head row, so a conflict never reaches a
// caller. Other nodes hear of a revision and load the newer rows only.
//
// The package knows nothing of who may write, of files or of HTTP.
package catalog

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/google/uuid"

	"github.com/weir-id/weir/flow"
	"github.com/weir-id/weir/internal/lru"
	"github.com/weir-id/weir/internal/store"
	"github.com/weir-id/weir/policy"
)

// Config is what a Catalog needs. Fields without a stated default are required.
type Config struct {
	DB       store.DB
	Stages   []flow.StageType
	Policies []policy.Type
	// Compile tells whether the body of an expression could run: nil, or why
	// not. A nil Compile accepts everything.
	Compile func(name, body string) error
	// Seal hides the fields that are tagged secret.
	Seal Sealer
	// Exists tells whether an object outside the catalog exists: a user or a
	// group. Nil refuses every reference to one.
	Exists func(ctx context.Context, q store.Querier, kind, id string) (bool, error)
	// Record is told what a write changed, in its transaction. Nil for
	// nobody.
	Record func(ctx context.Context, tx store.Tx, meta Meta, changes []Change) error
	// Guard is asked about a write before it is stored, in its transaction, dry
	// runs included; its error refuses the write. Nil for nobody.
	Guard func(ctx context.Context, tx store.Tx, meta Meta, before, after *Snapshot, changes []Change) error
	// Logger is told about stored objects that cannot be used; slog.Default
	// when nil.
	Logger *slog.Logger
	// Now is the clock; time.Now when nil.
	Now func() time.Time
}

// Catalog is the configuration of one installation, as one node has it. It is
// safe for concurrent use.
type Catalog struct {
	Config
	registry *registry
	seal     Sealer
	log      *slog.Logger
	current  atomic.Pointer[Snapshot]
	built    *lru.Cache[[sha256.Size]byte, *cached]
	old      *lru.Cache[pin, *Object]
}

// pin names one version of an object.
type pin struct {
	id      uuid.UUID
	version int64
}

// maxOldVersions bounds the superseded versions kept for plans under way.
const maxOldVersions = 1024

// channel is where revisions are announced.
const channel = "weir_catalog"

// Open loads the configuration.
func Open(ctx context.Context, cfg Config) (*Catalog, error) {
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Compile == nil {
		cfg.Compile = func(string, string) error { return nil }
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.Default()
	}
	c := &Catalog{Config: cfg, registry: newRegistry(cfg.Stages, cfg.Policies, cfg.Compile), seal: cfg.Seal,
		log: cfg.Logger.With(slog.String("component", "catalog")), built: lru.New[[sha256.Size]byte, *cached](maxBuilt), old: lru.New[pin, *Object](maxOldVersions)}
	c.current.Store(&Snapshot{catalog: c})
	if err := c.Refresh(ctx); err != nil {
		return nil, err
	}
	return c, nil
}

// Snapshot returns the configuration as this node knows it.
func (c *Catalog) Snapshot() *Snapshot { return c.current.Load() }

// Refresh catches up with what other nodes have written.
func (c *Catalog) Refresh(ctx context.Context) error {
	base := c.Snapshot() // before the head, which is never behind it then
	head, err := headRevision(ctx, c.DB, "")
	if err != nil {
		return err
	}
	next, err := c.follow(ctx, c.DB, base, head)
	if err != nil {
		return err
	}
	c.publish(base, next)
	return nil
}

// reload reads the whole configuration anew.
func (c *Catalog) reload(ctx context.Context) error {
	for {
		base := c.Snapshot()
		head, err := headRevision(ctx, c.DB, "")
		if err != nil {
			return err
		}
		next, err := c.catchUp(ctx, c.DB, &Snapshot{catalog: c}, head)
		if err != nil {
			return err
		}
		if c.publish(base, next) {
			return nil
		}
	}
}

// follow returns the configuration at revision head or newer. A base that is
// ahead of the head holds what never happened: the database went on from an
// older state, such as that of a standby which did not have everything.
func (c *Catalog) follow(ctx context.Context, q store.Querier, base *Snapshot, head int64) (*Snapshot, error) {
	switch {
	case base.revision == head:
		return base, nil
	case base.revision > head:
		base = &Snapshot{catalog: c}
	}
	return c.catchUp(ctx, q, base, head)
}

// retryPause is how long Watch waits after it could not catch up.
const retryPause = time.Second

// Watch keeps the snapshot current until ctx ends: it hears announcements, and
// looks by itself every poll in case one was lost.
func (c *Catalog) Watch(ctx context.Context, poll time.Duration) {
	wake := make(chan struct{}, 1)
	// A connection is lost also when another server takes over, whose revisions
	// may be others under the numbers that are known here.
	var lost atomic.Bool
	heard := func(payload string) {
		if payload == "" {
			lost.Store(true)
		} else if payload == strconv.FormatInt(c.Snapshot().revision, 10) {
			return
		}
		select {
		case wake <- struct{}{}:
		default:
		}
	}
	listening := false
	tick := time.NewTicker(poll)
	defer tick.Stop()
	for {
		if !listening {
			err := c.DB.Listen(ctx, channel, heard)
			if listening = err == nil; err != nil && ctx.Err() == nil {
				c.log.WarnContext(ctx, "announcements of revisions are not heard", slog.Any("error", err))
			}
		}
		// What was written before listening began is looked up as well.
		var again <-chan time.Time
		catchUp, all := c.Refresh, lost.Swap(false)
		if all {
			catchUp = c.reload
		}
		if err := catchUp(ctx); err != nil && ctx.Err() == nil {
			if all {
				lost.Store(true)
			}
			c.log.ErrorContext(ctx, "catch up with the configuration", slog.Any("error", err))
			again = time.After(retryPause)
		}
		select {
		case <-ctx.Done():
			return
		case <-wake:
		case <-tick.C:
		case <-again:
		}
	}
}

// publish swaps the snapshot, unless base has been replaced meanwhile by one as
// new as next.
func (c *Catalog) publish(base, next *Snapshot) bool {
	for {
		old := c.current.Load()
		if old != base && old.revision >= next.revision {
			return false
		}
		if c.current.CompareAndSwap(old, next) {
			return true
		}
	}
}

func headRevision(ctx context.Context, q store.Querier, lock string) (int64, error) {
	var head int64
	if err := q.QueryRow(ctx, `select revision from catalog_head where id = 1`+lock).Scan(&head); err != nil {
		return 0, fmt.Errorf("read the catalog's revision: %w", err)
	}
	return head, nil
}

// row is a stored version that is not decoded yet.
type row struct {
	object  Object
	doc     string
	deleted bool
}

func scanRow(r store.Row) (row, error) {
	var x row
	err := r.Scan(&x.object.ID, &x.object.Kind, &x.object.Type, &x.object.Version, &x.doc, &x.deleted)
	return x, err
}

const versionColumns = `id, kind, type, revision, doc, deleted`

// catchUp applies the versions that are newer than base, which are at least
// those up to revision head. More may have been written since head was read;
// they are taken too, because a version that they replaced is not current any
// more and would be missed.
func (c *Catalog) catchUp(ctx context.Context, q store.Querier, base *Snapshot, head int64) (*Snapshot, error) {
	rows, err := store.Select(ctx, q, scanRow, `select `+versionColumns+` from catalog_versions
		where current and revision > $1 order by revision, id`, base.revision)
	if err != nil {
		return nil, fmt.Errorf("load the configuration: %w", err)
	}
	next := base
	for _, r := range rows {
		head = max(head, r.object.Version)
		if r.deleted {
			next = next.without(r.object.ID)
			continue
		}
		if o := c.decode(c.log, &r.object, []byte(r.doc)); o != nil {
			next = next.with(o)
		}
	}
	if next == base {
		copied := *base
		next = &copied
	}
	next.revision = head
	return next, nil
}

// version loads a superseded version of an object.
func (c *Catalog) version(ctx context.Context, id uuid.UUID, version int64) (*Object, error) {
	if o, ok := c.old.Get(pin{id, version}); ok {
		return o, nil
	}
	r, err := scanRow(c.DB.QueryRow(ctx, `select `+versionColumns+` from catalog_versions where id = $1 and revision = $2`, id, version))
	switch {
	case errors.Is(err, store.ErrNotFound) || (err == nil && r.deleted):
		return nil, fmt.Errorf("object %s has no version %d", id, version)
	case err != nil:
		return nil, fmt.Errorf("load version %d of object %s: %w", version, id, err)
	}
	o := c.decode(c.log, &r.object, []byte(r.doc))
	if o == nil {
		return nil, fmt.Errorf("object %s is of unknown kind %q", id, r.object.Kind)
	}
	c.old.Put(pin{id, version}, o)
	return o, nil
}
