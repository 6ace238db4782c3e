package web

import (
	"errors"
	"net/http"
	"time"
)

// Inspector shows people who may inspect a flow what happened in a run of it.
type Inspector interface {
	// Inspect returns the person's own newest run of a flow, or the one that run names,
	// nil when there is none. It returns ErrForbidden where they may not inspect
	// the flow, or there is no such flow.
	Inspect(w http.ResponseWriter, r *http.Request, slug, run string) (*Inspection, error)
}

// Inspection is a run of a flow.
type Inspection struct {
	Flow, Title string
	// Over tells that the run has ended.
	Over  bool
	Steps []InspectedStep
	// Ahead are the names of the stages that are left, the current one first.
	Ahead []string
	// Download is where the run is as JSON.
	Download string
}

// InspectedStep is one step.
type InspectedStep struct {
	N                             int
	At                            time.Time
	Stage, Type, Outcome, Message string
	// Answer tells that the person sent something.
	Answer bool
	// Context is what the step began with, as JSON; empty where that was not kept.
	Context  string
	Policies []InspectedPolicy
}

// Clock is when it was, as the page shows it.
func (s *InspectedStep) Clock() string { return s.At.UTC().Format("15:04:05.000 UTC") }

// Stopped tells that the step did not get the person on.
func (s *InspectedStep) Stopped() bool { return s.Outcome == "denied" || s.Outcome == "refused" }

// InspectedPolicy is what one policy decided about a target.
type InspectedPolicy struct {
	Target, Name, Verdict, Error string
	Messages                     []string
	// Took is a length of time in words of Go, such as 120µs.
	Took string
}

// inspectorPath is where runs of flows are shown.
const inspectorPath = "/if/inspector/"

func (s *Site) inspect(w http.ResponseWriter, r *http.Request) {
	person := s.mustSignIn(w, r)
	if person == nil {
		return
	}
	i, err := s.Inspector.Inspect(w, r, r.PathValue("slug"), r.URL.Query().Get("run"))
	if errors.Is(err, ErrForbidden) {
		s.notFound(w, r)
		return
	}
	if err != nil {
		s.fail(w, r, err)
		return
	}
	s.show(w, r, http.StatusOK, "inspector", &Page{Wide: true, Impersonated: impersonated(person), Inspection: i})
}
