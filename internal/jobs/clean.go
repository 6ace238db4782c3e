package jobs

import (
	"context"
	"log/slog"
	"time"

	"github.com/riverqueue/river"

	"github.com/weir-id/weir/internal/store"
)

const (
	cleanEvery = 5 * time.Minute
	// cleanTimeout allows for the first run after a long time switched off.
	cleanTimeout = 10 * time.Minute
)

// cleanArgs is the job that deletes expired rows. It has no arguments.
type cleanArgs struct{}

// Kind is the job's name in the queue.
func (cleanArgs) Kind() string { return "clean_expired" }

// Clean has expired rows removed, at the start and then every few minutes; now
// tells what has expired.
func (q *Queue) Clean(db store.DB, now func() time.Time) {
	q.clean(func(ctx context.Context) (int64, error) { return store.Clean(ctx, db, now()) })
}

func (q *Queue) clean(clean func(context.Context) (int64, error)) {
	Handle(q, &cleaner{clean: clean, log: q.log})
	q.Periodic(periodicCleaning())
}

func periodicCleaning() *river.PeriodicJob {
	return river.NewPeriodicJob(
		river.PeriodicInterval(cleanEvery),
		func() (river.JobArgs, *river.InsertOpts) {
			return cleanArgs{}, &river.InsertOpts{
				MaxAttempts: 1, // the next one comes soon enough
				UniqueOpts:  river.UniqueOpts{ByPeriod: cleanEvery},
			}
		},
		&river.PeriodicJobOpts{RunOnStart: true},
	)
}

type cleaner struct {
	river.WorkerDefaults[cleanArgs]
	clean func(context.Context) (int64, error)
	log   *slog.Logger
}

func (*cleaner) Timeout(*river.Job[cleanArgs]) time.Duration { return cleanTimeout }

func (c *cleaner) Work(ctx context.Context, _ *river.Job[cleanArgs]) error {
	n, err := c.clean(ctx)
	if err != nil {
		return err // River logs it
	}
	if n > 0 {
		c.log.InfoContext(ctx, "deleted expired rows", slog.Int64("rows", n))
	}
	return nil
}
