package weir

import (
	"cmp"
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"net/url"
	"slices"

	"github.com/google/uuid"

	"github.com/weir-id/weir/flow"
	"github.com/weir-id/weir/identity"
	"github.com/weir-id/weir/internal/authenticator"
	"github.com/weir-id/weir/internal/catalog"
	"github.com/weir-id/weir/internal/directory"
	"github.com/weir-id/weir/internal/event"
	"github.com/weir-id/weir/internal/flowhttp"
	"github.com/weir-id/weir/internal/flowtoken"
	"github.com/weir-id/weir/internal/request"
	"github.com/weir-id/weir/internal/session"
	"github.com/weir-id/weir/internal/web"
)

// visits tells the pages who is there.
type visits struct {
	runner   *flowhttp.Runner
	sessions *session.Manager
	catalog  *catalog.Catalog
	people   *directory.Directory
	tokens   *flowtoken.Tokens
}

var _ web.Visits = (*visits)(nil)

// Person implements web.Visits.
func (v *visits) Person(w http.ResponseWriter, r *http.Request) (*identity.Person, error) {
	current, err := v.runner.Current(w, r)
	if err != nil {
		return nil, err
	}
	return current.Person, nil
}

// Choose implements web.Visits.
func (v *visits) Choose(w http.ResponseWriter, r *http.Request, d flow.Designation) (*flow.Flow, error) {
	f, err := v.runner.Choose(w, r, d)
	if f == nil && err == nil {
		v.runner.Raise(r, event.ConfigurationError, fmt.Sprintf("No flow of the designation %s is there for this visitor.", d))
	}
	return f, err
}

// Cancel implements web.Visits.
func (v *visits) Cancel(w http.ResponseWriter, r *http.Request, execution uuid.UUID) error {
	current, err := v.runner.Current(w, r)
	if err != nil {
		return err
	}
	return v.sessions.Forget(r.Context(), current.Session, execution)
}

// Configure implements web.Visits.
func (v *visits) Configure(w http.ResponseWriter, r *http.Request, stage uuid.UUID) (*flow.Flow, error) {
	f, ok := v.configureFlow(stage)
	if !ok {
		return nil, nil
	}
	if r.Method == http.MethodHead {
		return f, nil
	}
	return f, v.runner.Start(w, r, flowhttp.Call{Slug: f.Slug, RawQuery: r.URL.RawQuery})
}

// configureFlow is the flow that a stage names for setting it up.
func (v *visits) configureFlow(stage uuid.UUID) (*flow.Flow, bool) {
	now := v.catalog.Snapshot()
	o, ok := now.Get(stage)
	if !ok || o.Kind != catalog.KindStage {
		return nil, false
	}
	return now.ConfigureFlow(o)
}

// Settings implements web.Visits.
func (v *visits) Settings(w http.ResponseWriter, r *http.Request) ([]web.Setting, error) {
	visit, err := v.runner.Visit(w, r, uuid.Nil, false)
	if err != nil || !visit.Person.Saved() {
		return nil, err
	}
	now := v.catalog.Snapshot()
	var out []web.Setting
	seen := map[uuid.UUID]bool{}
	add := func(f *flow.Flow, address string) error {
		if seen[f.ID] {
			return nil
		}
		seen[f.ID] = true
		ok, err := v.runner.Startable(w, r, flowhttp.Call{Slug: f.Slug})
		if ok {
			out = append(out, web.Setting{Name: f.Heading(visit.Person), URL: address})
		}
		return err
	}
	if id := visit.Brand.UserSettings; id != nil {
		if f, ok := now.Flow(*id); ok {
			if err := add(f, "/if/flow/"+url.PathEscape(f.Slug)+"/"); err != nil {
				return nil, err
			}
		}
	}
	first := len(out)
	for _, up := range now.SetUps() {
		if authenticator.SetUpClass(up.Type) != "" {
			continue // they have a page of their own
		}
		if err := add(up.Flow, up.Address()); err != nil {
			return nil, err
		}
	}
	slices.SortStableFunc(out[first:], func(a, b web.Setting) int { return cmp.Compare(a.Name, b.Name) })
	return out, nil
}

// Sessions implements web.Visits.
func (v *visits) Sessions(w http.ResponseWriter, r *http.Request) ([]web.Session, error) {
	current, err := v.runner.Current(w, r)
	if err != nil || !current.Person.Saved() {
		return nil, err
	}
	devices, err := v.sessions.Devices(r.Context(), current.Person.ID, current.Session.Key)
	if err != nil {
		return nil, err
	}
	out := make([]web.Session, len(devices))
	for i, d := range devices {
		ip, _ := netip.ParseAddr(d.LastIP) // one that is no address is not shown
		out[i] = web.Session{ID: d.UUID, Current: d.Current, UserAgent: d.LastUserAgent, IP: ip, LastUsed: d.LastUsed}
	}
	return out, nil
}

// EndSession implements web.Visits.
func (v *visits) EndSession(w http.ResponseWriter, r *http.Request, id uuid.UUID) error {
	current, err := v.runner.Current(w, r)
	if err != nil || !current.Person.Saved() {
		return err
	}
	if err := v.sessions.Revoke(r.Context(), current.Person.ID, id); err != nil && !errors.Is(err, session.ErrNoSession) {
		return err
	}
	return nil
}

// EndImpersonation implements web.Visits.
func (v *visits) EndImpersonation(w http.ResponseWriter, r *http.Request) error {
	current, err := v.runner.Current(w, r)
	if err != nil {
		return err
	}
	return v.sessions.EndImpersonation(r.Context(), current, request.Policy(r, r.URL.Query()), v.runner.Brand(r))
}
