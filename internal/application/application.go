// Package application decides which applications people may open, for the
// pages and the API alike. Nothing is remembered: every question asks the
// policies again.
package application

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"net/http"
	"slices"
	"strings"

	"github.com/google/uuid"

	"github.com/weir-id/weir/flow"
	"github.com/weir-id/weir/identity"
	"github.com/weir-id/weir/internal/catalog"
	"github.com/weir-id/weir/policy"
)

// Access decides who may open which application. All fields are required.
type Access struct {
	Catalog *catalog.Catalog
	Engine  *policy.Engine
	// Record stores the events that policies ask for and carries out the
	// effects, mails among them.
	Record func(ctx context.Context, p *identity.Person, h *policy.HTTPRequest, events []policy.Event, effects []policy.Effect, mails []policy.Mail) error
	Log    *slog.Logger
}

// Check decides whether a person may open an application. The settings say what
// holds when nothing is bound to it. h is the request that asks; it may be nil.
func (a *Access) Check(ctx context.Context, app *flow.Application, p *identity.Person, h *policy.HTTPRequest) policy.Result {
	if !p.Saved() || !p.Active {
		return policy.Result{Verdict: policy.Fail}
	}
	result := a.evaluate(ctx, a.Catalog.Snapshot(), app, p, h)
	a.record(ctx, p, h, result.Events, result.Effects, result.Mails)
	return result
}

// Open returns those of the applications that a person may open.
func (a *Access) Open(ctx context.Context, apps []*flow.Application, p *identity.Person, h *policy.HTTPRequest) ([]*flow.Application, error) {
	if !p.Saved() || !p.Active {
		return nil, nil
	}
	s := a.Catalog.Snapshot()
	var open []*flow.Application
	var events []policy.Event
	var effects []policy.Effect
	var mails []policy.Mail
	for _, app := range apps {
		result := a.evaluate(ctx, s, app, p, h)
		events, effects = append(events, result.Events...), append(effects, result.Effects...)
		mails = append(mails, result.Mails...)
		if result.Passing() {
			open = append(open, app)
		}
	}
	a.record(ctx, p, h, events, effects, mails)
	// Policies that were cut off say nothing about the person.
	return open, ctx.Err()
}

// Listed returns what the home page of a person shows: the applications that
// they may open, without the hidden ones and those that lead nowhere, by group
// and name.
func (a *Access) Listed(ctx context.Context, p *identity.Person, h *policy.HTTPRequest) ([]*flow.Application, error) {
	var shown []*flow.Application
	for _, o := range a.Catalog.Snapshot().Objects(catalog.KindApplication) {
		if app := o.Doc.(*flow.Application); o.Err == nil && !app.Hide && app.LaunchURL != "" {
			shown = append(shown, app)
		}
	}
	open, err := a.Open(ctx, shown, p, h)
	slices.SortStableFunc(open, func(x, y *flow.Application) int {
		return cmp.Or(strings.Compare(strings.ToLower(x.Group), strings.ToLower(y.Group)), strings.Compare(x.Group, y.Group),
			strings.Compare(strings.ToLower(x.Name), strings.ToLower(y.Name)))
	})
	return open, err
}

// BySlug returns an application by its slug, nil when there is none.
func (a *Access) BySlug(slug string) *flow.Application {
	o, err := a.Catalog.Snapshot().Find(catalog.KindApplication, "", map[string]any{"slug": slug})
	if err != nil || o == nil || o.Err != nil {
		return nil
	}
	return o.Doc.(*flow.Application)
}

// ByID returns an application by its id, nil when there is none.
func (a *Access) ByID(id uuid.UUID) *flow.Application {
	app, ok := a.Catalog.Snapshot().Application(id)
	if !ok {
		return nil
	}
	return app
}

func (a *Access) evaluate(ctx context.Context, s *catalog.Snapshot, app *flow.Application, p *identity.Person, h *policy.HTTPRequest) policy.Result {
	unbound := policy.Fail
	if s.Settings().Flags.DefaultAppAccess {
		unbound = policy.Pass
	}
	result := a.Engine.Evaluate(ctx, policy.Run{Source: s, User: p, HTTP: h, EmptyResult: unbound,
		Context: func() map[string]any { return map[string]any{policy.KeyAssurance: policy.Assured(p.Assurance)} },
		Target:  policy.Target{Kind: "application", ID: app.ID, Name: app.Slug, Mode: app.PolicyEngineMode}})
	if result.Verdict == policy.Error {
		if result.Err == nil {
			result.Err = errors.New("the policies reached no verdict")
		}
		a.Log.WarnContext(ctx, "access to application not decided", slog.String("application", app.Slug), slog.Any("error", result.Err))
	}
	return result
}

func (a *Access) record(ctx context.Context, p *identity.Person, h *policy.HTTPRequest, events []policy.Event, effects []policy.Effect, mails []policy.Mail) {
	if onlyLooks(h) {
		effects, mails = nil, nil
	}
	if len(events) == 0 && len(effects) == 0 && len(mails) == 0 {
		return
	}
	if err := a.Record(ctx, p, h, events, effects, mails); err != nil {
		a.Log.ErrorContext(ctx, "events and effects of policies not stored", slog.Any("error", err))
	}
}

// onlyLooks tells whether a request must change nothing: HEAD, and what another
// site made the browser ask (rule 5).
func onlyLooks(h *policy.HTTPRequest) bool {
	if h == nil {
		return false
	}
	from := http.Header(h.Header).Get("Sec-Fetch-Site")
	return h.Method == http.MethodHead || from == "cross-site" || from == "same-site"
}
