package postgres

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/weir-id/weir/internal/store"
)

// Notify sends payload to the listeners of all nodes when tx commits.
func (db *DB) Notify(ctx context.Context, t store.Tx, channel, payload string) error {
	if len(payload) > store.MaxPayloadBytes {
		return fmt.Errorf("notify %s: payload of %d bytes is longer than %d", channel, len(payload), store.MaxPayloadBytes)
	}
	_, err := t.Exec(ctx, "select pg_notify($1, $2)", channel, payload)
	return err
}

// Listen hears the notifications of all nodes, on a connection of its own.
func (db *DB) Listen(ctx context.Context, channel string, heard func(payload string)) error {
	if err := db.closing.Err(); err != nil {
		return fmt.Errorf("listen on %s: database is closed", channel)
	}
	ctx, cancel := context.WithCancel(ctx)
	stop := context.AfterFunc(db.closing, cancel)
	conn, err := db.listen(ctx, channel)
	if err != nil {
		stop()
		cancel()
		return err
	}
	db.listeners.Go(func() {
		defer cancel()
		defer stop()
		db.hear(ctx, conn, channel, heard)
	})
	return nil
}

func (db *DB) listen(ctx context.Context, channel string) (*pgx.Conn, error) {
	conn, err := pgx.ConnectConfig(ctx, db.pool.Config().ConnConfig)
	if err != nil {
		return nil, fmt.Errorf("listen on %s: %w", channel, db.translate(ctx, err))
	}
	bounded, cancel := db.bound(ctx)
	defer cancel()
	if _, err := conn.Exec(bounded, "listen "+pgx.Identifier{channel}.Sanitize()); err != nil {
		hangUp(conn)
		return nil, fmt.Errorf("listen on %s: %w", channel, db.translate(ctx, err))
	}
	return conn, nil
}

const (
	firstPause = 100 * time.Millisecond
	longPause  = 5 * time.Second
)

// hear calls heard until ctx ends, and connects again whenever the connection
// is lost.
func (db *DB) hear(ctx context.Context, conn *pgx.Conn, channel string, heard func(string)) {
	for {
		n, err := db.next(ctx, conn)
		if err == nil {
			if n != nil {
				heard(n.Payload)
			}
			continue
		}
		hangUp(conn)
		for pause := firstPause; ; pause = min(2*pause, longPause) {
			if ctx.Err() != nil {
				return
			}
			db.log.WarnContext(ctx, "listener lost its connection", slog.String("channel", channel), slog.Any("error", err))
			timer := time.NewTimer(pause)
			select {
			case <-ctx.Done():
				timer.Stop()
				return
			case <-timer.C:
			}
			if conn, err = db.listen(ctx, channel); err == nil {
				break
			}
		}
		heard("")
	}
}

// next waits for a notification. When it was silent for as long as a statement
// may take, it returns nil if the server still answers: a line that was cut
// without a word would be listened to for ever.
func (db *DB) next(ctx context.Context, conn *pgx.Conn) (*pgconn.Notification, error) {
	waiting, cancel := db.bound(ctx)
	defer cancel()
	n, err := conn.WaitForNotification(waiting)
	if err == nil || ctx.Err() != nil || waiting.Err() == nil {
		return n, err
	}
	asking, cancel := db.bound(ctx)
	defer cancel()
	return nil, conn.Ping(asking)
}

// hangUp closes a connection that may already be dead.
func hangUp(conn *pgx.Conn) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	_ = conn.Close(ctx)
}
