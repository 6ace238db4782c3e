package sqlite

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/weir-id/weir/internal/store"
)

// Notify hands payload to the listeners of this process once tx is committed.
func (db *DB) Notify(_ context.Context, t store.Tx, channel, payload string) error {
	if len(payload) > store.MaxPayloadBytes {
		return fmt.Errorf("notify %s: payload of %d bytes is longer than %d", channel, len(payload), store.MaxPayloadBytes)
	}
	t.AfterCommit(func() { db.hub.send(channel, payload) })
	return nil
}

// Listen hears the notifications of this process.
func (db *DB) Listen(ctx context.Context, channel string, heard func(payload string)) error {
	return db.hub.listen(ctx, channel, heard)
}

// maxQueued is how many payloads wait for a slow listener before they are
// replaced by one empty payload.
const maxQueued = 1024

type hub struct {
	mu        sync.Mutex
	closed    chan struct{}
	isClosed  bool
	listeners map[*listener]struct{}
	running   sync.WaitGroup
}

type listener struct {
	channel string
	queue   []string
	wake    chan struct{}
}

func newHub() *hub {
	return &hub{closed: make(chan struct{}), listeners: map[*listener]struct{}{}}
}

func (h *hub) listen(ctx context.Context, channel string, heard func(string)) error {
	l := &listener{channel: channel, wake: make(chan struct{}, 1)}
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.isClosed {
		return errors.New("listen: database is closed")
	}
	h.listeners[l] = struct{}{}
	h.running.Go(func() { h.serve(ctx, l, heard) })
	return nil
}

func (h *hub) serve(ctx context.Context, l *listener, heard func(string)) {
	defer func() {
		h.mu.Lock()
		defer h.mu.Unlock()
		delete(h.listeners, l)
	}()
	for {
		select {
		case <-ctx.Done():
			return
		case <-h.closed:
			return
		case <-l.wake:
		}
		h.mu.Lock()
		queue := l.queue
		l.queue = nil
		h.mu.Unlock()
		for _, payload := range queue {
			if ctx.Err() != nil {
				return
			}
			heard(payload)
		}
	}
}

func (h *hub) send(channel, payload string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for l := range h.listeners {
		if l.channel != channel {
			continue
		}
		if len(l.queue) == maxQueued {
			l.queue = append(l.queue[:0], "")
		}
		l.queue = append(l.queue, payload)
		select {
		case l.wake <- struct{}{}:
		default:
		}
	}
}

func (h *hub) close() {
	h.mu.Lock()
	if !h.isClosed {
		h.isClosed = true
		close(h.closed)
	}
	h.mu.Unlock()
	h.running.Wait()
}
