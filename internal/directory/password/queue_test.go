package password

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/weir-id/weir/flow"
)

func TestQueueRunsNoMoreThanItsWorkers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var took atomic.Int64
		q := NewQueue(QueueConfig{Workers: 2, MaxWaiting: 10, MaxWait: time.Hour, Hashed: func(time.Duration) { took.Add(1) }})
		var mu sync.Mutex
		running, most := 0, 0
		var wg sync.WaitGroup
		for range 10 {
			wg.Go(func() {
				err := q.Do(t.Context(), func() {
					mu.Lock()
					running++
					most = max(most, running)
					mu.Unlock()
					time.Sleep(time.Second)
					mu.Lock()
					running--
					mu.Unlock()
				})
				if err != nil {
					t.Error(err)
				}
			})
		}
		synctest.Wait()
		if got := q.Waiting(); got != 8 {
			t.Errorf("waiting: got %d, want 8", got)
		}
		wg.Wait()
		if most != 2 {
			t.Errorf("ran at once: got %d, want 2", most)
		}
		if got := q.Waiting(); got != 0 {
			t.Errorf("still waiting: %d", got)
		}
		if got := took.Load(); got != 10 {
			t.Errorf("told of %d pieces of work, want 10", got)
		}
	})
}

func TestQueueRefuses(t *testing.T) {
	tests := []struct {
		name   string
		config QueueConfig
		ctx    func(context.Context) (context.Context, context.CancelFunc)
		crowd  int
		want   error
	}{
		{"when too many wait already", QueueConfig{Workers: 1, MaxWaiting: 3, MaxWait: time.Hour}, context.WithCancel, 3, flow.ErrOverloaded},
		{"when the queue's own limit passes", QueueConfig{Workers: 1, MaxWait: time.Second}, context.WithCancel, 0, flow.ErrOverloaded},
		{"when the caller's deadline passes", QueueConfig{Workers: 1, MaxWait: time.Hour},
			func(ctx context.Context) (context.Context, context.CancelFunc) {
				return context.WithTimeout(ctx, time.Second)
			}, 0, flow.ErrOverloaded},
		{"when the caller goes away", QueueConfig{Workers: 1, MaxWait: time.Hour},
			func(ctx context.Context) (context.Context, context.CancelFunc) {
				ctx, cancel := context.WithCancel(ctx)
				time.AfterFunc(time.Second, cancel)
				return ctx, cancel
			}, 0, context.Canceled},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				q := NewQueue(tt.config)
				busy := make(chan struct{})
				var wg sync.WaitGroup
				for range 1 + tt.crowd {
					wg.Go(func() {
						if err := q.Do(t.Context(), func() { <-busy }); err != nil {
							t.Error(err)
						}
					})
				}
				synctest.Wait()
				ctx, cancel := tt.ctx(t.Context())
				defer cancel()
				err := q.Do(ctx, func() { t.Error("the work was run") })
				if !errors.Is(err, tt.want) {
					t.Errorf("got %v, want %v", err, tt.want)
				}
				close(busy)
				wg.Wait()
			})
		})
	}
}
