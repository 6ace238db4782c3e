package weir

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
	"go.yaml.in/yaml/v3"

	"github.com/weir-id/weir/field"
	"github.com/weir-id/weir/flow"
	"github.com/weir-id/weir/identity"
	"github.com/weir-id/weir/internal/access"
	"github.com/weir-id/weir/internal/blueprint"
	"github.com/weir-id/weir/internal/catalog"
	"github.com/weir-id/weir/internal/flowhttp"
	"github.com/weir-id/weir/internal/resource"
	"github.com/weir-id/weir/internal/web"
)

// invitationPages are the invitations of the API for pages: the same kind, and the
// same questions about permissions.
type invitationPages struct {
	*Installation
	runner *flowhttp.Runner
	kind   *resource.Kind
}

var _ web.Invitations = (*invitationPages)(nil)

func (in *Installation) invitationPages(runner *flowhttp.Runner) *invitationPages {
	return &invitationPages{in, runner, in.kinds.Model("authentik_stages_invitation.invitation")}
}

// May implements web.Invitations. Who makes one has to see it afterwards, so both
// permissions are needed for that.
func (v *invitationPages) May(ctx context.Context, p *identity.Person) (see, add bool, err error) {
	scope, err := v.access.Scope(ctx, p, access.View, v.kind.Name())
	if err != nil || scope.Empty() {
		return false, false, err
	}
	if scope.All {
		add, err = v.access.Can(ctx, p, access.Add, v.kind.Name(), "")
	}
	return true, add, err
}

// view is who asks, and what they see.
func (v *invitationPages) view(w http.ResponseWriter, r *http.Request) (*flowhttp.Visit, resource.View, error) {
	visit, err := v.runner.Visit(w, r, uuid.Nil, false)
	if err == nil {
		err = v.catalog.Refresh(r.Context())
	}
	if err != nil {
		return nil, resource.View{}, err
	}
	return visit, resource.View{Config: v.catalog.Snapshot(), DB: v.db, Dialect: v.db.Dialect(), Reader: visit.User}, nil
}

// pageOfInvitations is how many of them a page shows.
const pageOfInvitations = 50

// List implements web.Invitations.
func (v *invitationPages) List(w http.ResponseWriter, r *http.Request, page int) ([]web.Invitation, bool, error) {
	visit, view, err := v.view(w, r)
	if err != nil {
		return nil, false, err
	}
	scope, err := v.access.Scope(r.Context(), visit.User, access.View, v.kind.Name())
	if err != nil || scope.Empty() {
		return nil, false, err
	}
	refs, total, err := v.kind.List(r.Context(), view, &resource.Query{Page: page, Size: pageOfInvitations, Scope: scope})
	if err != nil {
		return nil, false, err
	}
	all, err := v.read(r.Context(), view, refs...)
	return all, page*pageOfInvitations < total, err
}

// read turns invitations into what pages show.
func (v *invitationPages) read(ctx context.Context, view resource.View, refs ...*resource.Ref) ([]web.Invitation, error) {
	objects, err := v.kind.Read(ctx, view, refs...)
	if err != nil {
		return nil, err
	}
	out := make([]web.Invitation, len(objects))
	for n, o := range objects {
		i := &out[n]
		if i.ID, err = uuid.Parse(refs[n].ID()); err != nil {
			return nil, err
		}
		i.Name = refs[n].Name
		i.SingleUse, _ = o["single_use"].(bool)
		if text, ok := o["expires"].(string); ok {
			if i.Expires, err = field.ParseTime(text); err != nil {
				return nil, err
			}
			i.Expired = !i.Expires.After(v.now())
		}
		if data, _ := o["fixed_data"].(map[string]any); len(data) > 0 {
			text, err := yaml.Marshal(data)
			if err != nil {
				return nil, err
			}
			i.Data = string(text)
		}
		if f, ok := o["flow_obj"].(map[string]any); ok {
			slug, _ := f["slug"].(string)
			i.Flow, _ = f["name"].(string)
			link := v.config.Site().JoinPath(resource.InvitationPath(slug)) // which no request has a say in (rule 21)
			link.RawQuery = url.Values{"itoken": {i.ID.String()}}.Encode()
			i.Link, i.Local = link.String(), v.baseURL() == ""
		}
	}
	return out, nil
}

// Flows implements web.Invitations: the enrolment flows with an invitation stage
// that the person may see.
func (v *invitationPages) Flows(w http.ResponseWriter, r *http.Request) ([]web.Option, error) {
	visit, view, err := v.view(w, r)
	if err != nil {
		return nil, err
	}
	return v.flows(r.Context(), visit.User, view.Config)
}

func (v *invitationPages) flows(ctx context.Context, p *identity.Person, s *catalog.Snapshot) ([]web.Option, error) {
	invites := func(b *flow.Binding) bool {
		stage, ok := s.Stage(b.Stage)
		return ok && stage.Type != nil && stage.Type.Name == "invitation"
	}
	var out []web.Option
	for _, f := range s.FlowsFor(flow.Enrollment) {
		if !slices.ContainsFunc(s.Bindings(f.ID), invites) {
			continue
		}
		ok, err := v.access.Can(ctx, p, access.View, "flow", f.ID.String())
		if err != nil {
			return nil, err
		}
		if ok {
			out = append(out, web.Option{Value: f.ID.String(), Label: f.Name})
		}
	}
	slices.SortFunc(out, func(a, b web.Option) int { return strings.Compare(a.Label+a.Value, b.Label+b.Value) })
	return out, nil
}

// Create implements web.Invitations.
func (v *invitationPages) Create(w http.ResponseWriter, r *http.Request, n web.NewInvitation) (uuid.UUID, error) {
	visit, view, err := v.view(w, r)
	if err != nil {
		return uuid.Nil, err
	}
	if _, add, err := v.May(r.Context(), visit.User); err != nil || !add {
		return uuid.Nil, cmp.Or(err, web.ErrForbidden)
	}
	flows, err := v.flows(r.Context(), visit.User, view.Config)
	if err != nil {
		return uuid.Nil, err
	}
	if !slices.ContainsFunc(flows, func(o web.Option) bool { return o.Value == n.Flow }) {
		return uuid.Nil, field.Errorf("flow", field.CodeInvalidChoice, "Choose one of the flows.")
	}
	data := map[string]any{"name": n.Name, "flow": n.Flow, "single_use": n.SingleUse, "expires": nil}
	if n.Expires != nil {
		if !n.Expires.After(v.now()) {
			return uuid.Nil, field.Errorf("expires", field.CodeInvalid, "Enter a time to come.")
		}
		data["expires"] = n.Expires.Format(time.RFC3339)
	}
	if data["fixed_data"], err = fixedData(r.Context(), n.Data); err != nil {
		return uuid.Nil, err
	}
	var ref *resource.Ref
	err = v.write(r, visit, func(ctx context.Context, w *resource.Write) (err error) {
		ref, _, err = v.kind.Create(ctx, w, "", data)
		return err
	})
	if err != nil {
		return uuid.Nil, err
	}
	return uuid.Parse(ref.ID())
}

// fixedData reads what an invitation brings. Its problem is that of the first line
// that has one.
func fixedData(ctx context.Context, text string) (map[string]any, error) {
	data, err := blueprint.Data(ctx, text)
	var problems blueprint.Errors
	if errors.As(err, &problems) {
		p := problems[0]
		return nil, field.Errors{"fixed_data": {{Code: field.CodeInvalid, String: p.Message, Line: p.Line, Column: p.Column}}}
	}
	return data, err
}

// write runs fn in one transaction, for the person of a visit.
func (v *invitationPages) write(r *http.Request, visit *flowhttp.Visit, fn func(ctx context.Context, w *resource.Write) error) error {
	err := v.writeFor(r, visit, fn)
	var forbidden *resource.ForbiddenError
	switch {
	case errors.Is(err, resource.ErrGone):
		return web.ErrNoInvitation
	case errors.As(err, &forbidden):
		return web.ErrForbidden
	}
	return err
}

// one finds an invitation that the person may see.
func (v *invitationPages) one(w http.ResponseWriter, r *http.Request, id uuid.UUID) (*flowhttp.Visit, resource.View, *resource.Ref, error) {
	visit, view, err := v.view(w, r)
	if err != nil {
		return nil, view, nil, err
	}
	if ok, err := v.access.Can(r.Context(), visit.User, access.View, v.kind.Name(), id.String()); err != nil || !ok {
		if err == nil {
			err = web.ErrNoInvitation
			if see, _, asked := v.May(r.Context(), visit.User); asked != nil || !see {
				err = cmp.Or(asked, web.ErrForbidden)
			}
		}
		return nil, view, nil, err
	}
	ref, err := v.kind.Find(r.Context(), view, map[string]any{"pk": id.String()})
	if err == nil && ref == nil {
		err = web.ErrNoInvitation
	}
	return visit, view, ref, err
}

// Find implements web.Invitations.
func (v *invitationPages) Find(w http.ResponseWriter, r *http.Request, id uuid.UUID) (*web.Invitation, error) {
	visit, view, ref, err := v.one(w, r, id)
	if err != nil {
		return nil, err
	}
	found, err := v.read(r.Context(), view, ref)
	if err != nil {
		return nil, err
	}
	i := &found[0]
	if i.MaySend, err = v.access.Can(r.Context(), visit.User, access.Add, v.kind.Name(), ref.ID()); err != nil {
		return nil, err
	}
	i.MaySend = i.MaySend && i.Link != "" && !i.Expired
	i.NoMail = i.Local || !v.mailer.Configured()
	i.MayDelete, err = v.access.Can(r.Context(), visit.User, access.Delete, v.kind.Name(), ref.ID())
	return i, err
}

// act does something with one invitation that needs a permission.
func (v *invitationPages) act(w http.ResponseWriter, r *http.Request, id uuid.UUID, verb access.Verb, do func(ctx context.Context, w *resource.Write, ref *resource.Ref) error) error {
	visit, _, ref, err := v.one(w, r, id)
	if err != nil {
		return err
	}
	if ok, err := v.access.Can(r.Context(), visit.User, verb, v.kind.Name(), ref.ID()); err != nil || !ok {
		return cmp.Or(err, web.ErrForbidden)
	}
	return v.write(r, visit, func(ctx context.Context, w *resource.Write) error { return do(ctx, w, ref) })
}

// Send implements web.Invitations.
func (v *invitationPages) Send(w http.ResponseWriter, r *http.Request, id uuid.UUID, to []string) error {
	m := resource.NewInvitationMail()
	if _, errs := field.Decode(&m, map[string]any{"email_addresses": to}, field.Create); errs != nil {
		return errs
	}
	return v.act(w, r, id, access.Add, func(ctx context.Context, w *resource.Write, ref *resource.Ref) error {
		return v.kinds.MailInvitation(ctx, w, ref, m)
	})
}

// Delete implements web.Invitations.
func (v *invitationPages) Delete(w http.ResponseWriter, r *http.Request, id uuid.UUID) error {
	return v.act(w, r, id, access.Delete, v.kind.Delete)
}
