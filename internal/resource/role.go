package resource

import (
	"context"
	"fmt"
	"strings"

	"github.com/google/uuid"

	"github.com/weir-id/weir/field"
	"github.com/weir-id/weir/internal/access"
	"github.com/weir-id/weir/internal/event"
	"github.com/weir-id/weir/internal/store"
)

// role is authentik_rbac.role: a named set of permissions.
type role struct {
	people
	roles roleSets
	rows  *table[roleSummary]
}

const roleModel = "authentik_rbac.role"

// roleSummary is a role as the API shows it.
type roleSummary struct {
	PK   uuid.UUID `json:"pk" field:"readonly"`
	Name string    `json:"name" field:"required"`
}

type roleData struct {
	Name string `json:"name" field:"required,unique"`
	// Permissions are "<app>.<codename>", added to what the role has.
	Permissions []string `json:"permissions" field:"file"`
}

// roleMembers are the read-only members of a role.
type roleMembers struct {
	PK uuid.UUID `json:"pk"`
}

// maxRoleNameBytes keeps names within what an index of PostgreSQL can hold.
const maxRoleNameBytes = 1024

// Validate keeps the names of the program's own roles free.
func (d *roleData) Validate() field.Errors {
	if len(d.Name) > maxRoleNameBytes {
		return field.Errorf("name", field.CodeMaxLength, "Enter a name of at most %d bytes.", maxRoleNameBytes)
	}
	if strings.HasPrefix(d.Name, ownRolePrefix) {
		return field.Errorf("name", field.CodeInvalid, "Choose another name; those that begin with %s belong to users.", ownRolePrefix)
	}
	return nil
}

// Fields implements Objects.
func (k *role) Fields() []field.Spec {
	return append(readOnly(new(roleMembers)), field.Describe(new(roleData))...)
}

// Find implements Objects.
func (k *role) Find(ctx context.Context, v View, match map[string]any) (*Ref, error) {
	match, ok, err := lookup(roleModel, match, map[string]matchType{"pk": matchUUID, "uuid": matchUUID, "name": matchText, "name__iexact": matchText})
	if err != nil || !ok {
		return nil, err
	}
	s := &statement{dialect: v.Dialect}
	for name, want := range match {
		switch name {
		case "pk", "uuid":
			s.where("r.id = ?", uuid.MustParse(fmt.Sprint(want))) // lookup has seen that it is one
		case "name":
			s.where("r.name = ?", want)
		default:
			s.where("lower(r.name) = ?", strings.ToLower(want.(string)))
		}
	}
	found, err := store.Select(ctx, v.DB, k.rows.scan, "select r.id, r.name from roles r"+s.condition()+" order by r.name limit 1", s.args...)
	if err != nil {
		return nil, fmt.Errorf("find role: %w", err)
	}
	if len(found) == 0 {
		return nil, nil
	}
	return roleRef(&found[0]), nil
}

func roleRef(r *roleSummary) *Ref { return &Ref{Model: roleModel, Key: r.PK.String(), Name: r.Name} }

// List implements Objects.
func (k *role) List(ctx context.Context, v View, q *Query) ([]*Ref, int, error) {
	// The parameter inherited changes what the other two mean.
	inherited := q.Filters["inherited"] == true
	filters := map[string]any{}
	for name, want := range q.Filters {
		switch {
		case name == "inherited":
		case inherited && (name == "users" || name == "groups"):
			filters[name+"__inherited"] = want
		default:
			filters[name] = want
		}
	}
	narrowed := *q
	narrowed.Filters = filters
	rows, total, err := k.rows.list(ctx, v, &narrowed)
	refs := make([]*Ref, len(rows))
	for i := range rows {
		refs[i] = roleRef(&rows[i])
	}
	return refs, total, err
}

func rolesTable() *table[roleSummary] {
	const aboveGroup = `with recursive up (id) as (select id from groups where id = ? union select gp.parent_id from group_parents gp join up on gp.group_id = up.id)`
	const aboveUser = `with recursive up (id) as (select group_id from group_members where user_id = ? union select gp.parent_id from group_parents gp join up on gp.group_id = up.id)`
	return &table[roleSummary]{
		from: "roles r", columns: "r.id, r.name", key: "r.id",
		scan: func(row store.Row) (roleSummary, error) {
			var r roleSummary
			err := row.Scan(&r.PK, &r.Name)
			return r, err
		},
		order:    map[string]string{"pk": "r.id", "name": "r.name"},
		fallback: "r.name, r.id",
		search:   mentions("r.name"),
		filters: map[string]func(*statement, any){
			"name": equals("r.name"),
			"users": func(s *statement, want any) {
				s.where("r.id in (select ru.role_id from role_users ru where ru.user_id = ?)", want)
			},
			"groups": func(s *statement, want any) {
				s.where("r.id in (select rg.role_id from role_groups rg where rg.group_id = ?)", want)
			},
			"users__inherited": func(s *statement, want any) {
				s.where("r.id in (select ru.role_id from role_users ru where ru.user_id = ?) or r.id in ("+aboveUser+
					" select rg.role_id from role_groups rg join up on up.id = rg.group_id)", want, want)
			},
			"groups__inherited": func(s *statement, want any) {
				s.where("r.id in ("+aboveGroup+" select rg.role_id from role_groups rg join up on up.id = rg.group_id)", want)
			},
			// The program manages the roles of single users.
			"managed": func(s *statement, want any) {
				s.terms = append(s.terms, "r.name like '"+ownRolePrefix+"%' and r.name in "+s.in(want.([]any)))
			},
			"managed__isnull": func(s *statement, want any) {
				if want == true {
					s.where("r.name not like '" + ownRolePrefix + "%'")
					return
				}
				s.where("r.name like '" + ownRolePrefix + "%'")
			},
		},
	}
}

func roleFilters() []Filter {
	return []Filter{{Name: "groups", Format: "uuid"}, {Name: "inherited", Type: "boolean"}, {Name: "managed", Many: true},
		{Name: "managed__isnull", Type: "boolean"}, {Name: "name"}, {Name: "users", Type: "integer"}}
}

// free refuses a name that another role has.
func (k *role) free(ctx context.Context, q store.Querier, name string, except uuid.UUID) error {
	taken, err := store.Select(ctx, q, store.Column[uuid.UUID], "select id from roles where name = $1 and id <> $2", name, except)
	if err != nil {
		return fmt.Errorf("look for role name: %w", err)
	}
	if len(taken) > 0 {
		return field.Errorf("name", field.CodeUnique, "Choose another value; a role with this name exists.")
	}
	return nil
}

// Create implements Objects.
func (k *role) Create(ctx context.Context, w *Write, pk string, data map[string]any) (*Ref, []string, error) {
	var d roleData
	unknown, errs := field.Decode(&d, data, field.Create)
	if errs != nil {
		return nil, unknown, errs
	}
	r := roleSummary{PK: uuid.New(), Name: d.Name}
	if pk != "" {
		var err error
		if r.PK, err = uuid.Parse(pk); err != nil {
			return nil, unknown, field.Errorf("pk", field.CodeInvalid, "Give the key as a UUID; %q is none.", pk)
		}
		if known, err := k.Find(ctx, w.View(), map[string]any{"pk": pk}); err != nil || known != nil {
			if err == nil {
				err = field.Errorf("pk", field.CodeUnique, "Choose another key; this one is taken.")
			}
			return nil, unknown, err
		}
	}
	if err := k.free(ctx, w.Store(), r.Name, r.PK); err != nil {
		return nil, unknown, err
	}
	if _, err := w.Store().Exec(ctx, "insert into roles (id, name) values ($1, $2)", r.PK, r.Name); err != nil {
		return nil, unknown, fmt.Errorf("create role %q: %w", r.Name, err)
	}
	if _, err := k.permit(ctx, w, r.PK, d.Permissions); err != nil {
		return nil, unknown, err
	}
	ref := roleRef(&r)
	return ref, strangeTo(k.Fields(), unknown), k.record(ctx, w, event.ModelCreated, ref)
}

// permit adds permissions for all objects, and tells whether one is new.
func (k *role) permit(ctx context.Context, w *Write, id uuid.UUID, permissions []string) (bool, error) {
	added := false
	for _, p := range permissions {
		name, err := splitPermission(p)
		if err != nil {
			return false, err
		}
		if err := mayGrant(ctx, w, name, "", ""); err != nil {
			return false, err
		}
		var n int
		if err := w.Store().QueryRow(ctx, "select count(*) from role_grants where role_id = $1 and permission = $2 and object_kind = ''", id, name).Scan(&n); err != nil {
			return false, fmt.Errorf("read grants of role %s: %w", id, err)
		}
		if n > 0 {
			continue
		}
		added = true
		if err := k.access.Grant(ctx, w.Store(), access.Grant{Role: id, Permission: name}); err != nil {
			return false, err
		}
	}
	return added, nil
}

// Update implements Objects.
func (k *role) Update(ctx context.Context, w *Write, ref *Ref, data map[string]any, mode field.Mode) (changed, unknown []string, err error) {
	before := roleData{Name: ref.Name}
	after := before
	unknown, errs := field.Decode(&after, data, mode)
	if errs != nil {
		return nil, unknown, errs
	}
	id, err := uuid.Parse(ref.ID())
	if err != nil {
		return nil, unknown, fmt.Errorf("change role %v: %w", ref.Key, err)
	}
	if after.Name != before.Name {
		if err := k.free(ctx, w.Store(), after.Name, id); err != nil {
			return nil, unknown, err
		}
		n, err := w.Store().Exec(ctx, "update roles set name = $2 where id = $1", id, after.Name)
		if err == nil && n == 0 {
			err = ErrGone
		}
		if err != nil {
			return nil, unknown, fmt.Errorf("change role %q: %w", before.Name, err)
		}
		ref.Name = after.Name
		changed = append(changed, "name")
	}
	added, err := k.permit(ctx, w, id, after.Permissions)
	if err != nil {
		return nil, unknown, err
	}
	if added {
		changed = append(changed, "permissions")
	}
	return changed, strangeTo(k.Fields(), unknown), k.changedNote(ctx, w, ref, changed)
}

// Check implements Objects.
func (k *role) Check(_ context.Context, _ *Write, ref *Ref, data map[string]any) error {
	d := roleData{Name: ref.Name}
	_, errs := field.Decode(&d, data, field.Update)
	return errs.Err()
}

// Delete implements Objects.
func (k *role) Delete(ctx context.Context, w *Write, ref *Ref) error {
	if strings.HasPrefix(ref.Name, ownRolePrefix) {
		return &ForbiddenError{"This role belongs to a user and goes with that user."}
	}
	n, err := w.Store().Exec(ctx, "delete from roles where id = $1", ref.ID())
	if err == nil && n == 0 {
		err = ErrGone
	}
	if err != nil {
		return fmt.Errorf("delete role %q: %w", ref.Name, err)
	}
	return k.record(ctx, w, event.ModelDeleted, ref)
}

// Read implements Objects.
func (k *role) Read(ctx context.Context, v View, refs ...*Ref) ([]map[string]any, error) {
	out := make([]map[string]any, len(refs))
	for i, ref := range refs {
		now, err := k.Find(ctx, v, map[string]any{"pk": ref.ID()})
		if err != nil {
			return nil, err
		}
		if now == nil {
			return nil, fmt.Errorf("read role %s: %w", ref.ID(), ErrGone)
		}
		out[i] = map[string]any{"pk": now.ID(), "name": now.Name}
	}
	return out, nil
}

// UsedBy implements Objects. What a role grants goes with it and is no object.
func (k *role) UsedBy(ctx context.Context, v View, ref *Ref) ([]Use, error) {
	uses, err := store.Select(ctx, v.DB, func(row store.Row) (Use, error) {
		u := Use{Model: initialModel, Action: field.Cascade}
		err := row.Scan(&u.Key, &u.Name)
		return u, err
	}, "select cast(id as text), name from initial_permissions where role_id = $1 order by name", ref.ID())
	if err != nil {
		return nil, fmt.Errorf("read uses of role %s: %w", ref.ID(), err)
	}
	return append([]Use{}, uses...), nil
}

// SetRole gives a user a role, or takes it away.
func (r *Registry) SetRole(ctx context.Context, w *Write, ref *Ref, user int64, has bool) error {
	k := r.role
	id, err := uuid.Parse(ref.ID())
	if err != nil {
		return fmt.Errorf("change role %v: %w", ref.Key, err)
	}
	if strings.HasPrefix(ref.Name, ownRolePrefix) {
		return &ForbiddenError{"This role belongs to one user."}
	}
	ok, err := k.directory.Exists(ctx, w.Store(), "user", fmt.Sprint(user))
	if err != nil {
		return err
	}
	if !ok {
		return fmt.Errorf("user %d: %w", user, ErrGone)
	}
	if err := k.mayGive(ctx, w, id); err != nil {
		return err
	}
	if has {
		err = k.access.AddUser(ctx, w.Store(), id, user)
	} else {
		err = k.access.RemoveUser(ctx, w.Store(), id, user)
	}
	if err != nil {
		return err
	}
	return k.record(ctx, w, event.ModelUpdated, ref)
}

// splitPermission returns the codename of "<app>.<codename>".
func splitPermission(p string) (string, error) {
	app, name, ok := strings.Cut(p, ".")
	if !ok || app != "auth" && !strings.HasPrefix(app, "authentik_") || !codename.MatchString(name) {
		return "", field.Errorf("permissions", field.CodeInvalid, "Write a permission as app and codename, such as authentik_flows.view_flow, not %q.", p)
	}
	return name, nil
}
