package web

import (
	"context"
	"fmt"
	"io/fs"
	"log/slog"
	"net/http"
	"net/netip"
	"reflect"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/weir-id/weir/flow"
	"github.com/weir-id/weir/identity"
	"github.com/weir-id/weir/internal/flowhttp"
	"github.com/weir-id/weir/policy"
)

// Runner takes steps of flows; *flowhttp.Runner is the real one. An error that
// wraps flow.ErrNoFlow or flow.ErrOverloaded has a page of its own.
type Runner interface {
	Step(w http.ResponseWriter, r *http.Request, c flowhttp.Call) (*flow.Result, error)
}

// Visits tells who is there and which flow they need. Its methods read the
// session from the request and may renew cookies on w.
type Visits interface {
	// Person is who is signed in, the anonymous person for nobody.
	Person(w http.ResponseWriter, r *http.Request) (*identity.Person, error)
	// Choose returns the flow of a designation for the person; nil when there
	// is none.
	Choose(w http.ResponseWriter, r *http.Request, d flow.Designation) (*flow.Flow, error)
	// Cancel forgets an execution of this session, all of them when the id is
	// zero. Nothing to forget is no error.
	Cancel(w http.ResponseWriter, r *http.Request, execution uuid.UUID) error
	// Configure starts the flow in which the person sets up what a stage asks
	// for and returns it; nil when the stage has none. A HEAD request starts
	// nothing. The error is a *flow.RefusedError when the flow does not apply.
	Configure(w http.ResponseWriter, r *http.Request, stage uuid.UUID) (*flow.Flow, error)
	// Settings are what the person can change about themselves: the flow that
	// the brand names, and those that set up what stages ask for.
	Settings(w http.ResponseWriter, r *http.Request) ([]Setting, error)
	// Sessions lists where the person is signed in.
	Sessions(w http.ResponseWriter, r *http.Request) ([]Session, error)
	// EndSession ends one session of the person; somebody else's or an
	// unknown one is no error and changes nothing.
	EndSession(w http.ResponseWriter, r *http.Request, id uuid.UUID) error
	// EndImpersonation makes whoever acts as somebody else act for themselves
	// again; nothing to end is no error.
	EndImpersonation(w http.ResponseWriter, r *http.Request) error
	// Whom returns who is signed in by a link with that key, and SignIn uses it:
	// ErrNoLink when there is none that holds.
	Whom(r *http.Request, key string) (*identity.Person, error)
	SignIn(w http.ResponseWriter, r *http.Request, key string) error
}

// Applications decides what people may open; *application.Access does.
type Applications interface {
	// Listed returns what the home page of a person shows, in order.
	Listed(ctx context.Context, p *identity.Person, h *policy.HTTPRequest) ([]*flow.Application, error)
	// Check decides about one application.
	Check(ctx context.Context, app *flow.Application, p *identity.Person, h *policy.HTTPRequest) policy.Result
	// BySlug and ByID return nil when there is none.
	BySlug(slug string) *flow.Application
	ByID(id uuid.UUID) *flow.Application
}

// Setting is a flow that changes something about the person who is signed in.
type Setting struct{ Name, URL string }

// Session is one device where a person is signed in.
type Session struct {
	ID uuid.UUID
	// Current marks the session of this request.
	Current   bool
	UserAgent string
	IP        netip.Addr
	LastUsed  time.Time
}

// Config is what the pages need. All fields without a stated default are
// required.
type Config struct {
	// Origin is the site's own origin, scheme and host, where it is configured;
	// empty means that of each request.
	Origin string
	Runner Runner
	Visits Visits
	// Account is what people look after themselves.
	Account Account
	// Applications are what people open from here.
	Applications Applications
	// Invitations are made and sent on pages of their own.
	Invitations Invitations
	// Inspector shows runs of flows.
	Inspector Inspector
	// Brand returns the brand of the request's host; nil for the built-in one.
	Brand func(r *http.Request) *flow.Brand
	// Footer returns the links below the pages of brands that have none of
	// their own; nil for none. A link without an address is mere text.
	Footer func() []Link
	// Pages are the templates of the stage types, StageType.Pages.
	Pages []fs.FS
	// Texts are what LoadTexts read; nil for the built-in texts alone. See
	// docs/pages.md.
	Texts *Texts
	// Log receives what people are not told; slog.Default when nil.
	Log *slog.Logger
}

// Site serves the pages.
type Site struct {
	Config
	custom   *custom
	catalog  *catalog
	renderer *renderer
	static   *static
	handler  http.Handler

	mu    sync.Mutex
	looks map[uuid.UUID]cachedLook
}

type cachedLook struct {
	brand *flow.Brand
	look  *Look
}

// New parses all templates and texts. An error is a template that cannot be
// made safe or a text that is missing: a broken build of the program, or a file
// of the administrator, which the error names.
func New(c Config) (*Site, error) {
	if c.Log == nil {
		c.Log = slog.Default()
	}
	s := &Site{Config: c, looks: map[uuid.UUID]cachedLook{}}
	var err error
	if c.Texts == nil {
		if c.Texts, err = LoadTexts(nil); err != nil {
			return nil, err
		}
	}
	s.custom, s.catalog = c.Texts.own, c.Texts.catalog
	if s.static, err = loadStatic(staticFiles); err != nil {
		return nil, err
	}
	if s.renderer, err = newRenderer(s.catalog, s.static.address("icons.svg"), c.Pages, s.custom.templates); err != nil {
		return nil, err
	}
	s.handler, err = s.protected(s.routes(), c.Origin)
	return s, err
}

// ServeHTTP answers all addresses that are pages: /, /if/, /flows/,
// /application/, /static/ and /avatar/. Everything else is a page that says so.
func (s *Site) ServeHTTP(w http.ResponseWriter, r *http.Request) { s.handler.ServeHTTP(w, r) }

// protected refuses what another site makes a browser send (rule 5). origin is
// our own where a proxy shows us under another name.
func (s *Site) protected(next http.Handler, origin string) (http.Handler, error) {
	p := http.NewCrossOriginProtection()
	if origin != "" {
		if err := p.AddTrustedOrigin(origin); err != nil {
			return nil, fmt.Errorf("trust our own origin: %w", err)
		}
	}
	p.SetDenyHandler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.Problem(w, r, http.StatusForbidden, "")
	}))
	return p.Handler(next), nil
}

func (s *Site) routes() *http.ServeMux {
	mux := http.NewServeMux()
	route := func(pattern string, h http.HandlerFunc, methods ...string) {
		if slices.Contains(methods, http.MethodGet) {
			methods = append(methods, http.MethodHead)
		}
		mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
			if !slices.Contains(methods, r.Method) {
				w.Header().Set("Allow", strings.Join(methods, ", "))
				s.Problem(w, r, http.StatusMethodNotAllowed, "")
				return
			}
			h(w, r)
		})
	}
	const get, post = http.MethodGet, http.MethodPost
	route("/{$}", s.root, get)
	route("/if/flow/{slug}/{$}", s.flowPage, get, post)
	route("/if/flow/{slug}", addSlash, get)
	route(SignInLinkPath+"{$}", s.signInLink, get, post)
	route(inspectorPath+"{slug}/{$}", s.inspect, get)
	route("/if/user/{$}", s.home, get, post)
	route("/if/user", addSlash, get)
	route(consentsPath+"{$}", s.consents, get, post)
	route(authenticatorsPath+"{$}", s.authenticators, get)
	route(authenticatorsPath+"{authenticator}/name/{$}", s.renameAuthenticator, get, post)
	route(authenticatorsPath+"{authenticator}/remove/{$}", s.removeAuthenticator, get, post)
	route(tokensPath+"{$}", s.tokens, get, post)
	route(newTokenPath+"{$}", s.newToken, get, post)
	route(tokensPath+"{token}/{$}", s.token, get)
	route("/if/user/invitations/{$}", s.listInvitations, get)
	route("/if/user/invitations", addSlash, get)
	route("/if/user/invitations/new/{$}", s.newInvitation, get, post)
	route("/if/user/invitations/{id}/{$}", s.invitation, get, post)
	route("/application/launch/{slug}/{$}", s.launch, get, post)
	route("/application/launch/{slug}", addSlash, get)
	route("/flows/-/default/{designation}/{$}", s.defaultFlow, get, post)
	route("/flows/-/cancel/{$}", s.cancel, get, post)
	route("/flows/-/configure/{stage}/{$}", s.configure, get)
	route("/static/", s.serveStatic, get)
	route("/avatar/{text}", s.serveAvatar, get)
	mux.HandleFunc("/", s.notFound)
	return mux
}

func addSlash(w http.ResponseWriter, r *http.Request) {
	redirect(w, http.StatusPermanentRedirect, withQuery(r.URL.EscapedPath()+"/", r.URL.RawQuery))
}

func withQuery(path, rawQuery string) string {
	if rawQuery == "" {
		return path
	}
	return path + "?" + rawQuery
}

// redirect sends a browser to an address that was checked. It writes no body:
// http.Redirect would clean the path and print the address into a page.
func redirect(w http.ResponseWriter, status int, to string) {
	w.Header().Set("Location", to)
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("Referrer-Policy", "same-origin")
	w.WriteHeader(status)
}

// brand is the brand of the request's host, the built-in one for want of any.
func (s *Site) brand(r *http.Request) *flow.Brand {
	if b := s.Brand(r); b != nil {
		return b
	}
	b := flow.NewBrand()
	return &b
}

// look returns how a brand looks, worked out once for each version of it.
func (s *Site) look(b *flow.Brand) *Look {
	s.mu.Lock()
	defer s.mu.Unlock()
	if c, ok := s.looks[b.ID]; ok && (c.brand == b || reflect.DeepEqual(c.brand, b)) {
		return c.look
	}
	l := newLook(b, s.custom.style)
	s.looks[b.ID] = cachedLook{b, l}
	return l
}

// show writes a page. The caller has filled in what it shows.
func (s *Site) show(w http.ResponseWriter, r *http.Request, status int, name string, p *Page) {
	brand := s.brand(r)
	if p.SignInLink != nil {
		brand = unbranded
	}
	look := s.look(brand)
	p.Brand = look
	if len(look.Links) == 0 && s.Footer != nil {
		p.Brand = look.with(s.Footer())
	}
	p.Assets = Assets{Stylesheet: look.stylesheet.path, Module: s.static.address("flow.js"), Captcha: s.static.address("captcha.js"), Passkey: s.static.address("passkey.js"),
		Duo: s.static.address("duo.js"), Codes: s.static.address("codes.js"), Known: s.static.address("known.js")}
	if p.Layout == "" || !slices.Contains(p.Layout.Choices(), string(p.Layout)) {
		p.Layout = flow.Stacked
	}
	p.Background = look.background(p.Info, brand.DefaultBackground)
	tag := s.catalog.pick(r)
	body, err := s.renderer.render(tag, s.catalog.texts[tag], name, p)
	if body != nil && err != nil {
		s.Log.ErrorContext(r.Context(), "own template failed, the built-in one was shown", slog.String("page", name), slog.Any("error", err))
		err = nil
	}
	if err != nil {
		s.Log.ErrorContext(r.Context(), "page not rendered", slog.String("page", name), slog.Any("error", err))
		http.Error(w, "Something went wrong.", http.StatusInternalServerError)
		return
	}
	protect(w.Header(), pagePolicy(p))
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Content-Language", tag.String())
	w.WriteHeader(status)
	if _, err := w.Write(body); err != nil && r.Context().Err() == nil {
		s.Log.DebugContext(context.WithoutCancel(r.Context()), "page not delivered", slog.Any("error", err))
	}
}
