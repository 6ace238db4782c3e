package server

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"runtime/debug"
	"strconv"
	"strings"
	"time"

	"github.com/weir-id/weir/internal/request"
	"github.com/weir-id/weir/internal/telemetry"
)

// recover turns a panic into an answer with the request's id, which the log
// line has too.
func (h *Handler) recover(out *answer, r *http.Request) {
	p := recover()
	if p == nil {
		return
	}
	if p == http.ErrAbortHandler { // a handler's way to cut the connection
		panic(p)
	}
	h.Log.ErrorContext(r.Context(), "panic", slog.String("error", fmt.Sprint(p)), slog.String("stack", string(debug.Stack())))
	if out.code != 0 {
		return // too late for another answer
	}
	h.problem(out, r, http.StatusInternalServerError, "Something went wrong on our side. The X-authentik-id header of this answer finds it in the log.")
}

// busy answers a request that got no place. What it carries is not read.
func (h *Handler) busy(out *answer, r *http.Request, reason telemetry.Refusal) {
	h.Metrics.Refused(reason)
	if r.ContentLength != 0 {
		out.Header().Set("Connection", "close")
	}
	request.AskLater(out.Header())
	h.problem(out, r, http.StatusServiceUnavailable, "The server is too busy. Try again in a few seconds.")
}

// tooOften answers a request of a client that asks too often.
func (h *Handler) tooOften(out *answer, r *http.Request, wait time.Duration) {
	h.Metrics.Refused(telemetry.RefusedRate)
	if r.ContentLength != 0 {
		out.Header().Set("Connection", "close")
	}
	out.Header().Set("Retry-After", strconv.Itoa(seconds(wait)))
	h.problem(out, r, http.StatusTooManyRequests, fmt.Sprintf("Too many requests come from your address. Try again in %d s.", seconds(wait)))
}

// seconds are whole ones, not less than d.
func seconds(d time.Duration) int { return int((d + time.Second - 1) / time.Second) }

// problem answers programs with JSON and people with a page.
func (h *Handler) problem(w http.ResponseWriter, r *http.Request, status int, detail string) {
	if !strings.HasPrefix(r.URL.Path, "/api/") && h.Problem != nil {
		h.Problem(w, r, status)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(map[string]string{"detail": detail}) // the client is gone if this fails
}
