package server

import (
	"context"
	"log/slog"
	"net/http"
	"time"

	"github.com/weir-id/weir/internal/request"
)

// probeTimeout bounds the check behind the readiness probe.
const probeTimeout = 5 * time.Second

// live answers 200 while the program runs.
func (h *Handler) live(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(http.StatusOK)
}

// ready answers 200 only while the site can do its work and is to get new
// requests. The reason for a 503 is for the log.
func (h *Handler) ready(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Cache-Control", "no-store")
	ctx, cancel := context.WithTimeout(r.Context(), probeTimeout)
	defer cancel()
	if h.stopped.Load() {
		w.WriteHeader(http.StatusServiceUnavailable)
		return
	}
	if err := h.Ready(ctx); err != nil {
		h.Log.WarnContext(r.Context(), "not ready", slog.Any("error", err))
		request.AskLater(w.Header())
		w.WriteHeader(http.StatusServiceUnavailable)
		return
	}
	w.WriteHeader(http.StatusOK)
}
