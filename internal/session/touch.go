package session

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/weir-id/weir/internal/store"
	"github.com/weir-id/weir/policy"
)

// use is one use of a session, to be noted.
type use struct {
	key           string
	now           time.Time
	from          from
	browserLength bool
	// bound sessions keep their address until Check has checked a new one.
	bound bool
}

func (t use) write(ctx context.Context, q store.Querier) error {
	var args store.Args
	set := "last_used = " + args.Add(t.now) + ", last_user_agent = " + args.Add(t.from.agent)
	if !t.bound {
		set += ", last_ip = " + args.Add(t.from.ip)
	}
	if t.browserLength {
		set += ", expires = " + args.Add(t.now.Add(idleLimit))
	}
	where := "key = " + args.Add(t.key) + " and expires > " + args.Add(t.now) + " and last_used <= " + args.Add(t.now.Add(-touchEvery))
	if _, err := q.Exec(ctx, "update sessions set "+set+" where "+where, args...); err != nil {
		return fmt.Errorf("note use of session: %w", err)
	}
	return nil
}

// touch notes that the session was used, at most once a minute and in the
// background: no request waits for it, and while another such write is under
// way the note is left to the next request.
func (m *Manager) touch(ctx context.Context, c *Current, h *policy.HTTPRequest) {
	now := m.now()
	if c.Row == nil || now.Sub(c.Row.LastUsed) < touchEvery {
		return
	}
	t := use{key: c.Session.Key, now: now, from: origin(h), browserLength: c.Row.BrowserLength, bound: bound(c.Row.NetworkBinding, c.Row.GeoIPBinding)}
	m.background(ctx, "note use of session", func(ctx context.Context) error { return t.write(ctx, m.db) })
}

// background runs one write at a time beside the requests; it is dropped when
// one is under way.
func (m *Manager) background(ctx context.Context, what string, write func(context.Context) error) {
	select {
	case m.touching <- struct{}{}:
	default:
		return
	}
	ctx = context.WithoutCancel(ctx)
	m.writes.Go(func() {
		defer func() { <-m.touching }()
		ctx, cancel := context.WithTimeout(ctx, backgroundLimit)
		defer cancel()
		if err := write(ctx); err != nil && !errors.Is(err, context.Canceled) {
			m.log.WarnContext(ctx, what, slog.Any("error", err))
		}
	})
}
