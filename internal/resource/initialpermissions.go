package resource

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"

	"github.com/google/uuid"

	"github.com/weir-id/weir/field"
	"github.com/weir-id/weir/internal/access"
	"github.com/weir-id/weir/internal/event"
	"github.com/weir-id/weir/internal/store"
)

// initialPermissions is authentik_rbac.initialpermissions: what a role gets on
// each object that one of its members makes.
type initialPermissions struct {
	*made[initialRow]
	registry *Registry
	roles    roleSets
}

const initialModel = "authentik_rbac.initialpermissions"

type initialRow struct {
	ID   int64
	Name string
	Role uuid.UUID
}

type initialData struct {
	Name string    `json:"name" field:"required,unique,max=150"`
	Role uuid.UUID `json:"role" field:"required"`
	// Permissions are the numbers of permissions.
	Permissions []int64 `json:"permissions"`
}

// initialMembers are the read-only members.
type initialMembers struct {
	PK             int64        `json:"pk"`
	PermissionsObj []Permission `json:"permissions_obj"`
}

func newInitialPermissions(r *Registry, p people) *initialPermissions {
	return &initialPermissions{&made[initialRow]{people: p, model: initialModel, what: "initial permissions", keys: []string{"pk", "id"},
		remove: "delete from initial_permissions where id = $1", ref: func(i *initialRow) *Ref { return &Ref{Key: i.ID, Name: i.Name} },
		rows: &table[initialRow]{
			from: "initial_permissions i", columns: "i.id, i.name, i.role_id", key: "i.id", numeric: true,
			scan: func(row store.Row) (initialRow, error) {
				var i initialRow
				err := row.Scan(&i.ID, &i.Name, &i.Role)
				return i, err
			},
			always:   func(*statement) {},
			order:    map[string]string{"pk": "i.id", "name": "i.name", "role": "i.role_id"},
			fallback: "i.name, i.id",
			search:   mentions("i.name"),
			filters:  map[string]func(*statement, any){"name": equals("i.name")},
		}}, r, roleSets{p.access}}
}

// Fields implements Objects.
func (k *initialPermissions) Fields() []field.Spec {
	return append(readOnly(new(initialMembers)), field.Describe(&initialData{Permissions: []int64{}})...)
}

// Find implements Objects.
func (k *initialPermissions) Find(ctx context.Context, v View, match map[string]any) (*Ref, error) {
	name, named := match["name"]
	if !named {
		return k.made.Find(ctx, v, match)
	}
	rest := maps.Clone(match)
	delete(rest, "name")
	if _, text := name.(string); !text {
		return nil, nil
	}
	ids, err := store.Select(ctx, v.DB, store.Column[int64], "select id from initial_permissions where name = $1", name)
	if err != nil || len(ids) == 0 {
		return nil, err
	}
	for key, want := range rest {
		if slices.Contains(k.keys, key) && textOf(want) != strconv.FormatInt(ids[0], 10) {
			return nil, nil
		}
	}
	rest["pk"] = ids[0]
	return k.made.Find(ctx, v, rest)
}

// load returns what is stored under a ref.
func (k *initialPermissions) load(ctx context.Context, q store.Querier, ref *Ref) (*initialRow, *initialData, error) {
	id, err := strconv.ParseInt(ref.ID(), 10, 64)
	if err != nil {
		return nil, nil, fmt.Errorf("read initial permissions %s: %w", ref.ID(), ErrGone)
	}
	found, err := store.Select(ctx, q, k.rows.scan, "select "+k.rows.columns+" from "+k.rows.from+" where i.id = $1", id)
	if err == nil && len(found) == 0 {
		err = ErrGone
	}
	if err != nil {
		return nil, nil, fmt.Errorf("read initial permissions %d: %w", id, err)
	}
	names, err := store.Select(ctx, q, store.Column[string], "select permission from initial_permission_grants where initial_id = $1 order by permission", id)
	if err != nil {
		return nil, nil, fmt.Errorf("read initial permissions %d: %w", id, err)
	}
	d := &initialData{Name: found[0].Name, Role: found[0].Role, Permissions: []int64{}}
	for _, name := range names {
		// A permission of a former version says nothing.
		if p := k.registry.Permission(name); p != nil {
			d.Permissions = append(d.Permissions, p.ID)
		}
	}
	slices.Sort(d.Permissions)
	return &found[0], d, nil
}

// check returns the permissions by their names, and refuses what is not there or
// what the author of the write may not hand out (rule 46).
func (k *initialPermissions) check(ctx context.Context, w *Write, d *initialData, id int64) ([]string, error) {
	if err := k.roles.exist(ctx, w.Store(), "role", []uuid.UUID{d.Role}); err != nil {
		return nil, err
	}
	taken, err := store.Select(ctx, w.Store(), store.Column[int64], "select id from initial_permissions where name = $1 and id <> $2", d.Name, id)
	if err != nil {
		return nil, fmt.Errorf("look for initial permissions: %w", err)
	}
	if len(taken) > 0 {
		return nil, field.Errorf("name", field.CodeUnique, "Choose another value; initial permissions with this name exist.")
	}
	names := make([]string, 0, len(d.Permissions))
	for _, number := range d.Permissions {
		i := slices.IndexFunc(k.registry.permissions, func(p *Permission) bool { return p.ID == number })
		if i < 0 {
			return nil, field.Errorf("permissions", field.CodeDoesNotExist, "Choose permissions that exist; %d does not.", number)
		}
		name := k.registry.permissions[i].Codename
		if err := mayGrant(ctx, w, name, "", ""); err != nil {
			return nil, err
		}
		names = append(names, name)
	}
	slices.Sort(names)
	return slices.Compact(names), nil
}

// permit makes the stored permissions exactly these.
func (k *initialPermissions) permit(ctx context.Context, tx store.Tx, id int64, names []string) error {
	if _, err := tx.Exec(ctx, "delete from initial_permission_grants where initial_id = $1", id); err != nil {
		return fmt.Errorf("change initial permissions %d: %w", id, err)
	}
	for _, name := range names {
		if _, err := tx.Exec(ctx, "insert into initial_permission_grants (initial_id, permission) values ($1, $2)", id, name); err != nil {
			return fmt.Errorf("change initial permissions %d: %w", id, err)
		}
	}
	return nil
}

// Create implements Objects.
func (k *initialPermissions) Create(ctx context.Context, w *Write, pk string, data map[string]any) (*Ref, []string, error) {
	d := initialData{Permissions: []int64{}}
	unknown, errs := field.Decode(&d, data, field.Create)
	if pk != "" {
		errs = errs.Add("pk", field.Error{Code: field.CodeInvalid, String: "Leave the key out; the database numbers these."})
	}
	if errs != nil {
		return nil, unknown, errs
	}
	names, err := k.check(ctx, w, &d, 0)
	if err != nil {
		return nil, unknown, err
	}
	i := initialRow{Name: d.Name, Role: d.Role}
	if err := w.Store().QueryRow(ctx, "insert into initial_permissions (name, role_id) values ($1, $2) returning id", d.Name, d.Role).Scan(&i.ID); err != nil {
		return nil, unknown, fmt.Errorf("create initial permissions %q: %w", d.Name, err)
	}
	if err := k.permit(ctx, w.Store(), i.ID, names); err != nil {
		return nil, unknown, err
	}
	ref := k.point(&i)
	return ref, strangeTo(k.Fields(), unknown), k.record(ctx, w, event.ModelCreated, ref)
}

// Update implements Objects.
func (k *initialPermissions) Update(ctx context.Context, w *Write, ref *Ref, data map[string]any, mode field.Mode) (changed, unknown []string, err error) {
	i, before, err := k.load(ctx, w.Store(), ref)
	if err != nil {
		return nil, nil, err
	}
	after := *before
	unknown, errs := field.Decode(&after, data, mode)
	if errs != nil {
		return nil, unknown, errs
	}
	slices.Sort(after.Permissions)
	after.Permissions = slices.Compact(after.Permissions)
	if changed = differing(field.Encode(before, field.Public), field.Encode(&after, field.Public)); len(changed) == 0 {
		return nil, strangeTo(k.Fields(), unknown), nil
	}
	names, err := k.check(ctx, w, &after, i.ID)
	if err != nil {
		return nil, unknown, err
	}
	if _, err := w.Store().Exec(ctx, "update initial_permissions set name = $2, role_id = $3 where id = $1", i.ID, after.Name, after.Role); err != nil {
		return nil, unknown, fmt.Errorf("change initial permissions %d: %w", i.ID, err)
	}
	if err := k.permit(ctx, w.Store(), i.ID, names); err != nil {
		return nil, unknown, err
	}
	*ref = *k.point(&initialRow{i.ID, after.Name, after.Role})
	return changed, strangeTo(k.Fields(), unknown), k.changedNote(ctx, w, ref, changed)
}

// Check implements Objects.
func (k *initialPermissions) Check(ctx context.Context, w *Write, ref *Ref, data map[string]any) error {
	_, d, err := k.load(ctx, w.Store(), ref)
	if err != nil {
		return err
	}
	_, errs := field.Decode(d, data, field.Update)
	return errs.Err()
}

// Read implements Objects.
func (k *initialPermissions) Read(ctx context.Context, v View, refs ...*Ref) ([]map[string]any, error) {
	out := make([]map[string]any, len(refs))
	for n, ref := range refs {
		i, d, err := k.load(ctx, v.DB, ref)
		if err != nil {
			return nil, err
		}
		m := initialMembers{PK: i.ID, PermissionsObj: []Permission{}}
		for _, p := range k.registry.permissions {
			if slices.Contains(d.Permissions, p.ID) {
				m.PermissionsObj = append(m.PermissionsObj, *p)
			}
		}
		out[n] = field.Encode(d, field.Public)
		maps.Copy(out[n], field.Encode(&m, field.Public))
	}
	return out, nil
}

// granting gives the roles of whoever makes an object their initial permissions
// on it, in the same transaction.
type granting struct {
	Objects
	registry *Registry
}

// Create implements Objects.
func (g granting) Create(ctx context.Context, w *Write, pk string, data map[string]any) (*Ref, []string, error) {
	ref, unknown, err := g.Objects.Create(ctx, w, pk, data)
	if err == nil {
		err = g.registry.grantInitial(ctx, w, ref)
	}
	return ref, unknown, err
}

// grantInitial gives the roles of the author of a write their initial permissions
// on what it has made. The program itself has no roles.
func (r *Registry) grantInitial(ctx context.Context, w *Write, made *Ref) error {
	k, p := r.Model(made.Model), w.By.Person
	if k == nil || p == nil || !p.Saved() {
		return nil
	}
	var names []string
	for _, permission := range r.permissions {
		if permission.App == k.App() && permission.Model == k.Name() {
			names = append(names, permission.Codename)
		}
	}
	grants, roles, err := r.role.access.In(w.Store()).Initial(ctx, p, names)
	if err != nil {
		return err
	}
	for i, g := range grants {
		if err := r.role.access.Grant(ctx, w.Store(), access.Grant{Role: g.Role, Permission: g.Permission, Kind: k.Name(), ID: made.ID()}); err != nil {
			return err
		}
		if i > 0 && grants[i-1].Role == g.Role {
			continue
		}
		if err := r.role.record(ctx, w, event.ModelUpdated, roleRef(&roleSummary{g.Role, roles[i]})); err != nil {
			return err
		}
	}
	return nil
}
