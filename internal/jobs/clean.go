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
	// trimEvery is long: earlier passwords are trimmed where they are written,
	// and this is for when fewer are wanted. Old versions are few.
	trimEvery = 24 * time.Hour
	// cleanTimeout allows for the first run after a long time switched off.
	cleanTimeout = 10 * time.Minute
)

// forgetArgs is the job that deletes old versions of the configuration. It has no
// arguments.
type forgetArgs struct{}

// Kind is the job's name in the queue.
func (forgetArgs) Kind() string { return "forget_configuration" }

// cleanArgs is the job that deletes expired rows. It has no arguments.
type cleanArgs struct{}

// Kind is the job's name in the queue.
func (cleanArgs) Kind() string { return "clean_expired" }

// trimArgs is the job that deletes earlier passwords. It has no arguments.
type trimArgs struct{}

// Kind is the job's name in the queue.
func (trimArgs) Kind() string { return "trim_password_history" }

// Clean has expired rows removed, at the start and then every few minutes; now
// tells what has expired.
func (q *Queue) Clean(db store.DB, now func() time.Time) {
	q.clean(func(ctx context.Context) (int64, error) { return store.Clean(ctx, db, now()) })
}

func (q *Queue) clean(clean func(context.Context) (int64, error)) {
	repeat[cleanArgs](q, cleanEvery, "deleted expired rows", clean)
}

// TrimPasswords has earlier passwords removed that no policy asks for any more,
// at the start and then daily; trim does it and tells how many they were.
func (q *Queue) TrimPasswords(trim func(context.Context) (int64, error)) {
	repeat[trimArgs](q, trimEvery, "deleted earlier passwords", trim)
}

// ForgetConfiguration has versions of the configuration removed that are older
// than wanted, at the start and then daily; forget does it and tells how many
// they were.
func (q *Queue) ForgetConfiguration(forget func(context.Context) (int64, error)) {
	repeat[forgetArgs](q, trimEvery, "deleted old versions of the configuration", forget)
}

// repeat has rows deleted at the start and then again and again.
func repeat[A river.JobArgs](q *Queue, every time.Duration, done string, clean func(context.Context) (int64, error)) {
	Handle(q, &cleaner[A]{clean: clean, done: done, log: q.log})
	q.Periodic(river.NewPeriodicJob(
		river.PeriodicInterval(every),
		func() (river.JobArgs, *river.InsertOpts) {
			var args A
			return args, &river.InsertOpts{
				MaxAttempts: 1, // the next one comes soon enough
				UniqueOpts:  river.UniqueOpts{ByPeriod: every},
			}
		},
		&river.PeriodicJobOpts{RunOnStart: true},
	))
}

type cleaner[A river.JobArgs] struct {
	river.WorkerDefaults[A]
	clean func(context.Context) (int64, error)
	// done is logged when rows went.
	done string
	log  *slog.Logger
}

func (*cleaner[A]) Timeout(*river.Job[A]) time.Duration { return cleanTimeout }

func (c *cleaner[A]) Work(ctx context.Context, _ *river.Job[A]) error {
	n, err := c.clean(ctx)
	if err != nil {
		return err // River logs it
	}
	if n > 0 {
		c.log.InfoContext(ctx, c.done, slog.Int64("rows", n))
	}
	return nil
}
