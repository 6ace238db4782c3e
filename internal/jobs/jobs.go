// Package jobs runs the work that nobody waits for, on River's queue in Weir's
// own database, such as the removal of expired rows. With several nodes each job is
// done by one of them, and periodic ones are started by the node that leads.
package jobs

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/jackc/pgx/v5"
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

// Queue is the work of an installation that nobody waits for. Work is put in
// with the transaction that makes it necessary, so that neither exists without
// the other, and done by the nodes that have started.
type Queue struct {
	log    *slog.Logger
	config *river.Config
	client interface {
		insert(ctx context.Context, tx store.Tx, args river.JobArgs, opts *river.InsertOpts) error
		start(ctx context.Context, config *river.Config) (stop func(context.Context) error, err error)
	}
}

// Open brings the queue's own tables up to date. db must outlive the queue.
func Open(ctx context.Context, db store.DB, log *slog.Logger) (*Queue, error) {
	q := &Queue{log: log.With(slog.String("component", "jobs"))}
	q.config = &river.Config{
		Logger:  q.log,
		Queues:  map[string]river.QueueConfig{river.QueueDefault: {MaxWorkers: maxWorkers}},
		Workers: river.NewWorkers(),
	}
	if err := q.open(ctx, db); err != nil {
		return nil, fmt.Errorf("open job queue: %w", err)
	}
	return q, nil
}

func (q *Queue) open(ctx context.Context, db store.DB) error {
	switch db := db.(type) {
	case interface{ Pool() *pgxpool.Pool }:
		done, err := takeTurns(ctx, db.Pool())
		if err != nil {
			return err
		}
		defer done()
		c, err := newClient(ctx, riverpgxv5.New(db.Pool()), q.log, func(tx store.Tx) (pgx.Tx, bool) {
			t, ok := innermost(tx).(interface{ PGX() pgx.Tx })
			if !ok {
				return nil, false
			}
			return t.PGX(), true
		})
		q.client = c
		return err
	case interface{ Writer() *sql.DB }:
		// River takes the one writing connection for single statements and short
		// transactions of its own and waits for nothing while it has it, so it
		// stands in line with everybody else. Its listener would ask for it
		// twenty times a second; polling once a second will do.
		q.config.PollOnly = true
		c, err := newClient(ctx, riversqlite.New(db.Writer()), q.log, func(tx store.Tx) (*sql.Tx, bool) {
			t, ok := innermost(tx).(interface{ SQL() *sql.Tx })
			if !ok {
				return nil, false
			}
			return t.SQL(), true
		})
		q.client = c
		return err
	}
	return fmt.Errorf("no queue for a database of type %T", db)
}

// innermost is the database's own transaction below those that watch it.
func innermost(tx store.Tx) store.Tx {
	for {
		w, ok := tx.(interface{ Unwrap() store.Tx })
		if !ok {
			return tx
		}
		tx = w.Unwrap()
	}
}

// Insert puts a job in with the transaction. Nobody sees it before the
// transaction is committed, and it is not there if that fails. Nil opts are
// River's defaults: up to 25 attempts, each later than the one before.
func (q *Queue) Insert(ctx context.Context, tx store.Tx, args river.JobArgs, opts *river.InsertOpts) error {
	if err := q.client.insert(ctx, tx, args, opts); err != nil {
		return fmt.Errorf("queue %s: %w", args.Kind(), err)
	}
	return nil
}

// Handle says who does the jobs of a kind. It panics if somebody does already;
// call it before Start.
func Handle[A river.JobArgs](q *Queue, w river.Worker[A]) { river.AddWorker(q.config.Workers, w) }

// Lane adds a part of the queue with workers of its own, for jobs that are put in
// with its name: however long they take, they hold up no others. Call it before
// Start.
func (q *Queue) Lane(name string, workers int) {
	q.config.Queues[name] = river.QueueConfig{MaxWorkers: workers}
}

// Periodic adds a job that the leading node starts again and again. Call it
// before Start.
func (q *Queue) Periodic(job *river.PeriodicJob) {
	q.config.PeriodicJobs = append(q.config.PeriodicJobs, job)
}

// Start begins to work. The jobs end with ctx or when stop is called, which
// waits for those under way until its context is over and then cancels them.
// Stop before the database is closed.
func (q *Queue) Start(ctx context.Context) (stop func(context.Context) error, err error) {
	if stop, err = q.client.start(ctx, q.config); err != nil {
		return nil, fmt.Errorf("start jobs: %w", err)
	}
	return stop, nil
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

// client is River over one of the two databases.
type client[Tx any] struct {
	driver riverdriver.Driver[Tx]
	// inserts puts jobs in and does none.
	inserts *river.Client[Tx]
	// inside is the database's own transaction below a store.Tx.
	inside func(store.Tx) (Tx, bool)
}

func newClient[Tx any](ctx context.Context, driver riverdriver.Driver[Tx], log *slog.Logger, inside func(store.Tx) (Tx, bool)) (*client[Tx], error) {
	if err := upgrade(ctx, driver, log); err != nil {
		return nil, err
	}
	inserts, err := river.NewClient(driver, &river.Config{Logger: log})
	if err != nil {
		return nil, err
	}
	return &client[Tx]{driver, inserts, inside}, nil
}

func (c *client[Tx]) insert(ctx context.Context, tx store.Tx, args river.JobArgs, opts *river.InsertOpts) error {
	own, ok := c.inside(tx)
	if !ok {
		return fmt.Errorf("a transaction of type %T is not of this database", tx)
	}
	_, err := c.inserts.InsertTx(ctx, own, args, opts)
	return err
}

func (c *client[Tx]) start(ctx context.Context, config *river.Config) (func(context.Context) error, error) {
	worker, err := river.NewClient(c.driver, config)
	if err != nil {
		return nil, err
	}
	if err := worker.Start(ctx); err != nil {
		return nil, err
	}
	return func(ctx context.Context) error {
		err := worker.Stop(ctx)
		if err == nil || ctx.Err() == nil {
			return err
		}
		// Time is up: cancel the jobs, which then end at once.
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), cancelTimeout)
		defer cancel()
		return errors.Join(err, worker.StopAndCancel(ctx))
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
