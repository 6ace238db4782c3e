package postgres_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"testing"
	"time"

	"github.com/weir-id/weir/flow"
	"github.com/weir-id/weir/internal/store"
	"github.com/weir-id/weir/internal/store/postgres"
	"github.com/weir-id/weir/internal/store/storetest"
)

func openURL(t *testing.T, url string) *postgres.DB {
	t.Helper()
	db, err := postgres.Open(t.Context(), url, slog.New(slog.NewTextHandler(t.Output(), nil)))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	return db
}

// What keeps the database from working is told apart from what is wrong with a
// statement, and from a caller who gave up.
func TestAnUnavailableDatabaseIsToldApart(t *testing.T) {
	url := storetest.Postgres(t)
	db, slow := openURL(t, url), openURL(t, storetest.With(url, "statement_timeout", "100ms"))
	const hangUp = "select pg_terminate_backend(pg_backend_pid())"
	exec := func(db *postgres.DB, sql string) func(context.Context) error {
		return func(ctx context.Context) error { _, err := db.Exec(ctx, sql); return err }
	}
	for name, row := range map[string]struct {
		do   func(ctx context.Context) error
		want bool
	}{
		"the server ends the connection of a statement": {exec(db, hangUp), true},
		"the server ends the connection of a row": {func(ctx context.Context) error {
			var ended bool
			return db.QueryRow(ctx, hangUp).Scan(&ended)
		}, true},
		"the server ends the connection of a transaction": {func(ctx context.Context) error {
			return db.Write(ctx, func(ctx context.Context, tx store.Tx) error {
				_, err := tx.Exec(ctx, hangUp)
				return err
			})
		}, true},
		"the server ends the connection before the commit": {func(ctx context.Context) error {
			return db.Write(ctx, func(ctx context.Context, tx store.Tx) error {
				var pid int
				if err := tx.QueryRow(ctx, "select pg_backend_pid()").Scan(&pid); err != nil {
					return err
				}
				_, err := db.Pool().Exec(context.WithoutCancel(t.Context()), "select pg_terminate_backend($1, 10000)", pid)
				return err
			})
		}, true},
		"a statement takes too long": {exec(slow, "select pg_sleep(60)"), true},
		"a statement of a transaction takes too long": {func(ctx context.Context) error {
			return slow.Write(ctx, func(ctx context.Context, tx store.Tx) error {
				_, err := tx.Exec(ctx, "select pg_sleep(60)")
				return err
			})
		}, true},
		"a transaction that may only read": {func(ctx context.Context) error {
			return db.Write(ctx, func(ctx context.Context, tx store.Tx) error {
				if _, err := tx.Exec(ctx, "set transaction read only"); err != nil {
					return err
				}
				_, err := tx.Exec(ctx, "update catalog_head set revision = 1")
				return err
			})
		}, true},
		"the statement is wrong": {exec(db, "select nothing from nowhere"), false},
		"the caller gives up": {func(ctx context.Context) error {
			ctx, cancel := context.WithTimeout(ctx, 50*time.Millisecond)
			defer cancel()
			return exec(db, "select pg_sleep(60)")(ctx)
		}, false},
	} {
		t.Run(name, func(t *testing.T) {
			err := row.do(t.Context())
			if err == nil || errors.Is(err, store.ErrUnavailable) != row.want || errors.Is(err, flow.ErrOverloaded) != row.want {
				t.Errorf("unavailable is not %v: %v", row.want, err)
			}
			if err := db.Ping(t.Context()); err != nil {
				t.Errorf("afterwards: %v", err)
			}
		})
	}
}

// A primary that has been demoted refuses writes on connections that are fine
// otherwise. They are given up, so that others can find the new primary.
func TestConnectionsToAServerThatOnlyReadsAreGivenUp(t *testing.T) {
	url := storetest.Postgres(t)
	db := openURL(t, url)
	admin := openURL(t, url)
	set := func(value string) {
		t.Helper()
		if _, err := admin.Exec(t.Context(), `do $$ begin execute format('alter database %I set default_transaction_read_only = `+value+`', current_database()); end $$`); err != nil {
			t.Fatal(err)
		}
	}
	write := func() error {
		_, err := db.Exec(t.Context(), "update install set latches = latches")
		return err
	}
	set("on")
	db.Pool().Reset() // the setting is for new connections
	if err := write(); !errors.Is(err, store.ErrUnavailable) {
		t.Fatalf("a write to a server that only reads: %v", err)
	}
	set("off")
	if err := write(); err != nil {
		t.Errorf("a write once there is a server that takes it: %v", err)
	}
}

func TestTheStatementTimeoutOfTheURL(t *testing.T) {
	url := storetest.Postgres(t)
	for _, text := range []string{"soon", "0", "-1s"} {
		db, err := postgres.Open(t.Context(), storetest.With(url, "statement_timeout", text), slog.New(slog.DiscardHandler))
		if err == nil {
			_ = db.Close()
			t.Errorf("statement_timeout=%s is taken", text)
		}
	}
}

// A node that is cut off in a transaction keeps its locks for a while only.
func TestANodeThatIsCutOffDoesNotLockOthersOut(t *testing.T) {
	url := storetest.Postgres(t)
	line := storetest.NewLine(t, url)
	cut, other := openURL(t, storetest.With(line.URL, "statement_timeout", "300ms")), openURL(t, url)
	const lock = "update catalog_head set revision = revision"
	err := cut.Write(t.Context(), func(ctx context.Context, tx store.Tx) error {
		if _, err := tx.Exec(ctx, lock); err != nil {
			return err
		}
		line.Silence()
		if _, err := other.Exec(t.Context(), lock); err != nil {
			t.Errorf("the other node cannot write: %v", err)
		}
		return nil
	})
	line.Mend() // closing says good-bye to the server
	if !errors.Is(err, store.ErrUnavailable) {
		t.Errorf("the commit of the node that is cut off: %v", err)
	}
}

// lost hears the log of a listener that lost its connection.
type lost chan struct{}

func (l lost) Write(line []byte) (int, error) {
	if bytes.Contains(line, []byte("listener lost its connection")) {
		select {
		case l <- struct{}{}:
		default:
		}
	}
	return len(line), nil
}

// A line that is cut without a word sounds like silence to a listener.
func TestAListenerNoticesThatTheLineIsDead(t *testing.T) {
	line := storetest.NewLine(t, storetest.Postgres(t))
	noticed := make(lost, 1)
	db, err := postgres.Open(t.Context(), storetest.With(line.URL, "statement_timeout", "200ms"), slog.New(slog.NewTextHandler(noticed, nil)))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	heard := make(chan string, 1)
	if err := db.Listen(t.Context(), "c", func(payload string) { heard <- payload }); err != nil {
		t.Fatal(err)
	}
	line.Silence()
	if err := db.Ping(t.Context()); !errors.Is(err, store.ErrUnavailable) {
		t.Errorf("ping over a dead line: %v", err)
	}
	<-noticed
	line.Mend()
	if got := <-heard; got != "" {
		t.Fatalf("heard %q, want the empty payload", got)
	}
}
