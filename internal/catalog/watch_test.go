package catalog_test

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"github.com/weir-id/weir/internal/catalog"
	"github.com/weir-id/weir/internal/store"
	"github.com/weir-id/weir/internal/store/storetest"
)

// deaf is a database that cannot be listened to for a while.
type deaf struct {
	store.DB
	tries atomic.Int32
}

// hears is the first attempt that succeeds.
const hears = 3

func (d *deaf) Listen(ctx context.Context, channel string, heard func(string)) error {
	if d.tries.Add(1) < hears {
		return errors.New("no connection")
	}
	return d.DB.Listen(ctx, channel, heard)
}

// watchUntil watches until a condition holds.
func watchUntil(t *testing.T, c *catalog.Catalog, poll time.Duration, holds func() bool) {
	t.Helper()
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { defer close(done); c.Watch(ctx, poll) }()
	defer func() { stop(); <-done }()
	deadline := time.After(30 * time.Second)
	for !holds() {
		select {
		case <-deadline:
			t.Fatal("not noticed")
		case <-time.After(time.Millisecond):
		}
	}
}

func TestANodeThatCannotListenLooksAndTriesAgain(t *testing.T) {
	db := &deaf{DB: storetest.SQLite(t)}
	writer, reader := open(t, db.DB, nil), open(t, db, nil)
	createFlow(t, writer, "seen")
	watchUntil(t, reader, 10*time.Millisecond, func() bool {
		_, ok := reader.Snapshot().FlowBySlug("seen")
		return ok && db.tries.Load() >= hears
	})
	if n := db.tries.Load(); n != hears {
		t.Errorf("listened %d times, want %d", n, hears)
	}
}

// away is a database that cannot be read for a while.
type away struct {
	store.DB
	failures atomic.Int32
}

type noRow struct{}

func (noRow) Scan(...any) error { return store.ErrUnavailable }

func (a *away) QueryRow(ctx context.Context, sql string, args ...any) store.Row {
	if a.failures.Add(-1) >= 0 {
		return noRow{}
	}
	return a.DB.QueryRow(ctx, sql, args...)
}

// An announcement that could not be followed up is not forgotten until the next
// look.
func TestANodeThatCannotCatchUpTriesAgainSoon(t *testing.T) {
	db := &away{DB: storetest.SQLite(t)}
	writer, reader := open(t, db.DB, nil), open(t, db, nil)
	createFlow(t, writer, "seen")
	db.failures.Store(1)
	watchUntil(t, reader, time.Hour, func() bool { _, ok := reader.Snapshot().FlowBySlug("seen"); return ok })
}
