package jobs

import (
	"context"
	"errors"
	"log/slog"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/riverqueue/river"
	"golang.org/x/sync/errgroup"

	"github.com/weir-id/weir/internal/store"
	"github.com/weir-id/weir/internal/store/storetest"
)

var now = time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)

func logger(t *testing.T) *slog.Logger {
	return slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelWarn}))
}

func stopAtEnd(t *testing.T, stop func(context.Context) error) {
	t.Helper()
	t.Cleanup(func() {
		if err := stop(context.Background()); err != nil {
			t.Errorf("stop: %v", err)
		}
	})
}

func open(t *testing.T, db store.DB) *Queue {
	t.Helper()
	q, err := Open(t.Context(), db, logger(t))
	if err != nil {
		t.Fatal(err)
	}
	return q
}

func startCleaning(t *testing.T, db store.DB, clean func(context.Context) (int64, error)) (func(context.Context) error, error) {
	t.Helper()
	q := open(t, db)
	q.clean(clean)
	return q.Start(t.Context())
}

func insertCounters(t *testing.T, db store.DB, from, to int, expires time.Time) error {
	t.Helper()
	for i := from; i < to; i++ {
		if _, err := db.Exec(t.Context(), "insert into session_counters (session_key, name, n, expires) values ($1, '', 0, $2)",
			strconv.Itoa(i), expires); err != nil {
			return err
		}
	}
	return nil
}

// The clock that the cleaning is given decides, and it is asked when the job
// runs, so a first look at it is the sign that the job has begun.
func TestExpiredRowsGoWhileOthersWrite(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db store.DB) {
		if err := insertCounters(t, db, 0, 50, now.Add(-time.Second)); err != nil {
			t.Fatal(err)
		}
		done := make(chan error, 1)
		var once sync.Once
		stop, err := startCleaning(t, db, func(ctx context.Context) (int64, error) {
			n, err := store.Clean(ctx, db, now)
			if err == nil && n != 50 {
				err = errors.New("deleted " + strconv.FormatInt(n, 10))
			}
			once.Do(func() { done <- err })
			return n, err
		})
		if err != nil {
			t.Fatal(err)
		}
		stopAtEnd(t, stop)
		var g errgroup.Group
		for person := range 8 {
			g.Go(func() error { return insertCounters(t, db, 1000+person*20, 1000+person*20+20, now) })
		}
		if err := g.Wait(); err != nil {
			t.Errorf("writing beside the queue: %v", err)
		}
		if err := <-done; err != nil {
			t.Error(err)
		}
		var n int
		if err := db.QueryRow(t.Context(), "select count(*) from session_counters").Scan(&n); err != nil || n != 160 {
			t.Errorf("%d rows left, %v, want 160", n, err)
		}
	})
}

func TestCleaningUsesTheClockItIsGiven(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db store.DB) {
		asked := make(chan struct{}, 16)
		q := open(t, db)
		q.Clean(db, func() time.Time {
			asked <- struct{}{}
			return now
		})
		stop, err := q.Start(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		stopAtEnd(t, stop)
		<-asked
	})
}

func TestEarlierPasswordsAndVersionsAreTrimmedAtTheStart(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db store.DB) {
		asked, forgotten := make(chan struct{}, 16), make(chan struct{}, 16)
		q := open(t, db)
		q.TrimPasswords(func(context.Context) (int64, error) {
			asked <- struct{}{}
			return 1, nil
		})
		q.ForgetConfiguration(func(context.Context) (int64, error) {
			forgotten <- struct{}{}
			return 1, nil
		})
		stop, err := q.Start(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		stopAtEnd(t, stop)
		<-asked
		<-forgotten
	})
}

func TestNodesThatStartTogetherMigrateTheQueueOnce(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db store.DB) {
		var g errgroup.Group
		for range 4 {
			g.Go(func() error {
				q, err := Open(t.Context(), db, logger(t))
				if err != nil {
					return err
				}
				q.Clean(db, func() time.Time { return now })
				stop, err := q.Start(t.Context())
				if err != nil {
					return err
				}
				return stop(t.Context())
			})
		}
		if err := g.Wait(); err != nil {
			t.Error(err)
		}
	})
}

// note is a job of the tests.
type note struct {
	Text string `json:"text"`
}

func (note) Kind() string { return "test_note" }

type reader struct {
	river.WorkerDefaults[note]
	got chan string
}

func (r *reader) Work(_ context.Context, j *river.Job[note]) error {
	r.got <- j.Args.Text
	return nil
}

// A job exists exactly if the transaction that it belongs to was committed,
// also when it was put in before anybody works.
func TestAJobBelongsToItsTransaction(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db store.DB) {
		q := open(t, db)
		refused := errors.New("refused")
		for text, end := range map[string]error{"kept": nil, "rolled back": refused} {
			err := db.Write(t.Context(), func(ctx context.Context, tx store.Tx) error {
				return errors.Join(q.Insert(ctx, tx, note{text}, nil), end)
			})
			if !errors.Is(err, end) {
				t.Fatalf("%s: %v", text, err)
			}
		}
		var n int
		if err := db.QueryRow(t.Context(), "select count(*) from river_job").Scan(&n); err != nil || n != 1 {
			t.Errorf("%d jobs, %v, want 1", n, err)
		}
		r := &reader{got: make(chan string, 2)}
		Handle(q, r)
		stop, err := q.Start(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		stopAtEnd(t, stop)
		if got := <-r.got; got != "kept" {
			t.Errorf("the job %q was done", got)
		}
	})
}

func TestStopCancelsAJobThatTakesTooLong(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db store.DB) {
		begun := make(chan struct{})
		cancelled := make(chan struct{})
		stop, err := startCleaning(t, db, func(ctx context.Context) (int64, error) {
			close(begun)
			<-ctx.Done()
			close(cancelled)
			return 0, ctx.Err()
		})
		if err != nil {
			t.Fatal(err)
		}
		<-begun
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if err := stop(ctx); !errors.Is(err, context.Canceled) {
			t.Errorf("stop: %v, want that its time was up", err)
		}
		<-cancelled
	})
}
