// Package server is the HTTP side of the program that is the same for pages
// and API: one mux, and around it request ids, access log, metrics, recovery
// from panics, limits, protection against cross-origin writes and the headers
// that every answer carries. It also has the probes. What the site does is in
// the handlers it is given.
package server

import (
	"context"
	"crypto/x509"
	"log/slog"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/weir-id/weir/internal/config"
	"github.com/weir-id/weir/internal/event"
	"github.com/weir-id/weir/internal/request"
	"github.com/weir-id/weir/internal/telemetry"
)

// Config is what a Handler needs.
type Config struct {
	Log     *slog.Logger
	Metrics *telemetry.Metrics
	Proxies *request.Proxies
	// Outpost recognises the tokens of outposts; nil for none.
	Outpost request.OutpostFunc
	// Locate tells what is known of where an address is (see
	// policy.HTTPRequest.Located); nil where nothing can be known.
	Locate func(netip.Addr) map[string]any
	Limits config.Limits
	// Origin is the site's own origin (scheme://host) behind a proxy that
	// changes the Host header; empty when the Host header tells it.
	Origin string
	// Ready returns nil when the site can do its work.
	Ready func(ctx context.Context) error
	// Problem writes an error page for a person.
	Problem func(w http.ResponseWriter, r *http.Request, status int)
	// Raise records what went wrong with a request. Nil for nothing.
	Raise func(r *http.Request, action event.Action, message string)
	// Scrape serves the metrics to whom it may.
	Scrape http.Handler
}

// Handler serves the whole site.
type Handler struct {
	Config
	mux      *http.ServeMux
	next     http.Handler
	requests *gate
	probes   *gate
	stopped  atomic.Bool
}

// The addresses that tell how the program is.
const (
	livePath    = "/-/health/live/"
	readyPath   = "/-/health/ready/"
	metricsPath = "/-/metrics/"
)

// New returns a handler without routes of the site; mount adds them to the mux.
func New(c Config, mount ...func(*http.ServeMux)) (*Handler, error) {
	h := &Handler{Config: c, mux: http.NewServeMux(),
		requests: &gate{places: c.Limits.Requests, share: c.Limits.ClientRequests, full: telemetry.RefusedRequests, clients: map[netip.Prefix]int{}},
		probes:   &gate{places: probePlaces, full: telemetry.RefusedProbes}}
	h.mux.HandleFunc(livePath, h.live)
	h.mux.HandleFunc(readyPath, h.ready)
	h.mux.Handle(metricsPath, c.Scrape)
	for _, m := range mount {
		m(h.mux)
	}
	if h.Raise == nil {
		h.Raise = func(*http.Request, event.Action, string) {}
	}
	guard := http.NewCrossOriginProtection()
	if c.Origin != "" {
		if err := guard.AddTrustedOrigin(c.Origin); err != nil {
			return nil, err
		}
	}
	guard.SetDenyHandler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h.Raise(r, event.SuspiciousRequest, "A request that another site's page made was refused.")
		h.problem(w, r, http.StatusForbidden, "This request came from another site.")
	}))
	h.next = guard.Handler(h.limit(h.mux))
	return h, nil
}

// Stop turns readiness to 503. Everything else goes on being served.
func (h *Handler) Stop() { h.stopped.Store(true) }

// ServeHTTP finds out about the request, answers it, and records it.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	begin := time.Now()
	info := &request.Info{ID: request.NewID(), Origin: h.Proxies.Origin(r)}
	r = r.WithContext(request.With(r.Context(), info))

	head := w.Header()
	head.Set("X-authentik-id", info.ID)
	head.Set("X-Content-Type-Options", "nosniff")
	head.Set("Referrer-Policy", "same-origin")
	out := &answer{ResponseWriter: w}
	h.Metrics.InFlight.Inc()
	defer func() {
		h.Metrics.InFlight.Dec()
		h.Metrics.ObserveRequest(r.Pattern, r.Method, out.status(), time.Since(begin))
		h.record(r, out, time.Since(begin))
	}()
	defer func() {
		if out.code == http.StatusInternalServerError {
			h.Raise(r, event.SystemException, "A request failed. The log has the reason under the id "+info.ID+".")
		}
	}()
	defer h.recover(out, r)
	if g := h.gateOf(r); g != nil {
		from := request.Network(info.Client)
		if reason, ok := g.enter(from); !ok {
			h.busy(out, r, reason)
			return
		}
		defer g.leave(from)
	}
	// Behind the gate, since it may ask the database.
	h.Proxies.Outpost(r, info, h.Outpost)
	info.Certificates = sync.OnceValue(func() []*x509.Certificate { return h.Proxies.Certificates(r, info) })
	if h.Locate != nil {
		info.Located = sync.OnceValue(func() map[string]any { return h.Locate(info.Client) })
	}
	h.next.ServeHTTP(out, r)
}

// record writes the access log. The query is left out: it may hold tokens.
func (h *Handler) record(r *http.Request, out *answer, d time.Duration) {
	level := slog.LevelInfo
	if strings.HasPrefix(r.URL.Path, "/-/") || strings.HasPrefix(r.URL.Path, "/static/") {
		level = slog.LevelDebug
	}
	h.Log.LogAttrs(r.Context(), level, "request", slog.String("method", r.Method), slog.String("path", r.URL.Path),
		slog.Int("status", out.status()), slog.Int64("bytes", out.bytes), slog.Duration("duration", d))
}

// Limits on addresses. Sign-in requests of other protocols travel in queries
// and take some thousand bytes.
const (
	maxURLBytes    = 16 << 10
	maxQueryFields = 1000
)

// limit bounds the address and what is read of a body. Reading further fails
// with *http.MaxBytesError, which handlers answer with 413.
func (h *Handler) limit(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case len(r.RequestURI) > maxURLBytes:
			h.problem(w, r, http.StatusRequestURITooLong, "The address is too long.")
			return
		case strings.Count(r.URL.RawQuery, "&") >= maxQueryFields:
			h.problem(w, r, http.StatusBadRequest, "The query has too many parameters.")
			return
		}
		if r.ContentLength > h.Limits.BodyBytes {
			w.Header().Set("Connection", "close")
			h.problem(w, r, http.StatusRequestEntityTooLarge, "The request body is too large.")
			return
		}
		r.Body = http.MaxBytesReader(w, r.Body, h.Limits.BodyBytes)
		next.ServeHTTP(w, r)
	})
}

// answer remembers status and size.
type answer struct {
	http.ResponseWriter
	code  int
	bytes int64
}

// WriteHeader implements http.ResponseWriter.
func (a *answer) WriteHeader(code int) {
	if a.code == 0 && code >= 200 {
		a.code = code
	}
	a.ResponseWriter.WriteHeader(code)
}

// Write implements http.ResponseWriter.
func (a *answer) Write(b []byte) (int, error) {
	if a.code == 0 {
		a.code = http.StatusOK
	}
	n, err := a.ResponseWriter.Write(b)
	a.bytes += int64(n)
	return n, err
}

// Unwrap lets http.ResponseController reach the connection.
func (a *answer) Unwrap() http.ResponseWriter { return a.ResponseWriter }

func (a *answer) status() int {
	if a.code == 0 {
		return http.StatusOK
	}
	return a.code
}
