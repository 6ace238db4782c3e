package resource

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/google/uuid"

	"github.com/weir-id/weir/field"
	"github.com/weir-id/weir/identity"
	"github.com/weir-id/weir/internal/directory"
	"github.com/weir-id/weir/internal/event"
	"github.com/weir-id/weir/internal/store"
)

// group is authentik_core.group.
type group struct {
	people
	roles roleSets
	rows  *table[groupRow]
}

const groupModel = "authentik_core.group"

type groupRow struct {
	id   uuid.UUID
	name string
}

type groupData struct {
	Name string `json:"name" field:"required"`
	// IsSuperuser makes superusers of all members, also of groups below.
	IsSuperuser bool           `json:"is_superuser"`
	Parents     []uuid.UUID    `json:"parents"`
	Users       []int64        `json:"users"`
	Attributes  map[string]any `json:"attributes"`
	Roles       []uuid.UUID    `json:"roles"`
}

// relatedGroup is a group above or below another one.
type relatedGroup struct {
	PK          uuid.UUID      `json:"pk" field:"readonly"`
	Name        string         `json:"name" field:"required"`
	IsSuperuser bool           `json:"is_superuser"`
	Attributes  map[string]any `json:"attributes"`
	UUID        uuid.UUID      `json:"group_uuid" field:"readonly"`
}

// groupMembers are the read-only members of a group.
type groupMembers struct {
	PK             uuid.UUID       `json:"pk"`
	NumPK          int64           `json:"num_pk"`
	ParentsObj     *[]relatedGroup `json:"parents_obj" field:"null"`
	UsersObj       *[]userSummary  `json:"users_obj" field:"null"`
	RolesObj       []roleSummary   `json:"roles_obj"`
	InheritedRoles *[]roleSummary  `json:"inherited_roles_obj" field:"null"`
	Children       []uuid.UUID     `json:"children"`
	ChildrenObj    *[]relatedGroup `json:"children_obj" field:"null"`
}

// Fields implements Objects.
func (k *group) Fields() []field.Spec {
	return append(readOnly(new(groupMembers)), field.Describe(&groupData{Attributes: map[string]any{}})...)
}

// Find implements Objects.
func (k *group) Find(ctx context.Context, v View, match map[string]any) (*Ref, error) {
	match, ok, err := lookup(groupModel, match, parts(map[string]matchType{"pk": matchUUID, "id": matchUUID, "name": matchText, "name__iexact": matchText,
		"is_superuser": matchBool, "attributes": matchObject}, "name"))
	if err != nil || !ok {
		return nil, err
	}
	found, err := k.directory.FindGroups(ctx, v.DB, match)
	if err != nil || len(found) == 0 {
		return nil, err
	}
	return groupRef(found[0].ID, found[0].Name), nil
}

func groupRef(id uuid.UUID, name string) *Ref {
	return &Ref{Model: groupModel, Key: id.String(), Name: name}
}

// List implements Objects.
func (k *group) List(ctx context.Context, v View, q *Query) ([]*Ref, int, error) {
	rows, total, err := k.rows.list(ctx, v, q)
	refs := make([]*Ref, len(rows))
	for i, r := range rows {
		refs[i] = groupRef(r.id, r.name)
	}
	return refs, total, err
}

func groupsTable() *table[groupRow] {
	return &table[groupRow]{
		from: "groups g", columns: "g.id, g.name", key: "g.id",
		scan: func(row store.Row) (groupRow, error) {
			var r groupRow
			err := row.Scan(&r.id, &r.name)
			return r, err
		},
		order:    map[string]string{"pk": "g.id", "name": "g.name_key", "is_superuser": "g.is_superuser"},
		fallback: "g.name_key, g.id",
		search:   mentions("g.name"),
		filters: map[string]func(*statement, any){
			"name": equals("g.name"), "is_superuser": equals("g.is_superuser"),
			"attributes": func(s *statement, want any) { containsAttributes(s, "g.attributes", want.(map[string]any)) },
			"members_by_pk": func(s *statement, want any) {
				s.terms = append(s.terms, "g.id in (select gm.group_id from group_members gm where gm.user_id in "+s.in(want.([]any))+")")
			},
			"members_by_username": func(s *statement, want any) {
				keys := make([]any, len(want.([]any)))
				for i, name := range want.([]any) {
					keys[i] = directory.UsernameKey(name.(string))
				}
				s.terms = append(s.terms, "g.id in (select gm.group_id from group_members gm join users u on u.id = gm.user_id where u.username_key in "+s.in(keys)+")")
			},
		},
	}
}

func groupFilters() []Filter {
	return []Filter{{Name: "attributes", Object: true}, {Name: "is_superuser", Type: "boolean"}, {Name: "members_by_pk", Type: "integer", Many: true},
		{Name: "members_by_username", Many: true}, {Name: "name"}}
}

// oldParent accepts the single "parent" that groups had before they could have
// several.
func oldParent(data map[string]any) map[string]any {
	parent, given := data["parent"]
	if !given {
		return data
	}
	data = maps.Clone(data)
	delete(data, "parent")
	if _, both := data["parents"]; !both {
		data["parents"] = []any{}
		if parent != nil {
			data["parents"] = []any{parent}
		}
	}
	return data
}

// Create implements Objects.
func (k *group) Create(ctx context.Context, w *Write, pk string, data map[string]any) (*Ref, []string, error) {
	d := groupData{Attributes: map[string]any{}}
	unknown, errs := field.Decode(&d, oldParent(data), field.Create)
	if errs != nil {
		return nil, unknown, errs
	}
	g := &identity.Group{Name: d.Name, Superuser: d.IsSuperuser, Attributes: d.Attributes, Parents: d.Parents}
	if pk != "" {
		var err error
		if g.ID, err = uuid.Parse(pk); err != nil {
			return nil, unknown, field.Errorf("pk", field.CodeInvalid, "Give the key as a UUID; %q is none.", pk)
		}
		// Asking first keeps the transaction usable.
		if _, err := k.directory.Group(ctx, w.Store(), g.ID); err == nil {
			return nil, unknown, field.Errorf("pk", field.CodeUnique, "Choose another key; this one is taken.")
		} else if !errors.Is(err, directory.ErrNoGroup) {
			return nil, unknown, err
		}
	}
	if err := k.directory.CreateGroup(ctx, w.Store(), g); err != nil {
		return nil, unknown, err
	}
	if err := k.mayPower(ctx, w, g.ID, &groupData{}, &d); err != nil {
		return nil, unknown, err
	}
	ref := groupRef(g.ID, g.Name)
	if err := k.relations(ctx, w, g.ID, &groupData{}, &d); err != nil {
		return nil, unknown, err
	}
	return ref, strangeTo(k.Fields(), unknown), k.record(ctx, w, event.ModelCreated, ref)
}

// mayPower refuses to give a group power that the author of the write does not
// have, by the flag or by a parent, and to take it away (rule 46). The group is
// stored already.
func (k *group) mayPower(ctx context.Context, w *Write, id uuid.UUID, before, after *groupData) error {
	changed := difference(before.Parents, after.Parents)
	if before.IsSuperuser != after.IsSuperuser || len(changed) > 0 {
		changed = append(changed, id)
	}
	return mayJoin(ctx, w, changed...)
}

func (k *group) relations(ctx context.Context, w *Write, id uuid.UUID, before, after *groupData) error {
	if !sameSet(before.Users, after.Users) {
		if err := mayJoin(ctx, w, id); err != nil {
			return err
		}
		if err := k.directory.SetMembers(ctx, w.Store(), id, after.Users); err != nil {
			return err
		}
	}
	if !sameSet(before.Roles, after.Roles) {
		if err := k.mayGive(ctx, w, difference(before.Roles, after.Roles)...); err != nil {
			return err
		}
		return k.roles.setGroup(ctx, w.Store(), id, after.Roles)
	}
	return nil
}

func (k *group) load(ctx context.Context, q store.Querier, ref *Ref) (identity.Group, groupData, error) {
	id, err := uuid.Parse(ref.ID())
	if err != nil {
		return identity.Group{}, groupData{}, fmt.Errorf("read group %v: %w", ref.Key, err)
	}
	g, err := k.directory.Group(ctx, q, id)
	if err != nil {
		return g, groupData{}, gone(err)
	}
	d := groupDataOf(&g)
	if d.Users, err = k.directory.Members(ctx, q, g.ID); err != nil {
		return g, d, err
	}
	d.Roles, err = k.roles.ofGroup(ctx, q, g.ID)
	return g, d, err
}

func groupDataOf(g *identity.Group) groupData {
	return groupData{Name: g.Name, IsSuperuser: g.Superuser, Parents: g.Parents, Attributes: g.Attributes}
}

// Update implements Objects.
func (k *group) Update(ctx context.Context, w *Write, ref *Ref, data map[string]any, mode field.Mode) (changed, unknown []string, err error) {
	g, before, err := k.load(ctx, w.Store(), ref)
	if err != nil {
		return nil, nil, err
	}
	after := before
	unknown, errs := field.Decode(&after, oldParent(data), mode)
	if errs != nil {
		return nil, unknown, errs
	}
	if before.IsSuperuser && !after.IsSuperuser {
		// Afterwards the group would not look powerful any more.
		if err := mayJoin(ctx, w, g.ID); err != nil {
			return nil, unknown, err
		}
	}
	changed = differing(encodeSets(&before), encodeSets(&after))
	if slices.ContainsFunc(changed, func(name string) bool { return name != "users" && name != "roles" }) {
		g.Name, g.Superuser, g.Attributes, g.Parents = after.Name, after.IsSuperuser, after.Attributes, after.Parents
		if err := k.directory.UpdateGroup(ctx, w.Store(), &g); err != nil {
			return nil, unknown, err
		}
		if err := k.mayPower(ctx, w, g.ID, &before, &after); err != nil {
			return nil, unknown, err
		}
	}
	if err := k.relations(ctx, w, g.ID, &before, &after); err != nil {
		return nil, unknown, err
	}
	*ref = *groupRef(g.ID, g.Name)
	return changed, strangeTo(k.Fields(), unknown), k.changedNote(ctx, w, ref, changed)
}

// Check implements Objects.
func (k *group) Check(ctx context.Context, w *Write, ref *Ref, data map[string]any) error {
	_, d, err := k.load(ctx, w.Store(), ref)
	if err != nil {
		return err
	}
	_, errs := field.Decode(&d, oldParent(data), field.Update)
	return errs.Err()
}

// Delete implements Objects.
func (k *group) Delete(ctx context.Context, w *Write, ref *Ref) error {
	id, err := uuid.Parse(ref.ID())
	if err != nil {
		return fmt.Errorf("delete group %v: %w", ref.Key, err)
	}
	if err := mayJoin(ctx, w, id); err != nil {
		return err
	}
	if err := w.DropReferences("group", id.String()); err != nil {
		return err
	}
	if err := k.directory.DeleteGroup(ctx, w.Store(), id); err != nil {
		return gone(err)
	}
	return k.record(ctx, w, event.ModelDeleted, ref)
}

// Read implements Objects.
func (k *group) Read(ctx context.Context, v View, refs ...*Ref) ([]map[string]any, error) {
	ids := make([]uuid.UUID, len(refs))
	for i, ref := range refs {
		id, err := uuid.Parse(ref.ID())
		if err != nil {
			return nil, fmt.Errorf("read group %v: %w", ref.Key, err)
		}
		ids[i] = id
	}
	groups, err := k.groupsByID(ctx, v.DB, ids)
	if err != nil {
		return nil, err
	}
	members, err := pairs[uuid.UUID, int64](ctx, v.DB, "select group_id, user_id from group_members where group_id in %s order by group_id, user_id", ids)
	if err != nil {
		return nil, err
	}
	children, err := pairs[uuid.UUID, uuid.UUID](ctx, v.DB, "select parent_id, group_id from group_parents where parent_id in %s order by parent_id, group_id", ids)
	if err != nil {
		return nil, err
	}
	roles, err := k.roles.ofGroups(ctx, v.DB, ids)
	if err != nil {
		return nil, err
	}
	users, related, err := k.neighbours(ctx, v, groups, members, children)
	if err != nil {
		return nil, err
	}
	out := make([]map[string]any, len(refs))
	for i, id := range ids {
		g, ok := groups[id]
		if !ok {
			return nil, fmt.Errorf("read group %s: %w", id, ErrGone)
		}
		d := groupDataOf(g)
		m := groupMembers{PK: g.ID, NumPK: numPK(g.ID), RolesObj: roles[id]}
		for _, r := range roles[id] {
			d.Roles = append(d.Roles, r.PK)
		}
		if users != nil {
			m.UsersObj = &[]userSummary{}
		}
		for _, member := range members {
			if member.a != id {
				continue
			}
			d.Users = append(d.Users, member.b)
			if u := users[member.b]; u != nil {
				*m.UsersObj = append(*m.UsersObj, k.summarizeUser(u))
			}
		}
		if v.wants("include_parents", false) {
			m.ParentsObj = relatives(related, g.Parents)
		}
		for _, child := range children {
			if child.a == id {
				m.Children = append(m.Children, child.b)
			}
		}
		if v.wants("include_children", false) {
			m.ChildrenObj = relatives(related, m.Children)
		}
		if v.wants("include_inherited_roles", false) {
			inherited, err := k.inheritedRoles(ctx, v.DB, g.ID, roles[id])
			if err != nil {
				return nil, err
			}
			m.InheritedRoles = &inherited
		}
		out[i] = field.Encode(&d, field.Public)
		maps.Copy(out[i], field.Encode(&m, field.Public))
	}
	return out, nil
}

// neighbours reads the people and groups around the groups, as far as they are
// wanted; the first is nil when people are not.
func (k *group) neighbours(ctx context.Context, v View, groups map[uuid.UUID]*identity.Group, members []pair[uuid.UUID, int64], children []pair[uuid.UUID, uuid.UUID]) (
	users map[int64]*identity.User, related map[uuid.UUID]*identity.Group, err error) {
	if v.wants("include_users", true) {
		users = map[int64]*identity.User{}
		ids := make([]int64, len(members))
		for i, m := range members {
			ids[i] = m.b
		}
		for chunk := range slices.Chunk(ids, store.MaxArgs) {
			some, err := k.usersByID(ctx, v.DB, chunk)
			if err != nil {
				return nil, nil, err
			}
			maps.Copy(users, some)
		}
	}
	var ids []uuid.UUID
	if v.wants("include_parents", false) {
		for _, g := range groups {
			ids = append(ids, g.Parents...)
		}
	}
	if v.wants("include_children", false) {
		for _, c := range children {
			ids = append(ids, c.b)
		}
	}
	related, err = k.groupsByID(ctx, v.DB, ids)
	return users, related, err
}

func relatives(known map[uuid.UUID]*identity.Group, ids []uuid.UUID) *[]relatedGroup {
	out := []relatedGroup{}
	for _, id := range ids {
		if g := known[id]; g != nil {
			out = append(out, relatedGroup{PK: g.ID, Name: g.Name, IsSuperuser: g.Superuser, Attributes: g.Attributes, UUID: g.ID})
		}
	}
	return &out
}

// inheritedRoles are the roles of the groups above a group that it does not
// have itself.
func (k *group) inheritedRoles(ctx context.Context, q store.Querier, id uuid.UUID, own []roleSummary) ([]roleSummary, error) {
	above, err := k.directory.Ancestors(ctx, q, id)
	if err != nil {
		return nil, err
	}
	ids := make([]uuid.UUID, 0, len(above))
	for _, g := range above {
		if g.ID != id {
			ids = append(ids, g.ID)
		}
	}
	roles, err := k.roles.ofGroups(ctx, q, ids)
	if err != nil {
		return nil, err
	}
	out := []roleSummary{}
	for _, id := range ids {
		for _, r := range roles[id] {
			if !slices.Contains(own, r) && !slices.Contains(out, r) {
				out = append(out, r)
			}
		}
	}
	return out, nil
}

// UsedBy implements Objects.
func (k *group) UsedBy(ctx context.Context, v View, ref *Ref) ([]Use, error) {
	out := uses(k.catalog, v.Config, v.Config.UsersOf("group", ref.ID()), ref.ID())
	children, err := store.Select(ctx, v.DB, func(row store.Row) (Use, error) {
		use := Use{Model: groupModel, Action: "cascade_many"}
		err := row.Scan(&use.Key, &use.Name)
		return use, err
	}, "select g.id, g.name from groups g join group_parents gp on gp.group_id = g.id where gp.parent_id = $1 order by g.name_key", ref.ID())
	if err != nil {
		return nil, fmt.Errorf("read what is below group %s: %w", ref.ID(), err)
	}
	return append(out, children...), nil
}

// SetMember puts a user into a group, or takes them out.
func (r *Registry) SetMember(ctx context.Context, w *Write, ref *Ref, user int64, member bool) error {
	k := r.group
	id, err := uuid.Parse(ref.ID())
	if err != nil {
		return fmt.Errorf("change group %v: %w", ref.Key, err)
	}
	ok, err := k.directory.Exists(ctx, w.Store(), "user", fmt.Sprint(user))
	if err != nil {
		return err
	}
	if !ok {
		return fmt.Errorf("user %d: %w", user, ErrGone)
	}
	if err := mayJoin(ctx, w, id); err != nil {
		return err
	}
	if member {
		err = k.directory.AddMember(ctx, w.Store(), id, user)
	} else {
		err = k.directory.RemoveMember(ctx, w.Store(), id, user)
	}
	if err != nil {
		return err
	}
	return k.record(ctx, w, event.ModelUpdated, ref)
}
