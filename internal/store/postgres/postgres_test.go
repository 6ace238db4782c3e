package postgres_test

import (
	"context"
	"sync"
	"testing"

	"golang.org/x/sync/errgroup"

	"github.com/weir-id/weir/internal/store"
	"github.com/weir-id/weir/internal/store/storetest"
)

func TestContract(t *testing.T) {
	storetest.Run(t, func(t *testing.T) store.DB { return storetest.OpenPostgres(t) })
}

func TestAListenerConnectsAgainAndSaysSo(t *testing.T) {
	db := storetest.OpenPostgres(t)
	heard := make(chan string, 1)
	if err := db.Listen(t.Context(), "c", func(payload string) { heard <- payload }); err != nil {
		t.Fatal(err)
	}
	var ended int
	err := db.QueryRow(t.Context(), `select count(pg_terminate_backend(pid)) from pg_stat_activity
		where datname = current_database() and query ilike 'listen%'`).Scan(&ended)
	if err != nil || ended != 1 {
		t.Fatalf("ended %d listeners, %v", ended, err)
	}
	if got := <-heard; got != "" {
		t.Fatalf("heard %q, want the empty payload", got)
	}
	if err := db.Write(t.Context(), func(ctx context.Context, tx store.Tx) error {
		return db.Notify(ctx, tx, "c", "after")
	}); err != nil {
		t.Fatal(err)
	}
	if got := <-heard; got != "after" {
		t.Errorf("heard %q", got)
	}
}

func TestTransactionsThatDeadlockAreRunAgain(t *testing.T) {
	db := storetest.OpenPostgres(t)
	for _, key := range []string{"a", "b"} {
		if _, err := db.Exec(t.Context(), "insert into session_counters (session_key, name, n, expires) values ($1, '', 0, now())", key); err != nil {
			t.Fatal(err)
		}
	}
	const add = "update session_counters set n = n + 1 where session_key = $1"
	var both sync.WaitGroup // each holds its first row before it wants the other's
	both.Add(2)
	var g errgroup.Group
	for _, keys := range [][2]string{{"a", "b"}, {"b", "a"}} {
		var once sync.Once
		g.Go(func() error {
			return db.Write(t.Context(), func(ctx context.Context, tx store.Tx) error {
				if _, err := tx.Exec(ctx, add, keys[0]); err != nil {
					return err
				}
				once.Do(both.Done)
				both.Wait()
				_, err := tx.Exec(ctx, add, keys[1])
				return err
			})
		})
	}
	if err := g.Wait(); err != nil {
		t.Fatal(err)
	}
	var low, high int
	if err := db.QueryRow(t.Context(), "select min(n), max(n) from session_counters").Scan(&low, &high); err != nil || low != 2 || high != 2 {
		t.Errorf("counters are %d and %d, %v, want 2", low, high, err)
	}
}
