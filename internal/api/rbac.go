package api

import (
	"context"
	"net/http"
	"strconv"

	"github.com/weir-id/weir/field"
	"github.com/weir-id/weir/internal/access"
	"github.com/weir-id/weir/internal/resource"
)

// pageParams are the parameters of lists whose objects are of no kind.
var pageParams = []resource.Filter{{Name: "ordering"}, {Name: "page", Type: "integer"}, {Name: "page_size", Type: "integer"}, {Name: "search"}}

// rbacRoutes are the calls about what roles may do. Lists are about the roles
// that the caller may view.
func (a *API) rbacRoutes() []Route {
	role := a.Kinds.Model("authentik_rbac.role")
	assigned := "rbac/permissions/assigned_by_roles/"
	params := func(more ...resource.Filter) []resource.Filter { return append(more, pageParams...) }
	return []Route{
		{http.MethodGet, "rbac/permissions/roles/", onSome(role, access.View), Doc{Call: "list", Query: params(roleParam),
			Answer: pageOfValues(extraRoleObjectPermission{})}, listObjectGrants},
		{http.MethodGet, assigned, onSome(role, access.View), Doc{Call: "list", Query: params(resource.Filter{Name: "model", Required: true}, resource.Filter{Name: "object_pk"}),
			Answer: pageOfValues(roleAssignedObjectPermission{})}, listAssigned},
		{http.MethodPost, assigned + "{uuid}/assign/", onOne(role, resource.AssignRole), Doc{ID: "rbac_permissions_assigned_by_roles_assign",
			Body: valueOf(permissionAssignRequest{}), Answer: listOf(permissionAssignResult{})}, assign},
		{http.MethodPatch, assigned + "{uuid}/unassign/", onOne(role, resource.UnassignRole), Doc{Call: "partial_update",
			Body: valueOf(patchedPermissionAssignRequest{}), OptionalBody: true, Status: http.StatusNoContent}, unassign},
	}
}

var roleParam = resource.Filter{Name: "uuid", Format: "uuid"}

// rolePermission is what all permissions of roles show.
type rolePermission struct {
	ID       int64  `json:"id" field:"readonly"`
	Codename string `json:"codename" field:"readonly"`
	Model    string `json:"model" field:"readonly"`
	AppLabel string `json:"app_label" field:"readonly"`
}

type roleModelPermission struct {
	rolePermission
	Name string `json:"name" field:"readonly"`
}

type roleObjectPermission struct {
	rolePermission
	ObjectPK string `json:"object_pk" field:"required"`
	Name     string `json:"name" field:"readonly"`
}

type extraRoleObjectPermission struct {
	roleObjectPermission
	AppLabelVerbose string `json:"app_label_verbose" field:"readonly"`
	ModelVerbose    string `json:"model_verbose" field:"readonly"`
	// ObjectDescription is the name of the object; null where it is gone or
	// the caller may not view it.
	ObjectDescription *string `json:"object_description" field:"readonly,null"`
}

func modelPermission(p *resource.Permission) roleModelPermission {
	return roleModelPermission{rolePermission{p.ID, p.Codename, p.Model, p.App}, p.Name}
}

func objectPermission(g resource.ObjectGrant) roleObjectPermission {
	out := roleObjectPermission{rolePermission{g.ID, g.Permission.Codename, g.Permission.Model, g.Permission.App}, g.Object, g.Permission.Name}
	if g.Kind != nil {
		out.Model, out.AppLabel = g.Kind.Name(), g.Kind.App()
	}
	return out
}

// listObjectGrants answers with permissions on single objects.
func listObjectGrants(c *call) error {
	v, q, err := c.asked()
	if err != nil || q == nil {
		return err
	}
	role, problem := roleParam.Decode(c.r.URL.Query()[roleParam.Name])
	if problem != nil {
		return field.Errors{roleParam.Name: {*problem}}
	}
	if role != nil {
		q.Filters = map[string]any{"role": role}
	}
	return c.pages(q, func() (any, int, int, error) {
		grants, total, err := c.api.Kinds.ObjectGrants(c.ctx, v, q)
		if err != nil {
			return nil, 0, 0, err
		}
		out := make([]extraRoleObjectPermission, len(grants))
		for i, g := range grants {
			out[i] = extraRoleObjectPermission{roleObjectPermission: objectPermission(g)}
			if g.Kind == nil {
				continue
			}
			out[i].AppLabelVerbose, out[i].ModelVerbose = resource.AppLabel(g.Kind.App()), g.Kind.Label
			if out[i].ObjectDescription, err = c.nameOf(v, g.Kind, g.Object); err != nil {
				return nil, 0, 0, err
			}
		}
		return out, len(out), total, nil
	})
}

// nameOf is the name of an object that the caller may view, nil otherwise.
func (c *call) nameOf(v resource.View, k *resource.Kind, key string) (*string, error) {
	ok, err := c.api.Access.Can(c.ctx, c.visit.User, access.View, k.Name(), key)
	if err != nil || !ok {
		return nil, err
	}
	ref, err := k.Find(c.ctx, v, map[string]any{"pk": key})
	if err != nil || ref == nil {
		return nil, err
	}
	return &ref.Name, nil
}

type roleAssignedObjectPermission struct {
	RolePK            string                 `json:"role_pk" field:"readonly"`
	Name              string                 `json:"name" field:"readonly"`
	ObjectPermissions []roleObjectPermission `json:"object_permissions" field:"required"`
	ModelPermissions  []roleModelPermission  `json:"model_permissions" field:"required"`
}

// listAssigned answers with the roles that may do something with a model, or
// with one object of it.
func listAssigned(c *call) error {
	v, q, err := c.asked()
	if err != nil || q == nil {
		return err
	}
	values := c.r.URL.Query()
	model := values.Get("model")
	if model == "" {
		return field.Errorf("model", field.CodeRequired, "Name a model, such as authentik_flows.flow.")
	}
	return c.pages(q, func() (any, int, int, error) {
		roles, total, err := c.api.Kinds.GrantsFor(c.ctx, v, q, model, values.Get("object_pk"))
		out := make([]roleAssignedObjectPermission, len(roles))
		for i, r := range roles {
			out[i] = roleAssignedObjectPermission{RolePK: r.Role, Name: r.Name, ObjectPermissions: []roleObjectPermission{}, ModelPermissions: []roleModelPermission{}}
			for _, g := range r.Objects {
				out[i].ObjectPermissions = append(out[i].ObjectPermissions, objectPermission(g))
			}
			for _, p := range r.All {
				out[i].ModelPermissions = append(out[i].ModelPermissions, modelPermission(p))
			}
		}
		return out, len(out), total, err
	})
}

// permissionAssignRequest names permissions; Model and ObjectPK narrow them to
// one object.
type permissionAssignRequest struct {
	Permissions []string `json:"permissions" field:"required"`
	Model       string   `json:"model"`
	ObjectPK    string   `json:"object_pk"`
}

type patchedPermissionAssignRequest struct {
	Permissions []string `json:"permissions"`
	Model       string   `json:"model"`
	ObjectPK    string   `json:"object_pk"`
}

func (r permissionAssignRequest) assignment() resource.Assignment {
	return resource.Assignment{Permissions: r.Permissions, Model: r.Model, Object: r.ObjectPK}
}

type permissionAssignResult struct {
	ID string `json:"id" field:"required"`
}

// assign gives a role permissions.
func assign(c *call) error {
	var body permissionAssignRequest
	if err := c.decode(&body); err != nil {
		return err
	}
	var ids []int64
	err := c.write(func(ctx context.Context, w *resource.Write) (err error) {
		ids, err = c.api.Kinds.Assign(ctx, w, c.ref, body.assignment())
		return err
	})
	if err != nil {
		return err
	}
	out := make([]permissionAssignResult, len(ids))
	for i, id := range ids {
		out[i].ID = strconv.FormatInt(id, 10)
	}
	return c.answer(http.StatusOK, out)
}

// unassign takes permissions from a role.
func unassign(c *call) error {
	var body patchedPermissionAssignRequest
	if err := c.decode(&body); err != nil {
		return err
	}
	err := c.write(func(ctx context.Context, w *resource.Write) error {
		return c.api.Kinds.Unassign(ctx, w, c.ref, permissionAssignRequest(body).assignment())
	})
	if err != nil {
		return err
	}
	return c.done()
}
