package password

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync/atomic"
	"time"

	"github.com/weir-id/weir/flow"
)

// QueueConfig bounds how much hashing goes on at once.
type QueueConfig struct {
	// Workers is how many hashes run at the same time. Default: the number of
	// cores. Each takes the memory of one hash.
	Workers int
	// MaxWaiting is how many more may wait. Default: 64 for each worker.
	MaxWaiting int
	// MaxWait is how long one waits at most, also without a deadline in its
	// context. Default 5 s.
	MaxWait time.Duration
	// Hashed is told how long each piece of work took, waiting aside. Nil
	// tells nobody.
	Hashed func(took time.Duration)
	// Refused is told of each piece of work that overload kept from being done.
	// Nil tells nobody.
	Refused func()
}

// Queue runs work on a bounded number of cores. It is safe for concurrent use.
type Queue struct {
	slots   chan struct{}
	waiting atomic.Int64
	config  QueueConfig
}

// NewQueue returns a queue; zero values in c mean the defaults.
func NewQueue(c QueueConfig) *Queue {
	if c.Workers <= 0 {
		c.Workers = runtime.GOMAXPROCS(0)
	}
	if c.MaxWaiting <= 0 {
		c.MaxWaiting = 64 * c.Workers
	}
	if c.MaxWait <= 0 {
		c.MaxWait = 5 * time.Second
	}
	return &Queue{slots: make(chan struct{}, c.Workers), config: c}
}

// Waiting is how many wait right now, for a gauge.
func (q *Queue) Waiting() int { return int(q.waiting.Load()) }

// Do runs work as soon as a core is free and returns when it is done. When the
// queue is full, or a deadline passes before the work begins, the error wraps
// flow.ErrOverloaded and the work is not run; a cancelled ctx gives its cause.
func (q *Queue) Do(ctx context.Context, work func()) error {
	if err := q.enter(ctx); err != nil {
		if q.config.Refused != nil && errors.Is(err, flow.ErrOverloaded) {
			q.config.Refused()
		}
		return err
	}
	defer func() { <-q.slots }()
	start := time.Now()
	work()
	if q.config.Hashed != nil {
		q.config.Hashed(time.Since(start))
	}
	return nil
}

func (q *Queue) enter(ctx context.Context) error {
	select {
	case q.slots <- struct{}{}:
		return nil
	default:
	}
	if q.waiting.Add(1) > int64(q.config.MaxWaiting) {
		q.waiting.Add(-1)
		return fmt.Errorf("hash password: %w: the queue is full", flow.ErrOverloaded)
	}
	defer q.waiting.Add(-1)
	ctx, cancel := context.WithTimeout(ctx, q.config.MaxWait)
	defer cancel()
	select {
	case q.slots <- struct{}{}:
		return nil
	case <-ctx.Done():
	}
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return fmt.Errorf("hash password: %w: no core became free in time", flow.ErrOverloaded)
	}
	return fmt.Errorf("hash password: %w", context.Cause(ctx))
}
