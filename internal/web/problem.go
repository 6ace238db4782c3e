package web

import (
	"context"
	"crypto/rand"
	"errors"
	"log/slog"
	"net/http"
	"strconv"

	"github.com/weir-id/weir/flow"
	"github.com/weir-id/weir/internal/request"
)

// Problem is what an error page says.
type Problem struct {
	Title, Text string
	// ID finds the line in the log; empty when there is none.
	ID string
	// RetrySeconds says when another attempt may help; 0 says nothing.
	RetrySeconds int
}

// Problem writes the error page of a status (400, 403, 404, 405, 413, 414, 415,
// 429, 500, 503; any other one looks like 500). id is shown when it is not
// empty. A Retry-After header in seconds, set before, is repeated in words.
func (s *Site) Problem(w http.ResponseWriter, r *http.Request, status int, id string) {
	key := status
	switch status {
	case 400, 403, 404, 405, 413, 415, 429, 500, 503:
	case http.StatusRequestURITooLong:
		key = http.StatusRequestEntityTooLarge
	default:
		key = http.StatusInternalServerError
	}
	s.problem(w, r, status, strconv.Itoa(key), id)
}

// problem writes an error page with the texts of a key.
func (s *Site) problem(w http.ResponseWriter, r *http.Request, status int, key, id string) {
	texts := s.catalog.texts[s.catalog.pick(r)]
	p := &Problem{ID: id}
	var err error
	if p.Title, err = texts.text("problem." + key + ".title"); err == nil {
		p.Text, err = texts.text("problem." + key + ".text")
	}
	if err != nil {
		s.Log.ErrorContext(r.Context(), "error page without text", slog.Int("status", status), slog.Any("error", err))
	}
	if n, err := strconv.Atoi(w.Header().Get("Retry-After")); err == nil && n > 0 {
		p.RetrySeconds = n
	}
	s.show(w, r, status, "problem", &Page{Problem: p, StartURL: "/"})
}

func (s *Site) notFound(w http.ResponseWriter, r *http.Request) {
	s.Problem(w, r, http.StatusNotFound, "")
}

// fail turns an error into its page. What has no page of its own is logged
// under the id that the person sees.
func (s *Site) fail(w http.ResponseWriter, r *http.Request, err error) {
	switch {
	case errors.Is(err, flow.ErrNoFlow), errors.Is(err, flow.ErrMissing):
		s.notFound(w, r)
	case errors.Is(err, ErrNoInvitation):
		s.problem(w, r, http.StatusNotFound, "invitation", "")
	case errors.Is(err, ErrNoLink):
		s.problem(w, r, http.StatusNotFound, "link", "")
	case errors.Is(err, ErrForbidden):
		s.problem(w, r, http.StatusForbidden, "permission", "")
	case errors.Is(err, flow.ErrOverloaded), errors.Is(err, context.DeadlineExceeded):
		s.Log.WarnContext(r.Context(), "page not possible", slog.String("path", r.URL.Path), slog.Any("error", err))
		request.AskLater(w.Header())
		s.Problem(w, r, http.StatusServiceUnavailable, "")
	case r.Context().Err() != nil:
		// Nobody is waiting for an answer.
	default:
		id := w.Header().Get("X-authentik-id")
		if id == "" {
			id = rand.Text()[:16]
		}
		s.Log.ErrorContext(r.Context(), "page failed", slog.String("id", id), slog.String("path", r.URL.Path), slog.Any("error", err))
		s.Problem(w, r, http.StatusInternalServerError, id)
	}
}
