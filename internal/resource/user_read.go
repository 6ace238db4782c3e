package resource

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/google/uuid"

	"github.com/weir-id/weir/field"
	"github.com/weir-id/weir/identity"
	"github.com/weir-id/weir/internal/directory"
	"github.com/weir-id/weir/internal/store"
)

// List implements Objects.
func (k *user) List(ctx context.Context, v View, q *Query) ([]*Ref, int, error) {
	users, total, err := k.rows.list(ctx, v, q)
	refs := make([]*Ref, len(users))
	for i := range users {
		refs[i] = userRef(&users[i])
	}
	return refs, total, err
}

func usersTable() *table[identity.User] {
	return &table[identity.User]{
		from: "users u", columns: directory.UserColumns("u"), scan: directory.ScanUser, key: "u.id", numeric: true,
		order: map[string]string{"pk": "u.id", "id": "u.id", "uuid": "u.uuid", "username": "u.username_key", "name": "u.name", "email": "u.email_key",
			"is_active": "u.is_active", "last_login": "u.last_login", "date_joined": "u.date_joined", "path": "u.path", "type": "u.type",
			"last_updated": "u.last_updated", "password_change_date": "u.password_changed_at"},
		fallback: "u.username_key, u.id",
		search:   searchUsers,
		filters: map[string]func(*statement, any){
			"username": func(s *statement, want any) {
				s.where("u.username_key = ? and u.username = ?", directory.UsernameKey(want.(string)), want)
			},
			"email": func(s *statement, want any) {
				s.where("u.email_key = ? and u.email = ?", directory.Key(want.(string)), want)
			},
			"attributes": func(s *statement, want any) { containsAttributes(s, "u.attributes", want.(map[string]any)) },
			"name":       equals("u.name"), "uuid": equals("u.uuid"), "is_active": equals("u.is_active"), "path": equals("u.path"), "type": oneOf("u.type"),
			"path_startswith": startsWith("u.path"),
			"is_superuser": func(s *statement, want any) {
				in := "in"
				if want != true {
					in = "not in"
				}
				s.where("u.id " + in + " (select gm.user_id from group_members gm where gm.group_id in (" + directory.SuperGroups + "))")
			},
			"groups_by_name": func(s *statement, want any) {
				s.terms = append(s.terms, "u.id in (select gm.user_id from group_members gm join groups g on g.id = gm.group_id where g.name in "+s.in(want.([]any))+")")
			},
			"groups_by_pk": func(s *statement, want any) {
				s.terms = append(s.terms, "u.id in (select gm.user_id from group_members gm where gm.group_id in "+s.in(want.([]any))+")")
			},
			"roles_by_name": func(s *statement, want any) {
				s.terms = append(s.terms, "u.id in (select ru.user_id from role_users ru join roles r on r.id = ru.role_id where r.name in "+s.in(want.([]any))+")")
			},
			"roles_by_pk": func(s *statement, want any) {
				s.terms = append(s.terms, "u.id in (select ru.user_id from role_users ru where ru.role_id in "+s.in(want.([]any))+")")
			},
			"date_joined": equals("u.date_joined"), "date_joined__gt": compares("u.date_joined", ">"), "date_joined__lt": compares("u.date_joined", "<"),
			"last_updated": equals("u.last_updated"), "last_updated__gt": compares("u.last_updated", ">"), "last_updated__lt": compares("u.last_updated", "<"),
			"last_login": equals("u.last_login"), "last_login__gt": compares("u.last_login", ">"), "last_login__lt": compares("u.last_login", "<"),
			"last_login__isnull": missing("u.last_login"),
		},
	}
}

func userFilters() []Filter {
	types := filterOf(field.Describe(new(userData)), "type")
	types.Many = true
	out := []Filter{{Name: "attributes", Object: true}, {Name: "email"}, {Name: "groups_by_name", Many: true}, {Name: "groups_by_pk", Format: "uuid", Many: true},
		{Name: "is_active", Type: "boolean"}, {Name: "is_superuser", Type: "boolean"}, {Name: "last_login__isnull", Type: "boolean"}, {Name: "name"},
		{Name: "path"}, {Name: "path_startswith"}, {Name: "roles_by_name", Many: true}, {Name: "roles_by_pk", Format: "uuid", Many: true},
		types, {Name: "username"}, {Name: "uuid", Format: "uuid"}}
	for _, name := range []string{"date_joined", "last_login", "last_updated"} {
		for _, op := range []string{"", "__gt", "__lt"} {
			out = append(out, Filter{Name: name + op, Format: "date-time"})
		}
	}
	return out
}

// Read implements Objects.
func (k *user) Read(ctx context.Context, v View, refs ...*Ref) ([]map[string]any, error) {
	ids := make([]int64, len(refs))
	for i, ref := range refs {
		ids[i], _ = ref.Key.(int64)
	}
	users, err := k.usersByID(ctx, v.DB, ids)
	if err != nil {
		return nil, err
	}
	groups, err := pairs[int64, uuid.UUID](ctx, v.DB, "select user_id, group_id from group_members where user_id in %s order by user_id, group_id", ids)
	if err != nil {
		return nil, err
	}
	roles, err := k.roles.ofUsers(ctx, v.DB, ids)
	if err != nil {
		return nil, err
	}
	supers, err := k.supers(ctx, v.DB, ids)
	if err != nil {
		return nil, err
	}
	var groupIDs []uuid.UUID
	for _, g := range groups {
		groupIDs = append(groupIDs, g.b)
	}
	byID := map[uuid.UUID]*identity.Group{}
	withGroups, withRoles := v.wants("include_groups", true), v.wants("include_roles", true)
	if withGroups {
		if byID, err = k.groupsByID(ctx, v.DB, groupIDs); err != nil {
			return nil, err
		}
	}
	out := make([]map[string]any, len(refs))
	for i, id := range ids {
		u, ok := users[id]
		if !ok {
			return nil, fmt.Errorf("read user %d: %w", id, ErrGone)
		}
		d := userDataOf(u)
		m := userMembers{PK: u.ID, DateJoined: u.JoinedAt, IsSuperuser: supers[id], Avatar: k.avatar(u.Username), UID: u.UID(k.installID), UUID: u.UUID,
			PasswordAt: u.PasswordChangedAt, LastUpdated: u.UpdatedAt}
		if withGroups {
			m.GroupsObj = &[]groupSummary{}
		}
		for _, g := range groups {
			if g.a != id {
				continue
			}
			d.Groups = append(d.Groups, g.b)
			if withGroups && byID[g.b] != nil {
				*m.GroupsObj = append(*m.GroupsObj, summarizeGroup(byID[g.b]))
			}
		}
		if withRoles {
			m.RolesObj = &[]roleSummary{}
		}
		for _, r := range roles[id] {
			d.Roles = append(d.Roles, r.PK)
			if withRoles {
				*m.RolesObj = append(*m.RolesObj, r)
			}
		}
		out[i] = field.Encode(&d, field.Public)
		delete(out[i], "permissions")
		maps.Copy(out[i], field.Encode(&m, field.Public))
	}
	return out, nil
}

// supers tells which users are superusers by one of their groups.
func (k *user) supers(ctx context.Context, q store.Querier, ids []int64) (map[int64]bool, error) {
	var args store.Args
	found, err := store.Select(ctx, q, store.Column[int64], `select distinct gm.user_id from group_members gm
		where gm.group_id in (`+directory.SuperGroups+`) and gm.user_id in `+store.In(&args, ids), args...)
	if err != nil {
		return nil, fmt.Errorf("look for superusers: %w", err)
	}
	out := map[int64]bool{}
	for _, id := range found {
		out[id] = true
	}
	return out, nil
}

// UsedBy implements Objects.
func (k *user) UsedBy(ctx context.Context, v View, ref *Ref) ([]Use, error) {
	out := uses(k.catalog, v.Config, v.Config.UsersOf("user", ref.ID()), ref.ID())
	for _, t := range []struct{ model, sql string }{
		{tokenModel, "select id, identifier from tokens where user_id = $1 order by identifier"},
		{sessionModel, "select uuid, last_ip from sessions where user_id = $1 order by uuid"},
	} {
		found, err := store.Select(ctx, v.DB, func(row store.Row) (Use, error) {
			use := Use{Model: t.model, Action: field.Cascade}
			err := row.Scan(&use.Key, &use.Name)
			return use, err
		}, t.sql, ref.Key)
		if err != nil {
			return nil, fmt.Errorf("read what user %s has: %w", ref.ID(), err)
		}
		out = append(out, found...)
	}
	return out, nil
}

// Paths returns the folders of users, those above them included, that begin
// with one that holds the term.
func (r *Registry) Paths(ctx context.Context, v View, term string) ([]string, error) {
	// One step of the index for each path, however many people are in it.
	found, err := store.Select(ctx, v.DB, store.Column[string], `with recursive paths (path) as (
			select min(path) from users
			union all
			select (select min(u.path) from users u where u.path > paths.path) from paths where paths.path is not null)
		select path from paths where path is not null limit 10000`)
	if err != nil {
		return nil, fmt.Errorf("read paths of users: %w", err)
	}
	seen := map[string]bool{}
	for _, path := range found {
		for i, c := range path + "/" {
			if c == '/' && i > 0 {
				seen[path[:i]] = true
			}
		}
	}
	out := slices.Sorted(maps.Keys(seen))
	if term = strings.ToLower(term); term != "" {
		out = slices.DeleteFunc(out, func(path string) bool { return !strings.Contains(strings.ToLower(path), term) })
	}
	if out == nil {
		out = []string{}
	}
	return out, nil
}
