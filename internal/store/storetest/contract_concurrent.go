package storetest

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"golang.org/x/sync/errgroup"

	"github.com/weir-id/weir/internal/store"
)

func testCancel(t *testing.T, db store.DB) {
	ctx, cancel := context.WithCancel(t.Context())
	err := db.Write(ctx, func(ctx context.Context, tx store.Tx) error {
		if err := insertGroup(ctx, tx, uuid.New(), "a"); err != nil {
			return err
		}
		cancel()
		return insertGroup(ctx, tx, uuid.New(), "b")
	})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("write: %v, want context.Canceled", err)
	}
	if n := count(t, db, "groups"); n != 0 {
		t.Errorf("%d groups after a cancelled write", n)
	}
	// A statement that would run for hours is cut short.
	ctx, cancel = context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	var n int64
	err = db.QueryRow(ctx, `with recursive c(i) as (select 1 union all select i + 1 from c where i < 100000000000)
		select count(*) from c where i % 7 = 8`).Scan(&n)
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("query: %v, want context.DeadlineExceeded", err)
	}
	write(t, db, func(ctx context.Context, tx store.Tx) error { return insertGroup(ctx, tx, uuid.New(), "c") })
}

// testConcurrent would hang if writers and readers could wait for each other in
// a circle, and miss updates if two writers could read the same row.
func testConcurrent(t *testing.T, db store.DB) {
	const people, rounds = 32, 10
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	g, ctx := errgroup.WithContext(ctx)
	for range people {
		g.Go(func() error {
			for range rounds {
				if err := db.Write(ctx, func(ctx context.Context, tx store.Tx) error {
					var n int64
					if err := tx.QueryRow(ctx, "select revision from catalog_head where id = 1"+tx.Dialect().ForUpdate()).Scan(&n); err != nil {
						return err
					}
					if err := insertGroup(ctx, tx, uuid.New(), uuid.NewString()); err != nil {
						return err
					}
					_, err := tx.Exec(ctx, "update catalog_head set revision = $1 where id = 1", n+1)
					return err
				}); err != nil {
					return err
				}
			}
			return nil
		})
		g.Go(func() error {
			for range rounds {
				names, err := store.Select(ctx, db, store.Column[string], "select name from groups order by name limit 20")
				if err != nil {
					return err
				}
				var a store.Args
				if _, err := store.Select(ctx, db, store.Column[string], "select id from groups where name in "+store.In(&a, names), a...); err != nil {
					return err
				}
			}
			return nil
		})
	}
	if err := g.Wait(); err != nil {
		t.Fatal(err)
	}
	var revision int
	if err := db.QueryRow(t.Context(), "select revision from catalog_head").Scan(&revision); err != nil || revision != people*rounds {
		t.Errorf("revision is %d, %v, want %d", revision, err, people*rounds)
	}
	if n := count(t, db, "groups"); n != people*rounds {
		t.Errorf("%d groups, want %d", n, people*rounds)
	}
}

func testNotify(t *testing.T, db store.DB) {
	heard := make(chan string, 8)
	if err := db.Listen(t.Context(), "Weir test", func(payload string) { heard <- payload }); err != nil {
		t.Fatal(err)
	}
	err := db.Write(t.Context(), func(ctx context.Context, tx store.Tx) error {
		if err := db.Notify(ctx, tx, "Weir test", "rolled back"); err != nil {
			return err
		}
		return errWanted
	})
	if !errors.Is(err, errWanted) {
		t.Fatal(err)
	}
	err = db.Write(t.Context(), func(ctx context.Context, tx store.Tx) error {
		return db.Notify(ctx, tx, "Weir test", strings.Repeat("x", store.MaxPayloadBytes+1))
	})
	if err == nil {
		t.Error("a payload that is too long was taken")
	}
	write(t, db, func(ctx context.Context, tx store.Tx) error {
		for _, n := range [][2]string{{"another", "elsewhere"}, {"Weir test", "1"}, {"Weir test", "2"}} {
			if err := db.Notify(ctx, tx, n[0], n[1]); err != nil {
				return err
			}
		}
		select {
		case got := <-heard:
			t.Errorf("heard %q before the commit", got)
		default:
		}
		return nil
	})
	for _, want := range []string{"1", "2"} {
		if got := <-heard; got != want {
			t.Errorf("heard %q, want %q", got, want)
		}
	}
}

func testListenEnds(t *testing.T, db store.DB) {
	ctx, cancel := context.WithCancel(t.Context())
	var mu sync.Mutex
	var late []string
	if err := db.Listen(ctx, "c", func(p string) { mu.Lock(); defer mu.Unlock(); late = append(late, p) }); err != nil {
		t.Fatal(err)
	}
	if err := db.Listen(t.Context(), "c", func(string) {}); err != nil {
		t.Fatal(err)
	}
	cancel()
	write(t, db, func(ctx context.Context, tx store.Tx) error { return db.Notify(ctx, tx, "c", "late") })
	if err := db.Close(); err != nil { // waits for both listeners
		t.Fatal(err)
	}
	mu.Lock()
	defer mu.Unlock()
	if len(late) > 0 {
		t.Errorf("heard %q after its context ended", late)
	}
	if err := db.Listen(t.Context(), "c", func(string) {}); err == nil {
		t.Error("a closed database listens")
	}
}
