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

func TestANodeThatCannotListenLooksAndTriesAgain(t *testing.T) {
	db := &deaf{DB: storetest.SQLite(t)}
	writer, reader := open(t, db.DB, nil), open(t, db, nil)
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { defer close(done); reader.Watch(ctx, 10*time.Millisecond) }()
	update(t, writer, func(tx *catalog.Tx) error {
		_, err := create(tx, catalog.KindFlow, "", flowData("seen"))
		return err
	})
	deadline := time.After(30 * time.Second)
	for {
		if _, ok := reader.Snapshot().FlowBySlug("seen"); ok && db.tries.Load() >= hears {
			break
		}
		select {
		case <-deadline:
			t.Fatalf("not seen after %d attempts to listen", db.tries.Load())
		case <-time.After(time.Millisecond):
		}
	}
	stop()
	<-done
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
	update(t, writer, func(tx *catalog.Tx) error {
		_, err := create(tx, catalog.KindFlow, "", flowData("seen"))
		return err
	})
	db.failures.Store(1)
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { defer close(done); reader.Watch(ctx, time.Hour) }()
	deadline := time.After(30 * time.Second)
	for {
		if _, ok := reader.Snapshot().FlowBySlug("seen"); ok {
			break
		}
		select {
		case <-deadline:
			t.Fatal("not seen")
		case <-time.After(time.Millisecond):
		}
	}
	stop()
	<-done
}
