package weir

import (
	"context"
	"fmt"
	"net"

	"github.com/google/uuid"

	"github.com/weir-id/weir/field"
	"github.com/weir-id/weir/flow"
	"github.com/weir-id/weir/identity"
	"github.com/weir-id/weir/internal/application"
	"github.com/weir-id/weir/internal/catalog"
	"github.com/weir-id/weir/internal/event"
	"github.com/weir-id/weir/internal/expression"
	"github.com/weir-id/weir/internal/outbound"
	"github.com/weir-id/weir/internal/prompt"
	promptstage "github.com/weir-id/weir/internal/stages/prompt"
	"github.com/weir-id/weir/internal/store"
	"github.com/weir-id/weir/policy"
)

// compiler compiles the expressions of this installation. They reach outside
// what the settings list.
func (in *Installation) compiler() (*expression.Compiler, error) {
	env := expression.Env{
		Users: expressionPeople{in}, Policies: calledPolicies{in}, Settings: storedSettings{in}, Objects: storedObjects{in},
		Avatar:    in.avatar,
		Brand:     func(host, name string) (any, bool) { return field.Get(in.catalog.Snapshot().BrandFor(host), name) },
		InstallID: in.installID, Now: in.now, Logger: in.log.With("component", "expression"), Entitlements: in.entitlements,
	}
	hosts, err := outbound.ParseHosts(in.config.Expressions.Hosts)
	if err != nil {
		return nil, fmt.Errorf("hosts for expressions: %w", err)
	}
	if !hosts.Empty() {
		env.HTTP = hosts.Client(nil, nil)
	}
	if in.config.Expressions.DNS {
		env.DNS = net.DefaultResolver
	}
	return expression.NewCompiler(env), nil
}

// previewPrompt fills a prompt in as it would be shown.
func (in *Installation) previewPrompt(ctx context.Context, p *prompt.Prompt, r *policy.Request) (flow.Challenge, error) {
	c, err := promptstage.Preview(ctx, in.expressions, p, r)
	if err != nil {
		return nil, err
	}
	return c, nil
}

// storedSettings are the system settings for expressions.
type storedSettings struct{ in *Installation }

// Setting implements expression.Settings.
func (s storedSettings) Setting(name string) (any, bool) {
	return field.Get(s.in.catalog.Snapshot().Settings(), name)
}

// storedObjects are the flows and applications for expressions.
type storedObjects struct{ in *Installation }

// Objects implements expression.Objects.
func (s storedObjects) Objects(kind string) []map[string]any {
	var out []map[string]any
	for _, o := range s.in.catalog.Snapshot().Objects(kind) {
		if fields := shown(o, kind); fields != nil {
			out = append(out, fields)
		}
	}
	return out
}

// Object implements expression.Objects.
func (s storedObjects) Object(ctx context.Context, kind string, id uuid.UUID) (map[string]any, error) {
	if kind == "invitation" {
		return s.invitation(ctx, id)
	}
	o, ok := s.in.catalog.Snapshot().Get(id)
	if !ok {
		return nil, nil
	}
	return shown(o, kind), nil
}

func (s storedObjects) invitation(ctx context.Context, id uuid.UUID) (map[string]any, error) {
	i, err := s.in.invitations().Valid(ctx, id)
	if i == nil || err != nil {
		return nil, err
	}
	fields := map[string]any{"pk": i.ID.String(), "invite_uuid": i.ID.String(), "name": i.Name, "single_use": i.SingleUse, "fixed_data": i.FixedData,
		"expires": i.Expires, "flow": nil, "created_by": nil}
	if i.Flow != nil {
		fields["flow"] = i.Flow.String()
	}
	if i.CreatedBy != nil {
		by, err := s.in.people.UsersByID(ctx, s.in.db, []int64{*i.CreatedBy})
		if err != nil {
			return nil, err
		}
		for _, u := range by {
			fields["created_by"] = s.in.people.NewPerson(u)
		}
	}
	return fields, nil
}

// shown are the fields of an object that expressions may look at.
func shown(o *catalog.Object, kind string) map[string]any {
	if o.Kind != kind || kind != catalog.KindFlow && kind != catalog.KindApplication || o.Err != nil {
		return nil
	}
	fields := field.Encode(o.Doc, field.Public)
	fields["pk"] = o.ID.String()
	return fields
}

// entitlements are what a person has in an application, for expressions.
func (in *Installation) entitlements(ctx context.Context, p *identity.Person, app uuid.UUID) ([]map[string]any, error) {
	found, err := application.Entitled(ctx, in.catalog.Snapshot(), &policy.Engine{Now: in.now}, p, app)
	var out []map[string]any
	for _, t := range found {
		fields := field.Encode(t, field.Public)
		fields["pk"], fields["pbm_uuid"] = t.ID.String(), t.ID.String()
		out = append(out, fields)
	}
	return out, err
}

// recordAsked does what policies asked for outside of a flow, and queues their
// mails.
func (in *Installation) recordAsked(ctx context.Context, p *identity.Person, h *policy.HTTPRequest, events []policy.Event, effects []policy.Effect, mails []policy.Mail) error {
	return in.db.Write(ctx, func(ctx context.Context, tx store.Tx) error {
		record := func(e policy.Event, about *identity.Person) error {
			return in.events.Record(ctx, tx, event.Event{Action: event.Action(e.Action), App: e.App, Context: e.Context, User: about, HTTP: h})
		}
		for _, e := range effects {
			changed, err := in.people.CarryOut(ctx, tx, e)
			if err != nil {
				return err
			}
			if changed {
				if err := record(e.Event, e.Person); err != nil {
					return err
				}
			}
		}
		for _, e := range events {
			if err := record(e, p); err != nil {
				return err
			}
		}
		for _, m := range mails {
			if err := in.queuePolicyMail(ctx, tx, p, h, m); err != nil {
				return err
			}
		}
		return nil
	})
}

// recordTried records the events of policies that were asked about somebody
// else, which has no effects.
func (in *Installation) recordTried(ctx context.Context, p *identity.Person, h *policy.HTTPRequest, events []policy.Event, _ []policy.Effect, _ []policy.Mail) error {
	if len(events) == 0 {
		return nil
	}
	return in.recordAsked(ctx, p, h, events, nil, nil)
}

// calledPolicies runs policies by name for expressions.
type calledPolicies struct{ in *Installation }

// CallPolicy implements expression.Policies.
func (c calledPolicies) CallPolicy(ctx context.Context, name string, r *policy.Request) (policy.Result, error) {
	o, err := c.in.catalog.Snapshot().Find("policy", "", map[string]any{"name": name})
	if err != nil {
		return policy.Result{}, err
	}
	if o == nil {
		return policy.Result{}, expression.ErrUnknownPolicy
	}
	called, ok := o.Doc.(*policy.Object)
	if !ok {
		return policy.Result{}, expression.ErrUnknownPolicy
	}
	return called.Evaluate(ctx, r, policy.DefaultTimeout), nil
}
