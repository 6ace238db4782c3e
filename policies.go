package weir

import (
	"context"
	"errors"
	"slices"

	"github.com/weir-id/weir/field"
	"github.com/weir-id/weir/flow"
	"github.com/weir-id/weir/identity"
	"github.com/weir-id/weir/internal/directory"
	"github.com/weir-id/weir/internal/event"
	"github.com/weir-id/weir/internal/expression"
	"github.com/weir-id/weir/internal/prompt"
	promptstage "github.com/weir-id/weir/internal/stages/prompt"
	"github.com/weir-id/weir/internal/store"
	"github.com/weir-id/weir/policy"
)

// compiler compiles the expressions of this installation.
func (in *Installation) compiler() *expression.Compiler {
	return expression.NewCompiler(expression.Env{
		Users: expressionPeople{in}, Policies: calledPolicies{in}, Settings: storedSettings{in}, InstallID: in.installID, Now: in.now, Logger: in.log.With("component", "expression"),
	})
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

// recordPolicyEvents records what policies asked for outside of a flow, and
// queues their mails.
func (in *Installation) recordPolicyEvents(ctx context.Context, p *identity.Person, h *policy.HTTPRequest, events []policy.Event, mails []policy.Mail) error {
	return in.db.Write(ctx, func(ctx context.Context, tx store.Tx) error {
		for _, e := range events {
			if err := in.events.Record(ctx, tx, event.Event{Action: event.Action(e.Action), App: e.App, Context: e.Context, User: p, HTTP: h}); err != nil {
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

// expressionPeople finds people and groups for expressions. The directory is
// asked for what it can match itself; a search that would have to look at
// everybody is refused.
type expressionPeople struct{ in *Installation }

var errBroadSearch = errors.New("compare username, email, name or pk too, so that not everybody has to be looked at")

// FindUsers implements expression.Users.
func (p expressionPeople) FindUsers(ctx context.Context, q expression.Query) ([]*identity.Person, error) {
	match, rest := split(q)
	if len(match) == 0 {
		return nil, errBroadSearch
	}
	users, err := p.in.people.FindUsers(ctx, p.in.db, match)
	if errors.Is(err, directory.ErrField) {
		return nil, nil // a value that no such field can have
	}
	if err != nil {
		return nil, err
	}
	var out []*identity.Person
	for _, u := range users {
		if holds(rest, userField(&u)) && (q.Limit == 0 || len(out) < q.Limit) {
			out = append(out, p.in.people.NewPerson(u))
		}
	}
	return out, nil
}

// FindGroups implements expression.Users. Groups are few, so all are compared.
func (p expressionPeople) FindGroups(ctx context.Context, q expression.Query) ([]identity.Group, error) {
	groups, err := p.in.people.FindGroups(ctx, p.in.db, nil)
	if err != nil {
		return nil, err
	}
	var out []identity.Group
	for _, g := range groups {
		if expression.MatchGroup(g, q.Where) && (q.Limit == 0 || len(out) < q.Limit) {
			out = append(out, g)
		}
	}
	return out, nil
}

// Authenticators implements expression.Users. No authenticator can be set up
// in this version, so nobody has one.
func (p expressionPeople) Authenticators(context.Context, int64) ([]identity.Authenticator, error) {
	return nil, nil
}

// split separates what the directory matches from what is compared here.
func split(q expression.Query) (map[string]any, []expression.Lookup) {
	match := map[string]any{}
	var rest []expression.Lookup
	for _, l := range q.Where {
		key := l.Field
		folded := l.Op == "iexact" && slices.Contains([]string{"username", "email", "name"}, l.Field)
		if folded {
			key += "__iexact"
		}
		_, taken := match[key]
		if l.Not || taken || len(l.Path) > 0 || l.Value == nil || (l.Op != "exact" && !folded) || l.Field == "attributes" {
			rest = append(rest, l)
			continue
		}
		match[key] = l.Value
	}
	return match, rest
}

func userField(u *identity.User) func(string) any {
	return func(name string) any {
		switch name {
		case "pk":
			return u.ID
		case "uuid":
			return u.UUID.String()
		case "username":
			return u.Username
		case "name":
			return u.Name
		case "email":
			return u.Email
		case "is_active":
			return u.Active
		case "type":
			return string(u.Type)
		case "path":
			return u.Path
		case "attributes":
			return u.Attributes
		}
		return nil
	}
}

// holds tells whether all lookups hold; one that cannot be judged does not.
func holds(lookups []expression.Lookup, get func(string) any) bool {
	for _, l := range lookups {
		have := get(l.Field)
		for _, step := range l.Path {
			m, _ := have.(map[string]any)
			have = m[step]
		}
		if l.Match(have) == l.Not {
			return false
		}
	}
	return true
}
