// Package weir is an identity flow engine as a library: people sign in and out,
// enrol and recover their accounts by walking through flows that are made of
// stages and decided by policies. Open gives a Server, an http.Handler with the
// pages and the JSON API; the command cmd/weir puts it behind a port.
//
// Everything an embedding program touches is here and in the packages flow,
// policy, identity and field. How the parts work together is told by
// docs/architecture.md.
package weir

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"runtime/debug"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/weir-id/weir/flow"
	"github.com/weir-id/weir/internal/api"
	"github.com/weir-id/weir/internal/application"
	"github.com/weir-id/weir/internal/event"
	"github.com/weir-id/weir/internal/flowhttp"
	"github.com/weir-id/weir/internal/request"
	"github.com/weir-id/weir/internal/resource"
	"github.com/weir-id/weir/internal/server"
	"github.com/weir-id/weir/internal/web"
	"github.com/weir-id/weir/policy"
)

// Version is the version of the program. Releases set it when they link.
var Version = "dev"

// catalogPoll is how often a node looks for configuration that others wrote,
// besides being told: notifications can be lost.
const catalogPoll = 10 * time.Second

// Server serves the pages and the API of one installation.
type Server struct {
	*Installation
	handler *server.Handler
	api     *api.API
	// keyFiles hold the certificate that TLS is served with; nil for none.
	keyFiles *server.KeyFiles

	stop       context.CancelFunc
	background sync.WaitGroup
	stopJobs   func(context.Context) error
}

// Open connects to the installation, sets it up at the first start, and begins
// the work in the background. The caller closes the server.
func Open(ctx context.Context, cfg Config) (*Server, error) {
	in, err := Connect(ctx, cfg)
	if err != nil {
		return nil, err
	}
	s := &Server{Installation: in}
	if err := s.start(ctx); err != nil {
		return nil, errors.Join(err, s.Close(context.WithoutCancel(ctx)))
	}
	return s, nil
}

func (s *Server) start(ctx context.Context) error {
	if err := s.openTLS(); err != nil {
		return err
	}
	if err := s.geoip.Open(ctx); err != nil {
		return err
	}
	if err := s.setUp(ctx); err != nil {
		return err
	}
	// Another node may have set it up since the configuration was loaded.
	if err := s.catalog.Refresh(ctx); err != nil {
		return err
	}
	if err := s.announceSetup(ctx); err != nil {
		return err
	}
	if err := s.recordVersion(ctx, Version); err != nil {
		return err
	}
	if err := s.assemble(); err != nil {
		return err
	}
	background, stop := context.WithCancel(context.WithoutCancel(ctx))
	s.stop = stop
	var err error
	s.jobs.Clean(s.db, s.now)
	s.mailer.Handle(s.jobs)
	s.jobs.TrimPasswords(s.people.TrimHistory)
	s.jobs.ForgetConfiguration(s.forgetConfiguration)
	if s.stopJobs, err = s.jobs.Start(background); err != nil {
		return err
	}
	s.background.Go(func() { s.catalog.Watch(background, catalogPoll) })
	s.background.Go(func() { giveBack(background) })
	s.background.Go(func() { s.checkMail(background) })
	s.background.Go(func() { s.geoip.Watch(background, folderPoll) })
	if s.config.Blueprints != "" {
		return s.watchBlueprints(background)
	}
	return nil
}

// recordVersion notes that a version of the program serves the database.
func (s *Server) recordVersion(ctx context.Context, version string) error {
	v := api.Served(version)
	v.Started = s.now()
	return resource.RecordVersion(ctx, s.db, v)
}

// settled is when a server has come to rest after its start.
const settled = 5 * time.Second

// giveBack returns to the system the memory that the start took: several times
// of what the server then needs.
func giveBack(ctx context.Context) {
	timer := time.NewTimer(settled)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
		debug.FreeOSMemory()
	}
}

// assemble builds the handler over the parts of the installation.
func (s *Server) assemble() error {
	alarm := &event.Alarm{DB: s.db, Events: s.events, Log: s.log.With("component", "event")}
	raise := func(r *http.Request, action event.Action, message string) {
		alarm.Raise(r.Context(), action, request.Policy(r, nil), message)
	}
	flows, inspectors := s.flowConfig(), s.inspectors()
	flows.Inspect = inspectors.Record
	flows.Failed = func(ctx context.Context, h *policy.HTTPRequest, message string) {
		alarm.Raise(ctx, event.SystemException, h, message)
	}
	executor := flow.NewExecutor(flows)
	runner := flowhttp.New(flowhttp.Config{Sessions: s.sessions, Executor: executor, Raise: raise, Repeated: s.metrics.Repeats.Inc, Now: s.now})
	visits := &visits{runner: runner, sessions: s.sessions, catalog: s.catalog, people: s.people, tokens: s.flowTokens}
	applications := &application.Access{Catalog: s.catalog, Engine: &policy.Engine{Now: s.now}, Record: s.recordAsked, Log: s.log.With("component", "application")}
	tried := *applications
	tried.Record = s.recordTried
	origin := s.baseURL() // which has no path
	site, err := web.New(web.Config{Origin: origin, Runner: runner, Visits: visits, Account: &account{s.Installation, runner}, Applications: applications, Invitations: s.invitationPages(runner), Inspector: &inspectorPages{inspectors, runner}, Brand: runner.Brand, Footer: s.footer,
		Pages: s.pages(), Texts: s.texts, Log: s.log.With("component", "web")})
	if err != nil {
		return fmt.Errorf("make pages: %w", err)
	}
	problem := func(w http.ResponseWriter, r *http.Request, status int) {
		site.Problem(w, r, status, w.Header().Get("X-authentik-id"))
	}
	importer, err := s.importer()
	if err != nil {
		return err
	}
	if err := s.openMedia(); err != nil {
		return err
	}
	s.api = api.New(api.Config{
		Runner: runner, Start: runner.Start, Startable: runner.Startable, Catalog: s.catalog, DB: s.db, Kinds: s.kinds, Access: s.access, Stages: s.stageTypes, Policies: s.policyList,
		Exporter: s.exporter(), Blueprints: importer, History: s.history, Drift: s.drift, Applications: applications, Tried: &tried, Notifications: s.notifications, Person: s.people.Person, Roles: s.rolesOf, Avatar: s.avatar,
		Passwords: s.people, Recovery: &recovery{s.Installation, executor}, Mails: s.mails, Files: s.media, Impersonation: s.sessions, Traces: s.sessions, Plans: s.sessions, Duo: &s.duo, Preview: s.previewPrompt, InstallID: s.installID, Version: Version, BaseURL: s.baseURL(), Capabilities: s.capabilities(), Problem: problem, Browse: site.Reference,
		Log: s.log.With("component", "api"), Now: s.now,
	})
	s.handler, err = server.New(server.Config{
		Log: s.log, Metrics: s.metrics, Limits: s.config.Limits, Origin: origin, Ready: s.ready, Problem: problem, Raise: raise,
		Proxies: &request.Proxies{Trusted: s.config.TrustedProxies, CertificateHeader: s.config.CertificateHeader, Log: s.log},
		Outpost: s.sessions.Outpost,
		Locate:  s.locate(),
		Scrape:  scrape(s.registry, runner),
	}, s.api.Mount, func(mux *http.ServeMux) { mux.Handle("GET /media/", s.media); mux.Handle("/", site) })
	return err
}

// ServeHTTP answers one request.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) { s.handler.ServeHTTP(w, r) }

// Metrics gathers the measurements of this server.
func (s *Server) Metrics() prometheus.Gatherer { return s.registry }

// Stop makes the readiness probe answer 503, so that no new requests are sent
// here. Everything is still served.
func (s *Server) Stop() { s.handler.Stop() }

// Close ends the work in the background and closes the database. Jobs under way
// may finish until ctx ends. No request may be under way.
func (s *Server) Close(ctx context.Context) error {
	var err error
	if s.stopJobs != nil {
		err = s.stopJobs(ctx)
	}
	if s.stop != nil {
		s.stop()
	}
	s.background.Wait()
	return errors.Join(err, s.Installation.Close())
}

// ready returns nil when the database answers and there is a configuration.
func (s *Server) ready(ctx context.Context) error {
	if err := s.db.Ping(ctx); err != nil {
		return fmt.Errorf("database: %w", err)
	}
	if s.catalog.Snapshot().Revision() == 0 {
		return errors.New("no configuration has been loaded")
	}
	return nil
}
