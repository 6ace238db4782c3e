package server

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"

	"github.com/weir-id/weir/internal/config"
)

// Serve serves h on l until ctx ends. Then readiness turns 503, the drain
// delay passes, no new connection is taken, and requests in flight get the
// shutdown timeout to finish. stopping is called first of all.
func Serve(ctx context.Context, l net.Listener, h http.Handler, limits config.Limits, log *slog.Logger, stopping func()) error {
	srv := &http.Server{
		Handler:           h,
		ReadHeaderTimeout: limits.HeaderTimeout,
		ReadTimeout:       limits.ReadTimeout,
		WriteTimeout:      limits.WriteTimeout,
		IdleTimeout:       limits.IdleTimeout,
		MaxHeaderBytes:    limits.HeaderBytes,
		ErrorLog:          slog.NewLogLogger(log.Handler(), slog.LevelDebug),
	}
	failed := make(chan error, 1)
	go func() { failed <- srv.Serve(l) }()
	select {
	case err := <-failed:
		return fmt.Errorf("serve on %s: %w", l.Addr(), err)
	case <-ctx.Done():
	}
	stopping()
	if limits.DrainDelay > 0 {
		time.Sleep(limits.DrainDelay)
	}
	// The context that ended is no measure for how long to wait.
	bounded, cancel := context.WithTimeout(context.WithoutCancel(ctx), limits.ShutdownTimeout)
	defer cancel()
	if err := srv.Shutdown(bounded); err != nil {
		_ = srv.Close()
		if errors.Is(err, context.DeadlineExceeded) {
			return fmt.Errorf("requests were still in flight after %v", limits.ShutdownTimeout)
		}
		return fmt.Errorf("stop serving: %w", err)
	}
	return nil
}
