package sqlite_test

import (
	"context"
	"log/slog"
	"path/filepath"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"

	"golang.org/x/sync/errgroup"

	"github.com/weir-id/weir/internal/store"
	"github.com/weir-id/weir/internal/store/sqlite"
	"github.com/weir-id/weir/internal/store/storetest"
)

func TestContract(t *testing.T) {
	storetest.Run(t, func(t *testing.T) store.DB { return storetest.SQLite(t) })
}

// What docs/operations.md says about crashes rests on this.
func TestTheFileSurvivesCrashes(t *testing.T) {
	db, err := sqlite.Open(t.Context(), filepath.Join(t.TempDir(), "weir.db"), slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	for pragma, want := range map[string]string{"journal_mode": "wal", "synchronous": "1", "wal_autocheckpoint": "1000"} {
		var got string
		if err := db.Writer().QueryRowContext(t.Context(), "pragma "+pragma).Scan(&got); err != nil || got != want {
			t.Errorf("%s = %s, want %s (%v)", pragma, got, want, err)
		}
	}
}

func TestASlowListenerIsToldThatItMissedSomething(t *testing.T) {
	db := storetest.SQLite(t)
	entered, release, heard := make(chan struct{}), make(chan struct{}), make(chan string)
	var once sync.Once
	if err := db.Listen(t.Context(), "c", func(payload string) {
		once.Do(func() { close(entered); <-release })
		select {
		case heard <- payload:
		case <-t.Context().Done():
		}
	}); err != nil {
		t.Fatal(err)
	}
	send := func(n int) {
		err := db.Write(t.Context(), func(ctx context.Context, tx store.Tx) error {
			for i := range n {
				if err := db.Notify(ctx, tx, "c", strconv.Itoa(i)); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	send(1)
	<-entered
	send(1025) // one more than waits
	close(release)
	for _, want := range []string{"0", "", "1024"} {
		if got := <-heard; got != want {
			t.Errorf("heard %q, want %q", got, want)
		}
	}
}

// A deferred transaction would read first and then find that another process
// has written; an immediate one waits before it begins.
func TestTwoProcessesWriteInTurn(t *testing.T) {
	const rounds = 40
	dir := t.TempDir()
	var runs atomic.Int64
	var g errgroup.Group
	for range 2 {
		db, err := sqlite.Open(t.Context(), filepath.Join(dir, "weir.db"), slog.New(slog.DiscardHandler))
		if err != nil {
			t.Fatal(err)
		}
		defer db.Close()
		g.Go(func() error {
			for range rounds {
				err := db.Write(t.Context(), func(ctx context.Context, tx store.Tx) error {
					runs.Add(1)
					var n int64
					if err := tx.QueryRow(ctx, "select revision from catalog_head").Scan(&n); err != nil {
						return err
					}
					_, err := tx.Exec(ctx, "update catalog_head set revision = $1", n+1)
					return err
				})
				if err != nil {
					return err
				}
			}
			return nil
		})
		defer func() {
			var n int64
			if err := db.QueryRow(context.Background(), "select revision from catalog_head").Scan(&n); err != nil || n != 2*rounds {
				t.Errorf("revision is %d, %v, want %d", n, err, 2*rounds)
			}
		}()
	}
	if err := g.Wait(); err != nil {
		t.Fatal(err)
	}
	if n := runs.Load(); n != 2*rounds {
		t.Errorf("%d transactions were run for %d writes", n, 2*rounds)
	}
}
