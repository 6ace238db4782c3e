// Package api is the JSON API below /api/v3. The calls that every kind has
// (list, create, retrieve, update, delete, used by) follow from the declarations
// of package resource; the others are lines of the files flows.go, users.go and
// so on. Every route says who may call it (rule 47) before its handler runs; the
// handlers read the request, call the part that knows, and write JSON.
//
// Refusals are 403, never 401, and like every other problem they are an object
// with the key detail. Answers are never cached.
package api

import (
	"context"
	"log/slog"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/weir-id/weir/flow"
	"github.com/weir-id/weir/identity"
	"github.com/weir-id/weir/internal/access"
	"github.com/weir-id/weir/internal/api/openapi"
	"github.com/weir-id/weir/internal/blueprint"
	"github.com/weir-id/weir/internal/catalog"
	"github.com/weir-id/weir/internal/flowhttp"
	"github.com/weir-id/weir/internal/history"
	"github.com/weir-id/weir/internal/prompt"
	"github.com/weir-id/weir/internal/resource"
	"github.com/weir-id/weir/internal/stages/authenticatorduo"
	"github.com/weir-id/weir/internal/store"
	"github.com/weir-id/weir/policy"
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

// Config is what the API needs. All fields are required but BaseURL,
// Capabilities, Problem, Browse and Now.
type Config struct {
	Runner Runner
	// Start begins a flow for the person of a request, as flowhttp.Runner does.
	Start func(w http.ResponseWriter, r *http.Request, c flowhttp.Call) error
	// Startable tells whether it would.
	Startable func(w http.ResponseWriter, r *http.Request, c flowhttp.Call) (bool, error)
	Catalog   *catalog.Catalog
	DB        store.DB
	Kinds     *resource.Registry
	Access    *access.Access
	// Stages and Policies are the types that objects can be of.
	Stages   []flow.StageType
	Policies []policy.Type
	// Exporter writes flows as blueprints, Blueprints applies them.
	Exporter   *blueprint.Exporter
	Blueprints Blueprints
	// History tells what has become of the configuration, Drift how it differs
	// from blueprints.
	History *history.History
	Drift   Drift
	// Applications decides what people may open, Tried the same for somebody
	// else than the caller, without effects on that person.
	Applications, Tried Applications
	// Notifications tries transports and mappings out.
	Notifications Notifications
	// Person returns a user. The error wraps flow.ErrNoPerson for an unknown id.
	Person func(ctx context.Context, id int64) (*identity.Person, error)
	// Roles returns the roles of a user, those of the groups included.
	Roles func(ctx context.Context, user int64) ([]Role, error)
	// Avatar returns the address of the picture for a user name.
	Avatar func(username string) string
	// Preview fills a prompt in for the person of a request.
	Preview func(ctx context.Context, p *prompt.Prompt, r *policy.Request) (flow.Challenge, error)
	// Passwords makes the stored form of passwords.
	Passwords Passwords
	// Plans finds what sessions are at, Duo asks about phones with its app.
	Plans Plans
	Duo   *authenticatorduo.Env
	// Impersonation lets people act as others.
	Impersonation Impersonation
	Recovery      Recovery
	// Traces are what runs of flows have recorded.
	Traces Traces
	// Files are the pictures of the site.
	Files Files
	// Mails are the templates of mails.
	Mails Mails
	// InstallID goes into the opaque ids of users.
	InstallID string
	// Version is that of the program; BaseURL is where people reach the site,
	// empty where that is not configured.
	Version, BaseURL string
	// Capabilities are what this installation can do, by the names that clients
	// know.
	Capabilities []string
	// Problem writes a page for a person who typed an address of the API;
	// nil answers everybody in JSON.
	Problem func(w http.ResponseWriter, r *http.Request, status int)
	// Browse writes the description as a page; nil leaves the page out.
	Browse func(w http.ResponseWriter, r *http.Request, d *openapi.Document)
	Log    *slog.Logger
	// Now is the clock; time.Now when nil.
	Now func() time.Time
}

// API serves the routes.
type API struct {
	Config
	routes []Route
	schema func() (*schema, error)
}

// New returns the API with all its routes.
func New(c Config) *API {
	if c.Now == nil {
		c.Now = time.Now
	}
	a := &API{Config: c}
	a.routes = slices.Concat(a.executorRoutes(), a.siteRoutes(), a.kindRoutes(), a.flowRoutes(), a.inspectorRoutes(), a.stageRoutes(), a.promptRoutes(), a.policyRoutes(), a.mailRoutes(), a.authenticatorRoutes(), a.duoRoutes(), a.peopleRoutes(),
		a.rbacRoutes(), a.eventRoutes(), a.adminRoutes(), a.versionRoutes(), a.fileRoutes(), a.blueprintRoutes(), a.historyRoutes(), a.applicationRoutes(), a.notificationRoutes(), a.certificateRoutes(), a.schemaRoutes())
	a.schema = sync.OnceValues(a.makeSchema)
	return a
}

// Route is one address of the API.
type Route struct {
	// Method is the HTTP method; GET also answers HEAD.
	Method string
	// Path is below /api/v3/, in the notation of http.ServeMux.
	Path string
	// Guard says who may call it.
	Guard Guard
	// Doc describes it for OpenAPI.
	Doc Doc

	serve func(c *call) error
}

// Routes lists all addresses.
func (a *API) Routes() []Route { return a.routes }

// Mount adds the API to a mux.
func (a *API) Mount(mux *http.ServeMux) {
	paths := map[string][]Route{}
	for _, route := range a.routes {
		paths[route.Path] = append(paths[route.Path], route)
	}
	for path, routes := range paths {
		serve := a.dispatch(routes)
		if base, last, ok := besideKind(paths, path); ok {
			path, serve = base+"{last}/", onlyLast(last, serve)
		}
		mux.HandleFunc(prefix+path+"{$}", serve)
	}
	mux.HandleFunc("/api/", func(w http.ResponseWriter, r *http.Request) {
		refuse(w, http.StatusNotFound, missing(r.URL.Path))
	})
}

// besideKind splits the path of a call on one object where another kind stands
// below the same address: of policies/reputation/{policy_uuid}/used_by/ and
// policies/reputation/scores/{reputation_uuid}/ neither is more specific, so the
// mux refuses them beside each other.
func besideKind(paths map[string][]Route, path string) (base, last string, ok bool) {
	parts := strings.Split(strings.TrimSuffix(path, "/"), "/")
	n := len(parts)
	if n < 3 || strings.HasPrefix(parts[n-1], "{") || !strings.HasPrefix(parts[n-2], "{") {
		return "", "", false
	}
	kind := strings.Join(parts[:n-2], "/") + "/"
	for other := range paths {
		name, key, two := strings.Cut(strings.TrimPrefix(other, kind), "/")
		if strings.HasPrefix(other, kind) && two && !strings.HasPrefix(name, "{") && strings.HasPrefix(key, "{") && strings.Count(key, "/") == 1 {
			return kind + parts[n-2] + "/", parts[n-1], true
		}
	}
	return "", "", false
}

// onlyLast serves the address that ends with a word.
func onlyLast(word string, serve http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if r.PathValue("last") != word {
			refuse(w, http.StatusNotFound, missing(r.URL.Path))
			return
		}
		serve(w, r)
	}
}

// outside are the beginnings of addresses of authentik that Weir does not have,
// and why.
var outside = []struct{ path, why string }{
	{"sources/", "Sources are outside of Weir: people sign in here, not through another system."},
	{"providers/", "Providers are outside of Weir; it signs people in and leaves protocols to others."},
	{"oauth2/", "OAuth providers are outside of Weir."},
	{"outposts/", "Outposts are outside of Weir."},
	{"enterprise/", "Weir has no enterprise edition and needs no licence."},
	{"endpoints/", "Endpoint devices are an enterprise feature that Weir does not have."},
	{"rac/", "Remote access is an enterprise feature that Weir does not have."},
	{"ssf/", "Shared signals are an enterprise feature that Weir does not have."},
	{"lifecycle/", "Object reviews are an enterprise feature that Weir does not have."},
	{"reports/", "Reports are an enterprise feature that Weir does not have."},
	{"requests/", "Requests for access are an enterprise feature that Weir does not have."},
	{"agents/", "Accounts of agents are an enterprise feature that Weir does not have."},
	{"tasks/", "Background work has no list here; mails are at mail/messages/, and the metrics tell the rest."},
	{"core/transactional/applications/", "This makes an application together with a provider, and providers are outside of Weir; make one at core/applications/."},
	{"core/object_attributes/", "Attributes have no definitions here: any document is taken."},
	{"authenticators/endpoint/", "Endpoint devices are an enterprise feature that Weir does not have."},
	{"authenticators/admin/endpoint/", "Endpoint devices are an enterprise feature that Weir does not have."},
	{"tenants/", "Weir serves one tenant; its settings are at admin/settings/."},
	{"stages/source/", "The source stage needs sources, which are outside of Weir."},
	{"stages/endpoints/", "The endpoints stage is an enterprise feature that Weir does not have."},
	{"stages/authenticator/endpoint_gdtc/", "The Google device trust stage is an enterprise feature that Weir does not have."},
	{"propertymappings/source/", "Property mappings of sources are outside of Weir."},
	{"propertymappings/provider/", "Property mappings of providers are outside of Weir."},
}

// missing says what is wrong with an address that no route has.
func missing(path string) string {
	below, _ := strings.CutPrefix(path, prefix)
	for _, o := range outside {
		if strings.HasPrefix(below, o.path) {
			return o.why
		}
	}
	return "There is nothing at this address."
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
			a.fail(w, r, a.serve(w, r, &routes[i]))
		case method == http.MethodOptions:
			head.Set("Allow", allow)
			write(w, http.StatusOK, map[string][]string{"renders": {"application/json"}, "parses": {"application/json"}})
		default:
			head.Set("Allow", allow)
			refuse(w, http.StatusMethodNotAllowed, "This address does not answer "+strconv.Quote(r.Method)+".")
		}
	}
}
