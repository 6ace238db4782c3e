// Package telemetry makes the logger and the metrics. Both are handed to the
// packages that use them; there is no global one.
package telemetry

import (
	"context"
	"io"
	"log/slog"

	"github.com/weir-id/weir/internal/request"
)

// NewLogger returns a logger that writes lines of at least the level to w, as
// JSON or as text. Each line that belongs to a request carries request_id and
// client, which callers never add themselves.
func NewLogger(w io.Writer, level slog.Leveler, json bool) *slog.Logger {
	opts := &slog.HandlerOptions{Level: level}
	var h slog.Handler = slog.NewTextHandler(w, opts)
	if json {
		h = slog.NewJSONHandler(w, opts)
	}
	return slog.New(requestHandler{h})
}

// requestHandler adds what the context knows about the request.
type requestHandler struct{ slog.Handler }

// Handle implements slog.Handler.
func (h requestHandler) Handle(ctx context.Context, r slog.Record) error {
	if info := request.From(ctx); info.ID != "" {
		r.AddAttrs(slog.String("request_id", info.ID))
		if info.Client.IsValid() {
			r.AddAttrs(slog.String("client", info.Client.String()))
		}
	}
	return h.Handler.Handle(ctx, r)
}

// WithAttrs implements slog.Handler.
func (h requestHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	return requestHandler{h.Handler.WithAttrs(attrs)}
}

// WithGroup implements slog.Handler.
func (h requestHandler) WithGroup(name string) slog.Handler {
	return requestHandler{h.Handler.WithGroup(name)}
}
