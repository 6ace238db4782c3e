// Package txn holds what both databases do alike around a write transaction:
// refusing nested use and running again what the database gave up.
package txn

import (
	"context"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/weir-id/weir/internal/store"
)

// mark is the context key that says "inside a Write of db".
type mark struct{ db any }

// Inside returns the context for the callback of a Write on db.
func Inside(ctx context.Context, db any) context.Context {
	return context.WithValue(ctx, mark{db}, true)
}

// Check returns store.ErrNested if ctx was given to a callback of a Write on db.
func Check(ctx context.Context, db any) error {
	if ctx.Value(mark{db}) != nil {
		return store.ErrNested
	}
	return nil
}

// maxTries bounds how often a transaction is run. Two writers that deadlock
// need one more try; the rest is for crowds.
const maxTries = 8

// Retry runs try until it returns nil or an error that is not transient, at most
// eight times, with a short random pause that grows. Transient may say yes only
// to errors after which certainly nothing was committed.
func Retry(ctx context.Context, transient func(error) bool, try func() error) error {
	pause := 2 * time.Millisecond
	for n := 1; ; n++ {
		err := try()
		if err == nil || !transient(err) {
			return err
		}
		if n == maxTries {
			return fmt.Errorf("transaction gave up after %d tries: %w", n, err)
		}
		timer := time.NewTimer(pause/2 + rand.N(pause))
		select {
		case <-ctx.Done():
			timer.Stop()
			return ctx.Err()
		case <-timer.C:
		}
		pause *= 2
	}
}

// State is what a transaction remembers between its statements.
type State struct {
	failed error
	hooks  []func()
}

// Fail records the error of a statement; after it the transaction is lost.
func (s *State) Fail(err error) {
	if s.failed == nil {
		s.failed = err
	}
}

// Err returns an ErrTxFailed with the first recorded error, or nil.
func (s *State) Err() error {
	if s.failed == nil {
		return nil
	}
	return fmt.Errorf("%w: %w", store.ErrTxFailed, s.failed)
}

// AfterCommit adds a function for Committed.
func (s *State) AfterCommit(fn func()) { s.hooks = append(s.hooks, fn) }

// Committed runs the functions given to AfterCommit.
func (s *State) Committed() {
	for _, fn := range s.hooks {
		fn()
	}
}
