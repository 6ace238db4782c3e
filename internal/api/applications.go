package api

import (
	"context"
	"errors"
	"math"
	"net/http"

	"github.com/weir-id/weir/field"
	"github.com/weir-id/weir/flow"
	"github.com/weir-id/weir/identity"
	"github.com/weir-id/weir/internal/access"
	"github.com/weir-id/weir/internal/catalog"
	"github.com/weir-id/weir/internal/request"
	"github.com/weir-id/weir/internal/resource"
	"github.com/weir-id/weir/policy"
)

// Applications decides who may open what; *application.Access does.
type Applications interface {
	// Check decides about one application.
	Check(ctx context.Context, app *flow.Application, p *identity.Person, h *policy.HTTPRequest) policy.Result
	// Open returns those that the person may open.
	Open(ctx context.Context, apps []*flow.Application, p *identity.Person, h *policy.HTTPRequest) ([]*flow.Application, error)
}

// The parameters of applications that are no fields.
var (
	forUser       = resource.Filter{Name: "for_user", Type: "integer"}
	withLaunchURL = resource.Filter{Name: "only_with_launch_url", Type: "boolean"}
	fullList      = resource.Filter{Name: "superuser_full_list", Type: "boolean"}
)

// applicationRoutes list and check applications by what people may open. The
// guard is that somebody is signed in; policies decide the rest.
func (a *API) applicationRoutes() []Route {
	k := a.Kinds.Model("authentik_core.application")
	list := Doc{Call: "list", Lists: k, Answer: pageOf(k), Query: []resource.Filter{forUser, withLaunchURL, fullList}}
	check := Doc{Call: "retrieve", Query: []resource.Filter{forUser}, Answer: valueOf(policyTestResult{})}
	return []Route{
		{http.MethodGet, "core/applications/", signedIn, list, func(c *call) error { c.kind = k; return listApplications(c) }},
		{http.MethodGet, "core/applications/{slug}/check_access/", signedIn, check, func(c *call) error { c.kind = k; return checkAccess(c) }},
	}
}

// listApplications answers with the applications that the caller, or the person
// named by for_user, may open; with all of them to whoever asks for that and
// may see all.
func listApplications(c *call) error {
	v, err := c.view()
	if err != nil {
		return err
	}
	// The policies decide, not who may see the objects.
	c.scope = access.Scope{All: true}
	q, err := c.query(&v)
	if err != nil || q == nil {
		return err
	}
	launchable, err := c.flag(withLaunchURL)
	if err != nil {
		return err
	}
	everything, err := c.flag(fullList)
	if err != nil {
		return err
	}
	person, answered, err := c.forUser()
	if err != nil || answered {
		return err
	}
	if everything {
		if everything, err = c.api.Access.Can(c.ctx, c.visit.User, access.View, c.kind.Name(), ""); err != nil {
			return err
		}
	}
	all := *q
	all.Page, all.Size = 1, math.MaxInt32
	refs, _, err := c.kind.List(c.ctx, v, &all)
	if err != nil {
		return err
	}
	if refs, err = c.openApplications(v, refs, person, launchable, everything); err != nil {
		return err
	}
	part := func() ([]*resource.Ref, int, error) {
		from := min((q.Page-1)*q.Size, len(refs))
		return refs[from:min(from+q.Size, len(refs))], len(refs), nil
	}
	here, total, _ := part()
	return c.page(v, q, here, total, part)
}

// openApplications keeps the references to applications that the person may
// open, unless everything is asked for.
func (c *call) openApplications(v resource.View, refs []*resource.Ref, person *identity.Person, launchable, everything bool) ([]*resource.Ref, error) {
	var apps []*flow.Application
	byID := map[string]*resource.Ref{}
	for _, ref := range refs {
		o := applicationOf(v.Config, ref)
		if o == nil || launchable && o.Doc.(*flow.Application).LaunchURL == "" {
			continue
		}
		// One that cannot be read is shown to those who can repair it.
		if everything || o.Err == nil {
			app := o.Doc.(*flow.Application)
			apps, byID[app.ID.String()] = append(apps, app), ref
		}
	}
	if !everything {
		var err error
		if apps, err = c.applications(person).Open(c.ctx, apps, person, request.Policy(c.r, c.r.URL.Query())); err != nil {
			return nil, err
		}
	}
	kept := make([]*resource.Ref, len(apps))
	for i, app := range apps {
		kept[i] = byID[app.ID.String()]
	}
	return kept, nil
}

func applicationOf(s *catalog.Snapshot, ref *resource.Ref) *catalog.Object {
	found, err := s.Find(catalog.KindApplication, "", map[string]any{"pk": ref.Key})
	if err != nil {
		return nil
	}
	return found
}

// flag reads a parameter that is true or false.
func (c *call) flag(f resource.Filter) (bool, error) {
	v, problem := f.Decode(c.r.URL.Query()[f.Name])
	if problem != nil {
		return false, field.Errors{f.Name: {*problem}}
	}
	set, _ := v.(bool)
	return set, nil
}

// forUser is the person that the call is about: the caller, or the one that the
// parameter names to somebody who may see them. answered tells that the call
// has been refused.
func (c *call) forUser() (p *identity.Person, answered bool, err error) {
	v, problem := forUser.Decode(c.r.URL.Query()[forUser.Name])
	if problem != nil {
		return nil, false, field.Errors{forUser.Name: {*problem}}
	}
	id, given := v.(int64)
	if !given || id == c.visit.User.ID {
		return c.visit.User, false, nil
	}
	user := c.api.Kinds.Model("authentik_core.user")
	ok, err := c.api.Access.Can(c.ctx, c.visit.User, access.View, user.Name(), (&resource.Ref{Key: id}).ID())
	if err != nil {
		return nil, false, err
	}
	if !ok {
		refuse(c.w, http.StatusForbidden, textDenied)
		return nil, true, nil
	}
	p, err = c.api.Person(c.ctx, id)
	if errors.Is(err, flow.ErrNoPerson) {
		return nil, false, field.Errorf(forUser.Name, field.CodeDoesNotExist, "Name a user that exists; %d does not.", id)
	}
	return p, false, err
}

// applications decides about the person that the call is about.
func (c *call) applications(person *identity.Person) Applications {
	if person.ID == c.visit.User.ID {
		return c.api.Applications
	}
	return c.api.Tried
}

// checkAccess answers whether a person may open an application. How the single
// policies decided is for superusers.
func checkAccess(c *call) error {
	v, err := c.view()
	if err != nil {
		return err
	}
	person, answered, err := c.forUser()
	if err != nil || answered {
		return err
	}
	ref, err := c.kind.Find(c.ctx, v, map[string]any{"slug": c.r.PathValue("slug")})
	if err != nil {
		return err
	}
	if ref == nil {
		return resource.ErrGone
	}
	o := applicationOf(v.Config, ref)
	if o == nil || o.Err != nil {
		return c.answer(http.StatusOK, policyTestResult{Messages: []string{}, LogMessages: []logEvent{}})
	}
	result := c.applications(person).Check(c.ctx, o.Doc.(*flow.Application), person, request.Policy(c.r, c.r.URL.Query()))
	out := policyTestResult{Passing: result.Passing(), Messages: append([]string{}, result.Messages...), LogMessages: []logEvent{}}
	super, err := c.visit.User.Superuser(c.ctx)
	if err != nil {
		return err
	}
	if super {
		for _, source := range result.Sources {
			out.LogMessages = append(out.LogMessages, c.logPolicy(v.Config, source))
		}
	}
	return c.answer(http.StatusOK, out)
}

// logPolicy says how one policy, or the groups and users together, decided.
func (c *call) logPolicy(s *catalog.Snapshot, r policy.Result) logEvent {
	name := "groups and users"
	if r.Binding != nil && r.Binding.Policy != nil {
		name = r.Binding.Policy.String()
		if p, ok := s.Policy(*r.Binding.Policy); ok {
			name = p.Name
		}
	}
	e := logEvent{Timestamp: c.api.Now().UTC(), Level: logInfo, Logger: "weir.policy", Event: name + ": " + r.Verdict.String(),
		Attributes: map[string]any{"messages": append([]string{}, r.Messages...)}}
	if r.Err != nil {
		e.Level = logWarning
		e.Attributes["error"] = r.Err.Error()
	}
	return e
}
