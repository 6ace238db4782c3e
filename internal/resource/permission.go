package resource

import (
	"cmp"
	"context"
	"hash/fnv"
	"slices"
	"strconv"
	"strings"

	"github.com/google/uuid"

	"github.com/weir-id/weir/field"
	"github.com/weir-id/weir/internal/access"
	"github.com/weir-id/weir/internal/store"
)

// Permission is one thing that a role can allow.
type Permission struct {
	ID int64 `json:"id" field:"readonly"`
	// Name is for people, Codename for programs: "view_flow".
	Name     string `json:"name" field:"required,max=255"`
	Codename string `json:"codename" field:"required,max=100"`
	// Model is the name behind the dot: "flow" of "authentik_flows.flow".
	Model      string `json:"model" field:"readonly"`
	App        string `json:"app_label" field:"readonly"`
	AppLabel   string `json:"app_label_verbose" field:"readonly"`
	ModelLabel string `json:"model_verbose" field:"readonly"`
}

// String is the whole name: "authentik_flows.view_flow".
func (p *Permission) String() string { return p.App + "." + p.Codename }

// The permissions that are about the installation and about no object.
const (
	// AccessAdminInterface decides nothing here: interfaces ask for it.
	AccessAdminInterface access.Verb = "access_admin_interface"
	ViewSystemInfo       access.Verb = "view_system_info"
	ViewSystemSettings   access.Verb = "view_system_settings"
	EditSystemSettings   access.Verb = "edit_system_settings"
	ViewMediaFiles       access.Verb = "view_media_files"
	ManageMediaFiles     access.Verb = "manage_media_files"
)

// System stands for the installation where permissions are asked for. It has no
// objects.
var System = &Kind{Model: "authentik_rbac.systempermission", Label: "System permission", Plural: "System permissions",
	Verbs: []access.Verb{AccessAdminInterface, ViewSystemInfo, ViewSystemSettings, EditSystemSettings, ViewMediaFiles, ManageMediaFiles}}

const permissionModel = "auth.permission"

// permission is auth.permission: what roles can allow. It follows from the
// declarations of the kinds and is never written.
type permission struct {
	unwritten
	registry *Registry
}

// Permissions returns all permissions, by app, model and codename.
func (r *Registry) Permissions() []*Permission { return r.permissions }

// Permission returns a permission by "app.codename" or by its codename, nil for
// none.
func (r *Registry) Permission(name string) *Permission {
	app, codename, whole := strings.Cut(name, ".")
	if !whole {
		codename = name
	}
	p := r.byCodename[codename]
	if p == nil || whole && p.App != app {
		return nil
	}
	return p
}

// declarePermissions works out the permissions of all kinds. Grants are stored
// without the app, so each codename belongs to one kind.
func (r *Registry) declarePermissions() {
	r.byCodename = map[string]*Permission{}
	for _, k := range append(slices.Clone(r.order), System) {
		if k.Alias {
			continue
		}
		for _, v := range k.AllVerbs() {
			p := &Permission{Codename: access.Permission(v, k.Name()), Model: k.Name(), App: k.App(), AppLabel: AppLabel(k.App()), ModelLabel: k.Label}
			p.Name = permissionName(v, k.Label)
			p.ID = stableID(p.String())
			if r.byCodename[p.Codename] != nil {
				panic("resource: two kinds have the permission " + p.Codename)
			}
			r.byCodename[p.Codename] = p
			r.permissions = append(r.permissions, p)
		}
	}
	slices.SortFunc(r.permissions, func(a, b *Permission) int {
		return cmp.Or(cmp.Compare(a.App, b.App), cmp.Compare(a.Model, b.Model), cmp.Compare(a.Codename, b.Codename))
	})
}

// permissionName says what a permission allows.
func permissionName(v access.Verb, label string) string {
	words := strings.ReplaceAll(string(v), "_", " ")
	words = strings.ToUpper(words[:1]) + words[1:]
	if strings.Contains(string(v), "_") {
		return words
	}
	return words + " " + label
}

// AppLabel is the name of an app for people: "Stages password" for
// "authentik_stages_password".
func AppLabel(app string) string {
	words := strings.ReplaceAll(strings.TrimPrefix(app, "authentik_"), "_", " ")
	return strings.ToUpper(words[:1]) + words[1:]
}

// stableID is a positive number of 31 bits that is the same in every
// installation. The permissions have no two alike, which a test sees to.
func stableID(name string) int64 {
	h := fnv.New32a()
	_, _ = h.Write([]byte(name)) // never fails
	return int64(h.Sum32() & 0x7fffffff)
}

func permissionKind(r *Registry) *Kind {
	return &Kind{Objects: permission{permissionModel, r}, Model: permissionModel, Label: "Permission", Plural: "Permissions", Path: "rbac/permissions", Param: "id", Key: "id",
		Schema: "Permission", Tag: "rbac", Calls: List | Retrieve,
		Filters: []Filter{{Name: "codename"}, {Name: "content_type__app_label"}, {Name: "content_type__model"}, {Name: "role"}}}
}

// Fields implements Objects.
func (permission) Fields() []field.Spec { return field.Describe(new(Permission)) }

func permissionRef(p *Permission) *Ref {
	return &Ref{Model: permissionModel, Key: p.ID, Name: p.Name, loaded: p}
}

// Find implements Objects.
func (k permission) Find(_ context.Context, _ View, match map[string]any) (*Ref, error) {
	match, ok, err := lookup(permissionModel, match, map[string]matchType{"id": matchNumber, "pk": matchNumber, "codename": matchText})
	if err != nil || !ok {
		return nil, err
	}
	for _, p := range k.registry.permissions {
		agrees := true
		for name, want := range match {
			have := strconv.FormatInt(p.ID, 10)
			if name == "codename" {
				have = p.Codename
			}
			agrees = agrees && have == textOf(want)
		}
		if agrees {
			return permissionRef(p), nil
		}
	}
	return nil, nil
}

// textOf is a value of a look-up as text: numbers may come as text.
func textOf(v any) string {
	if s, ok := v.(string); ok {
		return s
	}
	return text(v)
}

// List implements Objects.
func (k permission) List(ctx context.Context, v View, q *Query) ([]*Ref, int, error) {
	var granted []string
	if role, asked := q.Filters["role"]; asked {
		var err error
		if granted, err = grantedToAll(ctx, v.DB, role.(string)); err != nil {
			return nil, 0, err
		}
	}
	var found []*Permission
	for _, p := range k.registry.permissions {
		if k.agrees(p, q) && (q.Filters["role"] == nil || slices.Contains(granted, p.Codename)) {
			found = append(found, p)
		}
	}
	refs, total := arrange(found, q, orderText, permissionRef)
	return refs, total, nil
}

func (permission) agrees(p *Permission, q *Query) bool {
	if !q.Scope.All && !slices.Contains(q.Scope.IDs, strconv.FormatInt(p.ID, 10)) {
		return false
	}
	for name, have := range map[string]string{"codename": p.Codename, "content_type__app_label": p.App, "content_type__model": p.Model} {
		if want, asked := q.Filters[name]; asked && want != have {
			return false
		}
	}
	all := strings.ToLower(strings.Join([]string{p.Codename, p.Name, p.App, p.AppLabel, p.Model, p.ModelLabel}, "\n"))
	return !slices.ContainsFunc(q.Terms, func(term string) bool { return !strings.Contains(all, strings.ToLower(term)) })
}

func orderText(p *Permission, name string) string {
	switch name {
	case "name":
		return p.Name
	case "codename":
		return p.Codename
	case "model", "content_type__model":
		return p.Model
	case "app_label", "content_type__app_label":
		return p.App
	}
	return ""
}

// grantedToAll are the codenames that a role holds for all objects.
func grantedToAll(ctx context.Context, q store.Querier, role string) ([]string, error) {
	id, err := uuid.Parse(role)
	if err != nil {
		return nil, nil // no role has such a key
	}
	return store.Select(ctx, q, store.Column[string], "select permission from role_grants where role_id = $1 and object_kind = '' order by permission", id)
}

// Read implements Objects.
func (permission) Read(_ context.Context, _ View, refs ...*Ref) ([]map[string]any, error) {
	out := make([]map[string]any, len(refs))
	for i, ref := range refs {
		p, ok := ref.loaded.(*Permission)
		if !ok {
			return nil, ErrGone
		}
		out[i] = field.Encode(p, field.Public)
	}
	return out, nil
}
