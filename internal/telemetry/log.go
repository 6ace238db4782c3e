// Package telemetry makes the logger and the metrics. Both are handed to the
// packages that use them; there is no global one.
package telemetry

import (
	"bytes"
	"context"
	"fmt"
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
		h = slog.NewJSONHandler(escaper{w}, opts)
	}
	return slog.New(requestHandler{h})
}

// escaper writes JSON whose control characters are all escaped. JSON asks for
// that below U+0020 only, but terminals obey some from U+007F to U+009F, and one
// of them ends a line. They stand nowhere but in strings.
type escaper struct{ io.Writer }

// Write implements io.Writer.
func (e escaper) Write(line []byte) (int, error) {
	if !bytes.ContainsFunc(line, escaped) {
		return e.Writer.Write(line)
	}
	var out bytes.Buffer
	for _, r := range string(line) {
		if escaped(r) {
			fmt.Fprintf(&out, `\u%04x`, r)
		} else {
			out.WriteRune(r)
		}
	}
	if _, err := e.Writer.Write(out.Bytes()); err != nil {
		return 0, err
	}
	return len(line), nil
}

func escaped(r rune) bool { return r >= 0x7f && r <= 0x9f }

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
