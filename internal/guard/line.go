package guard

import (
	"context"
	"sync"
	"time"
)

// patience is how long a guess waits for those before it to be judged. It is
// longer than a password waits to be hashed.
const patience = 10 * time.Second

// lines know which guesses of this process are being judged. They count as
// wrong meanwhile, so that a guess which finds too many is not refused before
// it is known whether they are: many right ones at once have no limit.
type lines struct {
	mu sync.Mutex
	by map[string]*line
}

type line struct {
	judged int
	// left is closed when one of them has been judged.
	left chan struct{}
}

// enter adds a guess to the lines of its counts.
func (l *lines) enter(counts []count) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, c := range counts {
		of := l.by[c.id]
		if of == nil {
			of = &line{left: make(chan struct{})}
			l.by[c.id] = of
		}
		of.judged++
	}
}

// leave takes it out again.
func (l *lines) leave(counts []count) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, c := range counts {
		of := l.by[c.id]
		close(of.left)
		of.left = make(chan struct{})
		if of.judged--; of.judged == 0 {
			delete(l.by, c.id)
		}
	}
}

// wait returns when a guess for the count has been judged. It tells at once that
// none is being judged, and gives up when ctx ends.
func (l *lines) wait(ctx context.Context, id string) bool {
	l.mu.Lock()
	of := l.by[id]
	if of == nil {
		l.mu.Unlock()
		return false
	}
	left := of.left
	l.mu.Unlock()
	select {
	case <-left:
		return true
	case <-ctx.Done():
		return false
	}
}
