// Package api is the JSON API below /api/v3. Every route is one line of Routes
// and says there who may call it (rule 47); the handlers read the request, call
// the part that knows, and write JSON.
//
// Refusals are 403, never 401, and like every other problem they are an object
// with the key detail. Answers are never cached.
package api

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/google/uuid"

	"github.com/weir-id/weir/flow"
	"github.com/weir-id/weir/internal/flowhttp"
)

// prefix begins every path of the API.
const prefix = "/api/v3/"

// Runner takes steps of flows and tells whom a request belongs to;
// *flowhttp.Runner does.
type Runner interface {
	Step(w http.ResponseWriter, r *http.Request, c flowhttp.Call) (*flow.Result, error)
	Visit(w http.ResponseWriter, r *http.Request, flowID uuid.UUID, bearer bool) (*flowhttp.Visit, error)
}

// Role is a role of a user.
type Role struct {
	ID   uuid.UUID
	Name string
}

// Config is what the API needs. All fields are required but Problem.
type Config struct {
	Runner  Runner
	Catalog func() flow.Catalog
	// Roles returns the roles of a user, those of the groups included.
	Roles func(ctx context.Context, user int64) ([]Role, error)
	// Avatar returns the address of the picture for a user name.
	Avatar func(username string) string
	// InstallID goes into the opaque ids of users.
	InstallID string
	// Problem writes a page for a person who typed an address of the API;
	// nil answers everybody in JSON.
	Problem func(w http.ResponseWriter, r *http.Request, status int)
	Log     *slog.Logger
}

// API serves the routes.
type API struct{ Config }

// Access says who may call a route. The zero value is a fault in the table.
type Access int

const (
	// Public routes answer everybody.
	Public Access = iota + 1
	// SignedIn routes answer whoever has a session or an API token.
	SignedIn
)

// Route is one address of the API.
type Route struct {
	// Method is GET or POST; GET also answers HEAD.
	Method string
	// Path is below /api/v3/, in the notation of http.ServeMux.
	Path   string
	Access Access

	serve func(w http.ResponseWriter, r *http.Request, v *flowhttp.Visit) error
}

// Routes lists all addresses.
func (a *API) Routes() []Route {
	return []Route{
		{http.MethodGet, "flows/executor/{slug}/", Public, a.executorGet},
		{http.MethodPost, "flows/executor/{slug}/", Public, a.executorPost},
		{http.MethodGet, "core/users/me/", SignedIn, a.me},
		{http.MethodGet, "core/brands/current/", Public, a.brand},
		{http.MethodGet, "root/config/", Public, a.config},
	}
}

// Mount adds the API to a mux.
func (a *API) Mount(mux *http.ServeMux) {
	paths := map[string][]Route{}
	for _, route := range a.Routes() {
		paths[route.Path] = append(paths[route.Path], route)
	}
	for path, routes := range paths {
		mux.HandleFunc(prefix+path+"{$}", a.dispatch(routes))
	}
	mux.HandleFunc("/api/", func(w http.ResponseWriter, _ *http.Request) {
		refuse(w, http.StatusNotFound, "There is nothing at this address.")
	})
}

// dispatch finds the route for the method and lets in whom it admits.
func (a *API) dispatch(routes []Route) http.HandlerFunc {
	allowed := []string{http.MethodOptions}
	for _, route := range routes {
		allowed = append(allowed, route.Method)
		if route.Method == http.MethodGet {
			allowed = append(allowed, http.MethodHead)
		}
	}
	slices.Sort(allowed)
	allow := strings.Join(allowed, ", ")
	return func(w http.ResponseWriter, r *http.Request) {
		head := w.Header()
		head.Set("Cache-Control", "no-store")
		head.Set("X-Frame-Options", "SAMEORIGIN")
		head.Set("Vary", "Cookie, Accept-Language")
		method := r.Method
		if method == http.MethodHead {
			method = http.MethodGet
		}
		i := slices.IndexFunc(routes, func(route Route) bool { return route.Method == method })
		switch {
		case i >= 0:
			a.fail(w, r, a.serve(w, r, routes[i]))
		case method == http.MethodOptions:
			head.Set("Allow", allow)
			write(w, http.StatusOK, map[string][]string{"renders": {"application/json"}, "parses": {"application/json"}})
		default:
			head.Set("Allow", allow)
			refuse(w, http.StatusMethodNotAllowed, "This address does not answer "+strconv.Quote(r.Method)+".")
		}
	}
}

func (a *API) serve(w http.ResponseWriter, r *http.Request, route Route) error {
	switch route.Access {
	case Public:
		return route.serve(w, r, nil)
	case SignedIn:
		v, err := a.Runner.Visit(w, r, uuid.Nil, true)
		if err != nil {
			return err
		}
		if !v.User.Saved() {
			refuse(w, http.StatusForbidden, "Sign in or send an API token.")
			return nil
		}
		return route.serve(w, r, v)
	}
	refuse(w, http.StatusForbidden, "Nobody may call this address.")
	return nil
}

// retryAfter is when an overloaded server asks to be called again, in seconds.
const retryAfter = 5

// fail turns an error into an answer: the one table of codes and statuses.
func (a *API) fail(w http.ResponseWriter, r *http.Request, err error) {
	var tooLarge *http.MaxBytesError
	switch {
	case err == nil:
	case errors.As(err, &tooLarge):
		refuse(w, http.StatusRequestEntityTooLarge, "The request body is too large.")
	case errors.Is(err, flowhttp.ErrBearer):
		refuse(w, http.StatusForbidden, "The API token is not valid or no longer valid.")
	case errors.Is(err, flow.ErrNoFlow):
		if a.Problem != nil && strings.Contains(r.Header.Get("Accept"), "text/html") {
			a.Problem(w, r, http.StatusNotFound)
			return
		}
		refuse(w, http.StatusNotFound, "There is no such flow.")
	case errors.Is(err, flow.ErrOverloaded), errors.Is(err, context.DeadlineExceeded):
		w.Header().Set("Retry-After", strconv.Itoa(retryAfter))
		refuse(w, http.StatusServiceUnavailable, "The server is too busy. Try again in a few seconds.")
	case r.Context().Err() != nil:
		// Nobody is waiting for an answer.
	default:
		a.Log.ErrorContext(r.Context(), "api call failed", slog.String("path", r.URL.Path), slog.Any("error", err))
		refuse(w, http.StatusInternalServerError, "Something went wrong on our side. The X-authentik-id header of this answer finds it in the log.")
	}
}

// refuse writes a problem.
func refuse(w http.ResponseWriter, status int, detail string) {
	write(w, status, map[string]string{"detail": detail})
}

// write sends v as JSON. HTML in texts stays as it is: the content type and
// nosniff keep browsers from reading it as a page.
func write(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	body, err := json.Marshal(v)
	if err != nil {
		status, body = http.StatusInternalServerError, []byte(`{"detail":"The answer could not be written."}`)
	}
	w.WriteHeader(status)
	_, _ = w.Write(body) // the client is gone if this fails
}
