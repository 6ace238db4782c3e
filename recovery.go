package weir

import (
	"context"
	"fmt"
	"net/url"
	"time"

	"github.com/google/uuid"

	"github.com/weir-id/weir/flow"
	"github.com/weir-id/weir/identity"
	"github.com/weir-id/weir/internal/api"
	"github.com/weir-id/weir/internal/event"
	"github.com/weir-id/weir/internal/flowtoken"
	"github.com/weir-id/weir/internal/mail"
	"github.com/weir-id/weir/internal/stages/email"
	"github.com/weir-id/weir/internal/store"
	"github.com/weir-id/weir/policy"
)

// flowConfig is what executors of flows need.
func (in *Installation) flowConfig() flow.Config {
	return flow.Config{
		Catalog: in.view, People: in.people, Store: in.sessions.Executions(), Counter: in.sessions, Consume: in.consumers(), Restore: in.flowTokens.Restore,
		Engine: &policy.Engine{Now: in.now}, Now: in.now, Log: in.log.With("component", "flow"), Avatar: in.avatar,
		ObserveStage: in.metrics.ObserveStage, ObservePlan: in.metrics.ObservePlan,
	}
}

// recovery implements api.Recovery.
type recovery struct {
	in       *Installation
	executor *flow.Executor
}

// Plan implements api.Recovery.
func (r *recovery) Plan(ctx context.Context, p *identity.Person, h *policy.HTTPRequest, b *flow.Brand) (*flow.Flow, *flow.Plan, error) {
	if b == nil || b.Recovery == nil {
		return nil, nil, fmt.Errorf("plan recovery: the brand has no recovery flow: %w", flow.ErrNoFlow)
	}
	f, ok := r.executor.Catalog().Flow(*b.Recovery)
	if !ok {
		return nil, nil, fmt.Errorf("plan recovery: %w", flow.ErrNoFlow)
	}
	plan, err := r.executor.Prepare(ctx, f, flow.RefTo(p), nil, h, b)
	return f, plan, err
}

// Put implements api.Recovery.
func (r *recovery) Put(ctx context.Context, tx store.Tx, key string, n flowtoken.New) error {
	return r.in.flowTokens.Put(ctx, tx, key, n)
}

// Mail implements api.Recovery.
func (r *recovery) Mail(ctx context.Context, stage uuid.UUID, f *flow.Flow, p *identity.Person, h *policy.HTTPRequest, n flowtoken.New) (func(ctx context.Context, tx store.Tx) error, error) {
	var config *email.Config
	if s, ok := r.executor.Catalog().Stage(stage); ok {
		config, _ = s.Config.(*email.Config)
	}
	if config == nil {
		return nil, api.ErrNoEmailStage
	}
	l := config.Letter(p, p.Email, h)
	l.Flow, l.Token, l.Purpose = f, n, mail.Recovery
	ready, err := links{r.in}.Write(ctx, l)
	if err != nil {
		return nil, err
	}
	return func(ctx context.Context, tx store.Tx) error { return ready.Send(ctx, tx) }, nil
}

// RecoveryLink makes a link by which somebody who cannot sign in walks the recovery
// flow of the default brand. It holds once and for so long; a former link of the
// same person ends. The error is ErrNoUser for an unknown name, wraps
// flow.ErrNoFlow when the brand has no recovery flow, and is a *flow.RefusedError
// when that flow does not apply to the person.
func (in *Installation) RecoveryLink(ctx context.Context, username string, holds time.Duration) (string, error) {
	person, err := in.humanByName(ctx, username)
	if err != nil {
		return "", err
	}
	site := in.config.Site()
	r := &recovery{in, flow.NewExecutor(in.flowConfig())}
	f, plan, err := r.Plan(ctx, person, &policy.HTTPRequest{Host: site.Host}, in.view().BrandFor(site.Hostname()))
	if err != nil {
		return "", fmt.Errorf("%w; `weir user sign-in-link %s` makes a link that needs no flow", err, username)
	}
	link, err := in.putLink(ctx, f, flowtoken.ForRecovery(person, plan, in.now().Add(holds)), person, "A recovery link was made.", nil)
	if err != nil {
		return "", fmt.Errorf("make recovery link of %q: %w", username, err)
	}
	return link, nil
}

// putLink stores what a link into a flow stands for, records whom it is for, and
// returns it. In the same transaction may, if there is one, can refuse.
func (in *Installation) putLink(ctx context.Context, f *flow.Flow, t flowtoken.New, p *identity.Person, message string, may func(ctx context.Context, tx store.Tx) error) (string, error) {
	key, err := in.putToken(ctx, t, p, message, may)
	if err != nil {
		return "", err
	}
	link := in.config.Site().JoinPath("if", "flow", f.Slug, "/")
	link.RawQuery = url.Values{flow.ParamFlowToken: {key}}.Encode()
	return link.String(), nil
}

// putToken is putLink for a token of whatever purpose, of which it returns the key.
func (in *Installation) putToken(ctx context.Context, t flowtoken.New, p *identity.Person, message string, may func(ctx context.Context, tx store.Tx) error) (string, error) {
	key := flowtoken.NewKey()
	err := in.db.Write(ctx, func(ctx context.Context, tx store.Tx) error {
		if may != nil {
			if err := may(ctx, tx); err != nil {
				return err
			}
		}
		if err := in.flowTokens.Put(ctx, tx, key, t); err != nil {
			return err
		}
		return in.events.Record(ctx, tx, event.Event{Action: event.SecretView, App: "authentik.commands",
			Context: map[string]any{"secret": event.Model{App: "authentik_core", Model: "user", PK: fmt.Sprint(p.ID), Name: p.Username}, "message": message}})
	})
	return key, err
}
