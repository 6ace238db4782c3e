package web

import (
	"errors"
	"net/http"
	"net/url"

	"github.com/google/uuid"

	"github.com/weir-id/weir/flow"
)

// configure starts the flow in which a person sets up what a stage asks for,
// such as a new password, and leads to its page. A link in a mail may lead here
// too: starting a flow changes nothing beyond the plan.
func (s *Site) configure(w http.ResponseWriter, r *http.Request) {
	if s.mustSignIn(w, r) == nil {
		return
	}
	stage, err := uuid.Parse(r.PathValue("stage"))
	if err != nil {
		s.notFound(w, r)
		return
	}
	f, err := s.Visits.Configure(w, r, stage)
	var refused *flow.RefusedError
	switch {
	case errors.As(err, &refused), err == nil && f == nil:
		s.notFound(w, r)
	case err != nil:
		s.fail(w, r, err)
	default:
		redirect(w, http.StatusFound, withQuery("/if/flow/"+url.PathEscape(f.Slug)+"/", r.URL.RawQuery))
	}
}
