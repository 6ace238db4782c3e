// Package jobs runs the work that nobody waits for, on River's queue in Weir's
// own database: now the removal of expired rows. With several nodes each job is
// done by one of them, and periodic ones are started by the node that leads.
package jobs

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"
	"github.com/riverqueue/river/riverdriver/riversqlite"
	"github.com/riverqueue/river/rivermigrate"

	"github.com/weir-id/weir/internal/store"
)

// maxWorkers is how many jobs a node does at once. Each may wait for a mail
// server, so it is more than there are processors.
const maxWorkers = 16

// Start brings the queue's own tables up to date and begins to work. now tells
// what has expired. The jobs end with ctx or when stop is called, which waits
// for those under way until its context is over and then cancels them. Stop
// before db is closed.
func Start(ctx context.Context, db store.DB, log *slog.Logger, now func() time.Time) (stop func(context.Context) error, err error) {
	clean := func(ctx context.Context) (int64, error) { return store.Clean(ctx, db, now()) }
	return start(ctx, db, log.With(slog.String("component", "jobs")), clean)
}

func start(ctx context.Context, db store.DB, log *slog.Logger, clean func(context.Context) (int64, error)) (func(context.Context) error, error) {
	config := &river.Config{
		Logger:       log,
		Queues:       map[string]river.QueueConfig{river.QueueDefault: {MaxWorkers: maxWorkers}},
		Workers:      river.NewWorkers(),
		PeriodicJobs: []*river.PeriodicJob{periodicCleaning()},
	}
	if err := river.AddWorkerSafely(config.Workers, &cleaner{clean: clean, log: log}); err != nil {
		return nil, fmt.Errorf("start jobs: %w", err)
	}
	switch db := db.(type) {
	case interface{ Pool() *pgxpool.Pool }:
		done, err := takeTurns(ctx, db.Pool())
		if err != nil {
			return nil, fmt.Errorf("start jobs: %w", err)
		}
		defer done()
		return run(ctx, riverpgxv5.New(db.Pool()), config)
	case interface{ Writer() *sql.DB }:
		// River takes the one writing connection for single statements and short
		// transactions of its own and waits for nothing while it has it, so it
		// stands in line with everybody else. Its listener would ask for it
		// twenty times a second; polling once a second will do.
		config.PollOnly = true
		return run(ctx, riversqlite.New(db.Writer()), config)
	}
	return nil, fmt.Errorf("start jobs: no queue for a database of type %T", db)
}

// queueLock is the key of the advisory lock: "weiq" in ASCII.
const queueLock = 0x77656971

// takeTurns lets one node at a time bring the queue's tables up to date. The
// lock belongs to a session, so that a node that dies frees it.
func takeTurns(ctx context.Context, pool *pgxpool.Pool) (done func(), err error) {
	conn, err := pool.Acquire(ctx)
	if err != nil {
		return nil, err
	}
	if _, err := conn.Exec(ctx, "select pg_advisory_lock($1)", queueLock); err != nil {
		conn.Release()
		return nil, fmt.Errorf("wait for other nodes: %w", err)
	}
	return func() {
		if _, err := conn.Exec(context.WithoutCancel(ctx), "select pg_advisory_unlock($1)", queueLock); err != nil {
			_ = conn.Conn().Close(context.WithoutCancel(ctx)) // frees the lock too
		}
		conn.Release()
	}, nil
}

func run[Tx any](ctx context.Context, driver riverdriver.Driver[Tx], config *river.Config) (func(context.Context) error, error) {
	if err := upgrade(ctx, driver, config.Logger); err != nil {
		return nil, fmt.Errorf("start jobs: %w", err)
	}
	client, err := river.NewClient(driver, config)
	if err != nil {
		return nil, fmt.Errorf("start jobs: %w", err)
	}
	if err := client.Start(ctx); err != nil {
		return nil, fmt.Errorf("start jobs: %w", err)
	}
	return func(ctx context.Context) error {
		err := client.Stop(ctx)
		if err == nil || ctx.Err() == nil {
			return err
		}
		// Time is up: cancel the jobs, which then end at once.
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), cancelTimeout)
		defer cancel()
		return errors.Join(err, client.StopAndCancel(ctx))
	}, nil
}

// cancelTimeout is how long a cancelled job may take to notice.
const cancelTimeout = 5 * time.Second

// upgradeTries is how often nodes that start together may get in each other's
// way. A migration and the note that it was done are one transaction, so the
// node that comes second fails whole and finds the work done.
const upgradeTries = 5

func upgrade[Tx any](ctx context.Context, driver riverdriver.Driver[Tx], log *slog.Logger) error {
	m, err := rivermigrate.New(driver, &rivermigrate.Config{Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		return err
	}
	for try := 1; ; try++ {
		state, err := m.Validate(ctx, nil)
		if err == nil && state.OK {
			return nil
		}
		if err == nil {
			_, err = m.Migrate(ctx, rivermigrate.DirectionUp, nil)
		}
		if err == nil {
			return nil
		}
		if try == upgradeTries || ctx.Err() != nil {
			return fmt.Errorf("migrate queue: %w", err)
		}
		log.InfoContext(ctx, "queue is being migrated by another node", slog.Any("error", err))
	}
}
